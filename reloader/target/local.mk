# reloader/target: the running program.
noinst_LIBRARIES += reloader/target/libtarget.a
reloader_target_libtarget_a_SOURCES = \
	reloader/target/target.h reloader/target/private.h \
	reloader/target/adopt.c \
	reloader/target/allocator.c \
	reloader/target/arena.c \
	reloader/target/cfi.c reloader/target/cfi.h \
	reloader/target/commit.c \
	reloader/target/early.c \
	reloader/target/heap.c \
	reloader/target/inject.c \
	reloader/target/jit.c \
	reloader/target/launch.c \
	reloader/target/leads.c \
	reloader/target/maps.c \
	reloader/target/memory.c \
	reloader/target/objects.c \
	reloader/target/pages.c \
	reloader/target/process.c \
	reloader/target/reshape.c \
	reloader/target/sample.c \
	reloader/target/start.c \
	reloader/target/stop.c \
	reloader/target/stopped.c \
	reloader/target/unwind.c \
	reloader/target/windows.c
