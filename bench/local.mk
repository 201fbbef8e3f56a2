# bench: what hotdev costs and what it takes, beside what people do without it. bench/run says how.
noinst_PROGRAMS += bench/floor bench/pause bench/rival bench/watch-idle
bench_floor_SOURCES = bench/floor.c
bench_floor_LDADD = -lpthread
bench_pause_SOURCES = bench/pause.c
bench_pause_LDADD = reloader/target/libtarget.a $(LIBRARIES_BASE) $(ELF_LIBS) $(XXHASH_LIBS) -lpthread
bench_rival_SOURCES = bench/rival.c
bench_rival_LDADD = $(TCC_LIBS)
bench_watch_idle_SOURCES = bench/watch-idle.c
bench_watch_idle_LDADD = watcher/libwatcher.a base/libbase.a \
	$(GLIB_LIBS) $(JANSSON_LIBS) $(XXHASH_LIBS) $(INOTIFYTOOLS_LIBS)

EXTRA_DIST += \
	bench/run \
	bench/save.py \
	bench/server.py \
	bench/pause.py \
	bench/call.py \
	bench/startup.py \
	bench/cost.py \
	bench/endurance.py \
	bench/lib/generate.py \
	bench/lib/live.py \
	bench/lib/machine.py \
	bench/lib/plot.py \
	bench/lib/probe.py \
	bench/lib/procfs.py \
	bench/lib/report.py \
	bench/lib/rows.py \
	bench/lib/servers.py \
	bench/lib/setting.py \
	bench/lib/subjects.py \
	bench/lib/ways.py \
	bench/programs/answer/answer.c \
	bench/programs/answer/main.c \
	bench/programs/call/callee.c \
	bench/programs/call/distant.c \
	bench/programs/call/main.c \
	bench/programs/erlang/page.erl \
	bench/programs/erlang/reload.erl \
	bench/programs/erlang/server.erl \
	bench/programs/server/report.lua \
	bench/programs/server/reuseport.c

# SECTIONS='save server': not all of them.
.PHONY: bench
bench: all
	HOTDEV_BUILD='$(abs_top_builddir)' $(PYTHON3) -B $(srcdir)/bench/run $(SECTIONS)
