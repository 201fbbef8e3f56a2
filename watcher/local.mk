# watcher: from kernel events to "these files now have this content".
noinst_LIBRARIES += watcher/libwatcher.a
watcher_libwatcher_a_SOURCES = \
	watcher/alias.c \
	watcher/content.c watcher/content.h \
	watcher/event.c \
	watcher/file.h \
	watcher/filesystem.c watcher/filesystem.h \
	watcher/inotify.c watcher/inotify.h \
	watcher/links.c watcher/links.h \
	watcher/names.c watcher/names.h \
	watcher/outbox.c watcher/outbox.h \
	watcher/prove.c watcher/prove.h \
	watcher/settle.c watcher/settle.h \
	watcher/sweep.c \
	watcher/tree.c watcher/tree.h watcher/tree_private.h \
	watcher/vcs.c watcher/vcs.h \
	watcher/watcher.c watcher/watcher.h
watcher_libwatcher_a_CPPFLAGS = $(AM_CPPFLAGS) $(XXHASH_CFLAGS)
