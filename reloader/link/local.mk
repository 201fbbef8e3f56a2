# reloader/link: every symbol to its address in the program; place; relocate.
noinst_LIBRARIES += reloader/link/liblink.a
reloader_link_liblink_a_CPPFLAGS = $(AM_CPPFLAGS) $(CAPSTONE_CFLAGS)
reloader_link_liblink_a_SOURCES = \
	reloader/link/arch.h \
	reloader/link/artefact.c reloader/link/artefact.h \
	reloader/link/bind.c reloader/link/bind.h \
	reloader/link/bindings.c reloader/link/bindings.h \
	reloader/link/data.c \
	reloader/link/entry.c \
	reloader/link/layout.c \
	reloader/link/link.c reloader/link/link.h \
	reloader/link/linked.h \
	reloader/link/plan.c reloader/link/plan.h \
	reloader/link/proof.c reloader/link/proof.h \
	reloader/link/referrers.c reloader/link/referrers.h \
	reloader/link/relocate.c \
	reloader/link/scope.c reloader/link/scope.h \
	reloader/link/x86_64.c \
	reloader/link/x86_64_registers.c
