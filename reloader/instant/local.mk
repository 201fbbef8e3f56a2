# reloader/instant: libtcc in a process of its own, and what of a text it need compile.
noinst_LIBRARIES += reloader/instant/libinstant.a
reloader_instant_libinstant_a_SOURCES = \
	reloader/instant/constant.c reloader/instant/constant.h \
	reloader/instant/delta.c reloader/instant/delta.h \
	reloader/instant/describe.c reloader/instant/describe.h \
	reloader/instant/dialect.c reloader/instant/dialect.h \
	reloader/instant/dwarf_write.c reloader/instant/dwarf_write.h \
	reloader/instant/faithful.c reloader/instant/faithful.h \
	reloader/instant/instant.c reloader/instant/instant.h \
	reloader/instant/linemark.c reloader/instant/linemark.h \
	reloader/instant/outline.c reloader/instant/outline.h \
	reloader/instant/prelude.c reloader/instant/prelude.h \
	reloader/instant/reading.c reloader/instant/reading.h \
	reloader/instant/stabs.c reloader/instant/stabs.h \
	reloader/instant/tcc.c reloader/instant/tcc.h \
	reloader/instant/token.c reloader/instant/token.h \
	reloader/instant/wire.h

pkglibexec_PROGRAMS += reloader/instant/hotdev-tcc
reloader_instant_hotdev_tcc_SOURCES = reloader/instant/server.c reloader/instant/wire.h
reloader_instant_hotdev_tcc_LDADD = $(TCC_LIBS)
reloader_instant_hotdev_tcc_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=open,--wrap=read,--wrap=close
