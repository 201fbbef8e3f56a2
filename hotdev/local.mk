# hotdev: the command: options, start-up, the event loop, control socket, plain and JSON output.
noinst_LIBRARIES += hotdev/libviews.a
hotdev_libviews_a_SOURCES = \
	hotdev/control.c hotdev/control.h \
	hotdev/ctl.c hotdev/ctl.h \
	hotdev/demo.c hotdev/demo.h \
	hotdev/doctor.c hotdev/doctor.h \
	hotdev/endpoint.c hotdev/endpoint.h \
	hotdev/guide.c hotdev/guide.h \
	hotdev/installed.c hotdev/installed.h \
	hotdev/journal.c hotdev/journal.h \
	hotdev/journal_model.c hotdev/journal_model.h \
	hotdev/jsonl.c hotdev/jsonl.h \
	hotdev/notify.c hotdev/notify.h \
	hotdev/options.c hotdev/options.h \
	hotdev/plain.c hotdev/plain.h \
	hotdev/pty.c hotdev/pty.h \
	hotdev/report.c hotdev/report.h \
	hotdev/run.c hotdev/run.h
hotdev_libviews_a_CPPFLAGS = $(AM_CPPFLAGS) -DPKGLIBEXECDIR='"$(pkglibexecdir)"' -DPKGDATADIR='"$(pkgdatadir)"'
LIBRARIES_VIEWS = hotdev/libviews.a $(LIBRARIES_TUI)

bin_PROGRAMS += hotdev/hotdev
hotdev_hotdev_SOURCES = hotdev/main.c
hotdev_hotdev_LDADD = $(LIBRARIES_VIEWS) $(LIBRARIES_RELOADER) -lutil
