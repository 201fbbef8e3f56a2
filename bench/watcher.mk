# bench/watch-idle: what the watcher costs.
noinst_PROGRAMS += bench/watch-idle
bench_watch_idle_SOURCES = bench/watch-idle.c
bench_watch_idle_LDADD = watcher/libwatcher.a base/libbase.a \
	$(GLIB_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS) $(INOTIFYTOOLS_LIBS)
