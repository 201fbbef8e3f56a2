/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "watcher/filesystem.h"

#include <glib.h>
#include <sys/vfs.h>

/* Magic numbers: statfs(2), linux/magic.h. */
static const struct {
	unsigned long magic;
	const char *name;
	bool shared;
} kinds[] = {
	{0xef53, "ext4", false},	 {0x9123683e, "btrfs", false},	   {0x58465342, "xfs", false},
	{0x01021994, "tmpfs", false},	 {0x794c7630, "overlayfs", false}, {0xf2f52010, "f2fs", false},
	{0x2fc12fc1, "zfs", false},	 {0xca451a4e, "bcachefs", false},  {0x4d44, "vfat", false},
	{0x2011bab0, "exfat", false},	 {0x7366746e, "ntfs3", false},	   {0x858458f6, "ramfs", false},
	{0x52654973, "reiserfs", false}, {0x3153464a, "jfs", false},	   {0x6969, "nfs", true},
	{0xff534d42, "cifs", true},	 {0xfe534d42, "smb2", true},	   {0x517b, "smb", true},
	{0x01021997, "9p", true},	 {0x65735546, "fuse", true},	   {0x786f4256, "vboxsf", true},
	{0xbacbacbc, "vmhgfs", true},	 {0x5346414f, "afs", true},	   {0x00c36400, "ceph", true},
	{0x7461636f, "ocfs2", true},	 {0x01161970, "gfs2", true},	   {0x0bd00bd0, "lustre", true},
	{0x73757245, "coda", true},	 {0x6b414653, "afs", true},
};

const char *
hd_filesystem_name(const char *path, bool *shared)
{
	struct statfs fs;
	*shared = false;
	if (statfs(path, &fs) < 0)
		return "unknown";
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
		if ((unsigned long)(fs.f_type & 0xffffffff) == kinds[i].magic) {
			*shared = kinds[i].shared;
			return kinds[i].name;
		}
	return "unknown";
}
