# test/view: the views with a stand-in for the reloader.
noinst_PROGRAMS += test/view/hotdev-double
test_view_hotdev_double_SOURCES = hotdev/main.c test/view/double.c
test_view_hotdev_double_LDADD = $(LIBRARIES_VIEWS) reloader/history/libhistory.a reloader/build/libbuild.a \
	base/libbase.a $(GLIB_LIBS) $(JANSSON_LIBS) -lutil

if HAVE_CMOCKA
VIEW_TESTS = test/view/events.t test/view/parts.t
VIEW_TEST_LIBS = hotdev/libviews.a $(LIBRARIES_TUI) reloader/history/libhistory.a reloader/build/libbuild.a \
	base/libbase.a $(CMOCKA_LIBS) $(GLIB_LIBS) $(JANSSON_LIBS) -lutil
check_PROGRAMS += $(VIEW_TESTS)
TESTS += $(VIEW_TESTS)
test_view_events_t_SOURCES = test/view/events.c
test_view_events_t_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_view_events_t_LDADD = $(VIEW_TEST_LIBS)
test_view_parts_t_SOURCES = test/view/parts.c
test_view_parts_t_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
test_view_parts_t_LDADD = $(VIEW_TEST_LIBS)
endif

VIEW_FROM_OUTSIDE = test/view/control.py test/view/demo.py test/view/live.py test/view/manual.py \
	test/view/screens.py
EXTRA_DIST += $(VIEW_FROM_OUTSIDE) test/view/tmux.py
TESTS += $(VIEW_FROM_OUTSIDE)
