# reloader: saved files in at the top, a patched program out at the bottom, events up.
noinst_LIBRARIES += reloader/libreloader.a
reloader_libreloader_a_SOURCES = \
	reloader/adopt.c \
	reloader/apply.c \
	reloader/attempt.c \
	reloader/census.c \
	reloader/discover.c \
	reloader/draft.c \
	reloader/examine.c \
	reloader/join.c \
	reloader/judge.c \
	reloader/machine.c \
	reloader/migrate.c \
	reloader/oldcode.c \
	reloader/origin.c \
	reloader/pins.c \
	reloader/private.h \
	reloader/promote.c \
	reloader/prove.c reloader/prove.h \
	reloader/purge.c \
	reloader/reloader.c reloader/reloader.h \
	reloader/reshape.c \
	reloader/tier.c \
	reloader/undo.c \
	reloader/update.c \
	reloader/warm.c \
	reloader/weak.c
