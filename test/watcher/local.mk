# test/watcher: what a watcher must hold.
if HAVE_CMOCKA
WATCHER_TESTS = \
	test/watcher/test_editors \
	test/watcher/test_tree \
	test/watcher/test_limits \
	test/watcher/test_polling \
	test/watcher/test_property \
	test/watcher/test_property_links \
	test/watcher/test_settle
check_PROGRAMS += $(WATCHER_TESTS)
TESTS += $(WATCHER_TESTS)
endif
WATCHER_TEST_LIBS = watcher/libwatcher.a base/libbase.a \
	$(GLIB_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS) $(INOTIFYTOOLS_LIBS) $(CMOCKA_LIBS)
WATCHER_TEST_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)

test_watcher_test_editors_SOURCES = test/watcher/test_editors.c test/watcher/help.c test/watcher/help.h
test_watcher_test_editors_CPPFLAGS = $(WATCHER_TEST_CPPFLAGS)
test_watcher_test_editors_LDADD = $(WATCHER_TEST_LIBS)

test_watcher_test_tree_SOURCES = test/watcher/test_tree.c test/watcher/help.c test/watcher/help.h
test_watcher_test_tree_CPPFLAGS = $(WATCHER_TEST_CPPFLAGS)
test_watcher_test_tree_LDADD = $(WATCHER_TEST_LIBS)

test_watcher_test_limits_SOURCES = test/watcher/test_limits.c test/watcher/help.c test/watcher/help.h
test_watcher_test_limits_CPPFLAGS = $(WATCHER_TEST_CPPFLAGS)
test_watcher_test_limits_LDADD = $(WATCHER_TEST_LIBS)

test_watcher_test_polling_SOURCES = test/watcher/test_polling.c test/watcher/help.c test/watcher/help.h
test_watcher_test_polling_CPPFLAGS = $(WATCHER_TEST_CPPFLAGS)
test_watcher_test_polling_LDADD = $(WATCHER_TEST_LIBS)

PROPERTY_SOURCES = test/watcher/property.c test/watcher/property.h test/watcher/help.c test/watcher/help.h
test_watcher_test_property_SOURCES = test/watcher/test_property.c $(PROPERTY_SOURCES)
test_watcher_test_property_CPPFLAGS = $(WATCHER_TEST_CPPFLAGS)
test_watcher_test_property_LDADD = $(WATCHER_TEST_LIBS)

test_watcher_test_property_links_SOURCES = test/watcher/test_property_links.c $(PROPERTY_SOURCES)
test_watcher_test_property_links_CPPFLAGS = $(WATCHER_TEST_CPPFLAGS)
test_watcher_test_property_links_LDADD = $(WATCHER_TEST_LIBS)

test_watcher_test_settle_SOURCES = test/watcher/test_settle.c test/watcher/help.c test/watcher/help.h
test_watcher_test_settle_CPPFLAGS = $(WATCHER_TEST_CPPFLAGS)
test_watcher_test_settle_LDADD = $(WATCHER_TEST_LIBS)
