/* SPDX-License-Identifier: MIT */
/* The little that lives inside the program: what gdb looks for by name to learn
 * of code that hotdev added (gdb manual, "JIT Compilation Interface"), and how
 * hotdev has the program allocate memory. It needs no library, starts nothing,
 * and is never called by the program. */

struct jit_code_entry {
	struct jit_code_entry *next_entry;
	struct jit_code_entry *prev_entry;
	const char *symfile_addr;
	unsigned long symfile_size;
};

struct jit_descriptor {
	unsigned int version;
	unsigned int action_flag;
	struct jit_code_entry *relevant_entry;
	struct jit_code_entry *first_entry;
};

void __jit_debug_register_code(void);
extern struct jit_descriptor __jit_debug_descriptor;

/* gdb puts a breakpoint here; the barrier keeps it a function of its own. */
__attribute__((noinline)) void
__jit_debug_register_code(void)
{
	__asm__ volatile("" ::: "memory");
}

struct jit_descriptor __jit_debug_descriptor = {1, 0, 0, 0};

/* Weak: found in the program as it is, or not at all. So it is the program's own allocator, whichever that is. */
extern void *malloc(unsigned long size) __attribute__((weak));
extern void free(void *block) __attribute__((weak));
extern int *__errno_location(void) __attribute__((weak));

unsigned long hotdev_allocate(unsigned long count, unsigned long *blocks);
unsigned long hotdev_free(unsigned long count, const unsigned long *blocks);

unsigned long
hotdev_free(unsigned long count, const unsigned long *blocks)
{
	int before = *__errno_location();
	for (unsigned long i = count; i > 0; i--)
		free((void *)blocks[i - 1]);
	*__errno_location() = before;
	return count;
}

/* Of sizes, blocks become addresses. All, and count is returned; or none, and 0. */
unsigned long
hotdev_allocate(unsigned long count, unsigned long *blocks)
{
	int before = *__errno_location();
	for (unsigned long i = 0; i < count; i++) {
		void *made = malloc(blocks[i]);
		if (!made) {
			hotdev_free(i, blocks);
			count = 0;
		} else
			blocks[i] = (unsigned long)made;
	}
	*__errno_location() = before;
	return count;
}
