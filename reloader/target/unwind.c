/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stacks, by libdwfl over the copy that a sample holds: the program's files as
 * they are mapped, and the unwind information of arenas' code (cfi.c).
 *
 * Where a frame's code has no unwind information, libdwfl falls back on the
 * frame pointer. That is right for a call made by code in an arena, all of which
 * either has unwind information or keeps a frame pointer; anywhere else it is a
 * guess, and a stack that needs a guess is not complete. */
#include "config.h"

#include "reloader/target/private.h"

#include "reloader/target/cfi.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_FRAMES 4096

/* DWARF's numbers of registers: x86-64 psABI, figure 3.36. */
enum { RBX = 3, RBP = 6, RSP = 7 };
#define BIT(n) ((guint16)(1U << (n)))
#define CALLEE_SAVED (BIT(RBX) | BIT(RBP) | BIT(RSP) | 0xf000)

typedef struct {
	GBytes *image;	  /* as given */
	GByteArray *file; /* what libdwfl reads; NULL: nothing to know */
	guint64 low, high;
	bool reported;
} code_image;

typedef struct {
	Dwfl *dwfl;
	guint64 signature; /* of the list of loaded objects */
	bool attached;
	const hd_target *target;
	/* of the stack that is being unwound */
	const hd_sample *sample;
	GArray *frames;
	guint16 keeps; /* of the frame before: see has_cfi */
	bool guessed;
} unwinder;

/* ---- modules ---- */

static int
find_elf(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base, char **file_name, Elf **elf)
{
	(void)module, (void)name, (void)base, (void)file_name;
	const code_image *code = *userdata;
	if (code)
		*elf = elf_memory((char *)code->file->data, code->file->len);
	return -1;
}

/* Unwinding needs no more than the file itself; nothing is searched or fetched. */
static int
find_debuginfo(Dwfl_Module *module, void **userdata, const char *name, Dwarf_Addr base, const char *file_name,
	       const char *link, GElf_Word crc, char **found)
{
	(void)module, (void)userdata, (void)name, (void)base, (void)file_name, (void)link, (void)crc, (void)found;
	return -1;
}

/* The file that is mapped, not another that took its name since. -1: it cannot be had. */
static int
open_mapped(const hd_target *target, const hd_target_object *object)
{
	char program[64];
	g_snprintf(program, sizeof program, "/proc/%d/exe", (int)target->pid);
	const char *const paths[] = {object->path, program};
	for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
		struct stat status;
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &status) == 0 && status.st_ino == object->inode)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

static void
report_objects(unwinder *u)
{
	const GPtrArray *objects = u->target->objects;
	for (guint i = 0; objects && i < objects->len; i++) {
		const hd_target_object *object = g_ptr_array_index(objects, i);
		int fd = open_mapped(u->target, object);
		if (fd >= 0 && !dwfl_report_elf(u->dwfl, object->path, object->path, fd, object->bias, false))
			close(fd);
	}
}

static void
report_code(unwinder *u, code_image *code)
{
	code->reported = true;
	Dwfl_Module *module = code->file ? dwfl_report_module(u->dwfl, "arena", code->low, code->high) : NULL;
	void **userdata;
	if (module && dwfl_module_info(module, &userdata, NULL, NULL, NULL, NULL, NULL, NULL))
		*userdata = code;
}

static void
report_new_code(unwinder *u, bool all)
{
	GHashTableIter iter;
	gpointer value;
	g_hash_table_iter_init(&iter, u->target->code);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (all || !((code_image *)value)->reported)
			report_code(u, value);
}

/* Changes when the loader loads or unloads something. */
static guint64
objects_signature(hd_target *target)
{
	pid_t pid = hd_target_witness(target);
	struct r_debug head;
	guint64 hash = 1469598103934665603U;
	if (!pid || !target->debug || !hd_memory_read(pid, target->debug, &head, sizeof head))
		return 0;
	guint64 next = GPOINTER_TO_SIZE(head.r_map);
	for (guint i = 0; next && i < 4096; i++) {
		struct link_map entry;
		if (!hd_memory_read(pid, next, &entry, sizeof entry))
			break;
		hash = (hash ^ (entry.l_addr + next)) * 1099511628211U;
		next = GPOINTER_TO_SIZE(entry.l_next);
	}
	return hash;
}

/* ---- the stack being unwound ---- */

static pid_t
next_thread(Dwfl *dwfl, void *argument, void **thread_argument)
{
	(void)dwfl;
	unwinder *u = argument;
	if (*thread_argument)
		return 0;
	*thread_argument = u;
	return u->sample->tid;
}

static bool
get_thread(Dwfl *dwfl, pid_t tid, void *argument, void **thread_argument)
{
	(void)dwfl, (void)tid;
	*thread_argument = argument;
	return true;
}

static bool
memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *argument)
{
	(void)dwfl;
	const unwinder *u = argument;
	for (gsize i = 0; i < G_N_ELEMENTS(u->sample->stack); i++) {
		const hd_stack_copy *stack = &u->sample->stack[i];
		if (address >= stack->start && address - stack->start + sizeof *result <= stack->size) {
			memcpy(result, stack->bytes + (address - stack->start), sizeof *result);
			return true;
		}
	}
	/* What is not in the copy has changed since. */
	return false;
}

static bool
set_initial_registers(Dwfl_Thread *thread, void *argument)
{
	const unwinder *u = argument;
	const struct user_regs_struct *r = &u->sample->regs;
	/* In DWARF's order: x86-64 psABI, figure 3.36. */
	const Dwarf_Word words[] = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8,
				    r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip};
	if (u->sample->registers)
		return dwfl_thread_state_registers(thread, 0, G_N_ELEMENTS(words), words);
	return dwfl_thread_state_registers(thread, 7, 1, &words[7]) &&
	       dwfl_thread_state_registers(thread, 16, 1, &words[16]);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {.next_thread = next_thread,
						       .get_thread = get_thread,
						       .memory_read = memory_read,
						       .set_initial_registers = set_initial_registers};

/* keeps: which registers its caller has as this code has them, though libdwfl says that they are lost: elfutils' rules
 * for x86-64 (ebl_abi_cfi, 0.188 at least) leave out rbx. false: there is no unwind information. */
static bool
has_cfi(unwinder *u, Dwarf_Addr pc, guint16 *keeps)
{
	Dwfl_Module *module = dwfl_addrmodule(u->dwfl, pc);
	*keeps = 0;
	for (int which = 0; module && which < 2; which++) {
		Dwarf_Addr bias;
		Dwarf_Frame *frame;
		Dwarf_Op memory[3], *ops;
		size_t n_ops;
		Dwarf_CFI *cfi = which ? dwfl_module_dwarf_cfi(module, &bias) : dwfl_module_eh_cfi(module, &bias);
		if (cfi && dwarf_cfi_addrframe(cfi, pc - bias, &frame) == 0) {
			if (dwarf_frame_register(frame, RBX, memory, &ops, &n_ops) == 0 && n_ops == 0)
				*keeps = BIT(RBX);
			free(frame);
			return true;
		}
	}
	return false;
}

/* What a caller has again after a call (x86-64 psABI, 3.2.1). The stack pointer it then has is the canonical frame
 * address of what it called. */
static void
take_registers(unwinder *u, Dwfl_Frame *state, bool activation, hd_frame *frame)
{
	hd_frame *callee = u->frames->len ? &g_array_index(u->frames, hd_frame, u->frames->len - 1) : NULL;
	Dwarf_Word word;
	for (guint i = 0; i < HD_FRAME_REGISTERS; i++) {
		if (!activation && !(CALLEE_SAVED & BIT(i)))
			continue;
		if (dwfl_frame_reg(state, i, &word) == 0)
			frame->registers[i] = word;
		else if (callee && u->keeps & callee->known & BIT(i))
			frame->registers[i] = callee->registers[i];
		else
			continue;
		frame->known |= BIT(i);
	}
	if (callee && frame->known & BIT(RSP))
		callee->cfa = frame->registers[RSP];
}

static int
take_frame(Dwfl_Frame *state, void *argument)
{
	unwinder *u = argument;
	Dwarf_Addr pc;
	bool activation;
	if (!dwfl_frame_pc(state, &pc, &activation))
		return DWARF_CB_ABORT;
	hd_frame frame = {.pc = activation ? pc : pc - 1};
	if (!u->guessed)
		take_registers(u, state, activation, &frame);
	g_array_append_val(u->frames, frame);
	if (!has_cfi(u, frame.pc, &u->keeps)) {
		if (activation || !hd_arena_has_code(u->target, frame.pc))
			u->guessed = true;
		else
			u->keeps = CALLEE_SAVED & ~(BIT(RBP) | BIT(RSP)); /* libtcc uses none of them */
	}
	return u->frames->len < MOST_FRAMES ? DWARF_CB_OK : DWARF_CB_ABORT;
}

/* ---- the contract ---- */

static void
end_dwfl(unwinder *u)
{
	if (u->dwfl)
		dwfl_end(u->dwfl);
	u->dwfl = NULL;
	u->attached = false;
}

void
hd_unwinder_free(hd_target *target)
{
	unwinder *u = target->unwinder;
	if (u)
		end_dwfl(u);
	g_clear_pointer(&target->unwinder, g_free);
}

static unwinder *
ready_unwinder(hd_target *target)
{
	static const Dwfl_Callbacks callbacks = {.find_elf = find_elf, .find_debuginfo = find_debuginfo};
	unwinder *u = target->unwinder;
	if (!u) {
		u = target->unwinder = g_new0(unwinder, 1);
		u->target = target;
	}
	guint64 signature = objects_signature(target);
	/* A program that has ended tells nothing any more: what was known stays good for its last samples. */
	if (u->dwfl && signature && signature != u->signature)
		end_dwfl(u);
	if (u->dwfl) {
		dwfl_report_begin_add(u->dwfl);
		report_new_code(u, false);
		dwfl_report_end(u->dwfl, NULL, NULL);
	} else {
		hd_target_objects(target, NULL);
		u->signature = signature;
		u->dwfl = dwfl_begin(&callbacks);
		if (!u->dwfl)
			return NULL;
		dwfl_report_begin(u->dwfl);
		report_objects(u);
		report_new_code(u, true);
		dwfl_report_end(u->dwfl, NULL, NULL);
	}
	if (!u->attached)
		u->attached = dwfl_attach_state(u->dwfl, NULL, target->pid, &thread_callbacks, u);
	return u->attached ? u : NULL;
}

GArray *
hd_target_unwind(hd_target *target, const hd_sample *sample, bool *complete)
{
	GArray *frames = g_array_new(false, false, sizeof(hd_frame));
	unwinder *u = ready_unwinder(target);
	*complete = false;
	if (!u) {
		hd_frame innermost = {.pc = sample->regs.rip};
		g_array_append_val(frames, innermost);
		return frames;
	}
	u->sample = sample;
	u->frames = frames;
	u->guessed = false;
	*complete = dwfl_getthread_frames(u->dwfl, sample->tid, take_frame, u) == 0 && !u->guessed;
	return frames;
}

void
hd_target_prepare_unwind(hd_target *target)
{
	ready_unwinder(target);
}

static void
free_code(void *data)
{
	code_image *code = data;
	g_bytes_unref(code->image);
	if (code->file)
		g_byte_array_free(code->file, true);
	g_free(code);
}

GHashTable *
hd_code_images_new(void)
{
	return g_hash_table_new_full(NULL, NULL, NULL, free_code);
}

void
hd_target_add_code(hd_target *target, GBytes *elf)
{
	if (g_hash_table_contains(target->code, elf))
		return;
	code_image *code = g_new0(code_image, 1);
	code->image = g_bytes_ref(elf);
	code->file = hd_cfi_build(elf, &code->low, &code->high);
	g_hash_table_insert(target->code, elf, code);
}

void
hd_target_remove_code(hd_target *target, GBytes *elf)
{
	/* libdwfl reads the image's bytes in place. */
	if (target->unwinder)
		end_dwfl(target->unwinder);
	g_hash_table_remove(target->code, elf);
}
