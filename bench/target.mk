# bench: how long a commit stops the program.
noinst_PROGRAMS += bench/pause
bench_pause_SOURCES = bench/pause.c
bench_pause_LDADD = reloader/target/libtarget.a $(LIBRARIES_BASE) $(ELF_LIBS) -lpthread
