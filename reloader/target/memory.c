/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/target/private.h"

#include "base/error.h"
#include "base/fault.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

gsize
hd_memory_read_some(pid_t pid, guint64 address, void *out, gsize size)
{
	struct iovec local = {out, size};
	struct iovec remote = {GSIZE_TO_POINTER(address), size};
	ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	return got < 0 ? 0 : (gsize)got;
}

bool
hd_memory_read(pid_t pid, guint64 address, void *out, gsize size)
{
	return hd_memory_read_some(pid, address, out, size) == size;
}

bool
hd_memory_write(int memory, guint64 address, const void *bytes, gsize size)
{
	const guint8 *from = bytes;
	while (size > 0) {
		ssize_t put = pwrite(memory, from, size, (off_t)address);
		if (put <= 0)
			return false;
		from += put;
		address += (guint64)put;
		size -= (gsize)put;
	}
	return true;
}

/* A thread that ends as we read through it takes its view of the memory along: another one's serves as well. `whom`:
 * who was read last, 0 if nobody is left. */
static bool
read_through(hd_target *target, pid_t pid, pid_t *whom, guint64 address, void *out, gsize size)
{
	pid_t last = 0;
	while ((*whom = pid ? hd_process_reader(target, pid) : hd_target_witness(target)) && *whom != last) {
		errno = 0;
		if (!hd_fault("target.read") && hd_memory_read(*whom, address, out, size))
			return true;
		if (errno != ESRCH)
			return false;
		last = *whom;
	}
	errno = ESRCH;
	return false;
}

bool
hd_target_read(hd_target *target, pid_t pid, guint64 address, void *out, gsize size, GError **error)
{
	if (size == 0)
		return true;
	/* Into a copy: a failure leaves out untouched. */
	guint8 *copy = g_malloc(size);
	pid_t whom;
	bool good = read_through(target, pid, &whom, address, copy, size);
	if (good)
		memcpy(out, copy, size);
	else if (errno == ESRCH)
		g_set_error(error, HD_ERROR, HD_ERROR_GONE, "process %d of the program has ended",
			    (int)(pid ? pid : target->pid));
	else
		hd_error_set_errno(error, errno == EPERM ? HD_ERROR_DENIED : HD_ERROR_IO, errno ? errno : EFAULT,
				   "cannot read %zu bytes of process %d at 0x%" G_GINT64_MODIFIER "x", size, (int)whom,
				   address);
	g_free(copy);
	return good;
}

int
hd_shared_memory(const char *name, gsize size, guint8 **view, GError **error)
{
	/* Systems may make memory files not executable unless asked (vm.memfd_noexec); older ones know no such flag. */
	int fd = hd_fault("target.memfd") ? -1 : memfd_create(name, MFD_CLOEXEC | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot make shared memory of %zu bytes", size);
		goto fail;
	}
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		hd_error_set_errno(error, HD_ERROR_IO, errno, "cannot map shared memory of %zu bytes", size);
		goto fail;
	}
	*view = map;
	return fd;
fail:
	if (fd >= 0)
		close(fd);
	return -1;
}
