/* SPDX-License-Identifier: MIT */
/* The little that lives inside the program: what gdb looks for by name to learn
 * of code that hotdev added (gdb manual, "JIT Compilation Interface"). It needs
 * no library, starts nothing, and is never called by the program. */

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
