/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hotdev-tcc: the process that holds libtcc, with its crashes, its leaks and its
 * one global state. The only file that knows libtcc.
 *
 * libtcc reads and writes files by open, read and close, which the linker leads
 * here (--wrap): files whose text came with the question are read from it, and
 * the object is written to memory. */
#include "config.h"

#include "reloader/instant/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <libtcc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MOST 256		  /* that a question brings */
#define OPEN_MOST 256		  /* at once */
#define OPEN_FIRST (1 << 20)	  /* our own descriptors: higher than any of the kernel's */
#define OBJECT "/dev/null/object" /* the name under which libtcc writes the object */
#define MEMORY_MOST (2ull << 30)

typedef struct {
	const char *path, *text;
	size_t size;
} known_file;

typedef struct {
	const known_file *file; /* NULL: free */
	size_t at;
} open_file;

static known_file known[FILES_MOST];
static size_t n_known;
static open_file opened[OPEN_MOST];
static int object_fd = -1;

static char *question, *answer;
static size_t answer_size;
static bool overflow;

static char messages[64 * 1024];
static size_t messages_size;

/* ---- files ---- */

int __real_open(const char *path, int flags, ...);
ssize_t __real_read(int fd, void *buffer, size_t size);
int __real_close(int fd);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
int __wrap_close(int fd);

static const known_file *
find_known(const char *path)
{
	for (size_t i = 0; i < n_known; i++)
		if (strcmp(known[i].path, path) == 0)
			return &known[i];
	if (n_known < 2) /* the source alone, which is opened by the name it was given */
		return NULL;
	char real[4096];
	if (!realpath(path, real))
		return NULL;
	for (size_t i = 0; i < n_known; i++)
		if (strcmp(known[i].path, real) == 0)
			return &known[i];
	return NULL;
}

int
__wrap_open(const char *path, int flags, ...)
{
	if (strcmp(path, OBJECT) == 0) {
		if (ftruncate(object_fd, 0) != 0 || lseek(object_fd, 0, SEEK_SET) != 0)
			return -1;
		return fcntl(object_fd, F_DUPFD_CLOEXEC, 0);
	}
	const known_file *file = find_known(path);
	if (!file)
		return __real_open(path, flags | O_CLOEXEC, 0600);
	for (int i = 0; i < OPEN_MOST; i++)
		if (!opened[i].file) {
			opened[i] = (open_file){file, 0};
			return OPEN_FIRST + i;
		}
	errno = EMFILE;
	return -1;
}

ssize_t
__wrap_read(int fd, void *buffer, size_t size)
{
	if (fd < OPEN_FIRST)
		return __real_read(fd, buffer, size);
	open_file *o = &opened[fd - OPEN_FIRST];
	if (size > o->file->size - o->at)
		size = o->file->size - o->at;
	memcpy(buffer, o->file->text + o->at, size);
	o->at += size;
	return (ssize_t)size;
}

int
__wrap_close(int fd)
{
	if (fd < OPEN_FIRST)
		return __real_close(fd);
	opened[fd - OPEN_FIRST].file = NULL;
	return 0;
}

/* ---- what libtcc says ---- */

static void
take_message(void *opaque, const char *text)
{
	(void)opaque;
	size_t size = strlen(text) + 1;
	if (size > sizeof messages - messages_size)
		return;
	memcpy(messages + messages_size, text, size);
	messages_size += size;
	messages[messages_size - 1] = '\n';
}

static ssize_t
take_output(void *cookie, const char *bytes, size_t size)
{
	(void)cookie;
	if (size > HD_WIRE_HALF - sizeof messages - answer_size)
		overflow = true;
	else {
		memcpy(answer + answer_size, bytes, size);
		answer_size += size;
	}
	return (ssize_t)size;
}

/* libtcc prints what it has preprocessed to stdout. */
static FILE *
output_file(void)
{
	static char buffer[1 << 16];
	FILE *file = fopencookie(NULL, "w", (cookie_io_functions_t){.write = take_output});
	if (file)
		setvbuf(file, buffer, _IOFBF, sizeof buffer);
	return file;
}

static bool
take_object(void)
{
	struct stat st;
	if (fstat(object_fd, &st) != 0 || st.st_size > HD_WIRE_HALF - (off_t)sizeof messages)
		return false;
	while (answer_size < (size_t)st.st_size) {
		ssize_t got =
			pread(object_fd, answer + answer_size, (size_t)st.st_size - answer_size, (off_t)answer_size);
		if (got <= 0)
			return false;
		answer_size += (size_t)got;
	}
	return true;
}

/* ---- a question ---- */

static const char *source;

static bool
apply_field(TCCState *tcc, uint32_t kind, const char *text, size_t size)
{
	const char *value;
	char name[512];
	switch (kind) {
	case HD_WIRE_FOLDER:
		return chdir(text) == 0;
	case HD_WIRE_SOURCE:
		source = text;
		return true;
	case HD_WIRE_OPTION:
		tcc_set_options(tcc, text);
		return true;
	case HD_WIRE_DEFINE:
		value = strchr(text, '=');
		if (value && (size_t)(value - text) >= sizeof name)
			return false;
		snprintf(name, sizeof name, "%.*s", value ? (int)(value - text) : (int)sizeof name - 1, text);
		tcc_define_symbol(tcc, name, value ? value + 1 : NULL);
		return true;
	case HD_WIRE_UNDEFINE:
		tcc_undefine_symbol(tcc, text);
		return true;
	case HD_WIRE_INCLUDE:
		return tcc_add_include_path(tcc, text) == 0;
	case HD_WIRE_SYSTEM:
		return tcc_add_sysinclude_path(tcc, text) == 0;
	case HD_WIRE_PATH:
		if (n_known == FILES_MOST)
			return false;
		known[n_known] = (known_file){.path = text};
		return true;
	case HD_WIRE_TEXT:
		known[n_known].text = text;
		known[n_known++].size = size;
		return true;
	default:
		return false;
	}
}

/* Options have their say before the kind of output is set, and folders after it. */
static bool
apply_fields(TCCState *tcc, size_t size, bool options)
{
	size_t at = 0;
	while (at < size) {
		hd_wire_field field;
		memcpy(&field, question + at, sizeof field);
		at += sizeof field;
		bool now = (field.kind == HD_WIRE_OPTION) == options;
		if (now && !apply_field(tcc, field.kind, question + at, field.size))
			return false;
		at += field.size + 1;
	}
	return options || source;
}

static bool
work(uint32_t task, size_t size)
{
	TCCState *tcc = tcc_new();
	tcc_set_error_func(tcc, NULL, take_message);
	if (task == HD_WIRE_MACROS)
		tcc_set_options(tcc, "-dD");
	bool good = apply_fields(tcc, size, true);
	tcc_set_output_type(tcc, task == HD_WIRE_COMPILE ? TCC_OUTPUT_OBJ : TCC_OUTPUT_PREPROCESS);
	good = good && apply_fields(tcc, size, false) && tcc_add_file(tcc, source) == 0;
	fflush(stdout);
	if (good && task == HD_WIRE_COMPILE)
		good = tcc_output_file(tcc, OBJECT) == 0 && take_object();
	tcc_delete(tcc);
	return good && !overflow;
}

static uint32_t
pages_held(void)
{
	char text[128];
	unsigned long total = 0, resident = 0;
	int fd = __real_open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? __real_read(fd, text, sizeof text - 1) : 0;
	if (fd >= 0)
		__real_close(fd);
	text[got > 0 ? got : 0] = '\0';
	return sscanf(text, "%lu %lu", &total, &resident) == 2 ? (uint32_t)resident : 0;
}

static hd_wire_answer
reply_to(const hd_wire_question *asked)
{
	n_known = 0;
	memset(opened, 0, sizeof opened);
	source = NULL;
	answer_size = messages_size = 0;
	overflow = false;
	bool good = work(asked->task, asked->size);
	memcpy(answer + answer_size, messages, messages_size);
	return (hd_wire_answer){good, (uint32_t)answer_size, (uint32_t)messages_size, pages_held()};
}

int
main(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
#ifndef __SANITIZE_ADDRESS__ /* whose shadow takes more than any limit */
	setrlimit(RLIMIT_AS, &(struct rlimit){MEMORY_MOST, MEMORY_MOST});
#endif
	char *memory = mmap(NULL, 2 * HD_WIRE_HALF, PROT_READ | PROT_WRITE, MAP_SHARED, HD_WIRE_MEMORY, 0);
	object_fd = memfd_create("object", MFD_CLOEXEC);
	FILE *output = output_file();
	if (memory == MAP_FAILED || object_fd < 0 || !output)
		return 1;
	stdout = output;
	question = memory;
	answer = memory + HD_WIRE_HALF;
	hd_wire_question asked;
	while (recv(HD_WIRE_SOCKET, &asked, sizeof asked, 0) == sizeof asked) {
		hd_wire_answer said = reply_to(&asked);
		if (send(HD_WIRE_SOCKET, &said, sizeof said, MSG_NOSIGNAL) != sizeof said)
			break;
	}
	return 0;
}
