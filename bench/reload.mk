# Save to live with the program's own compiler, and start-up.
EXTRA_DIST += bench/reload.py
.PHONY: bench-reload
bench-reload: all
	HOTDEV='$(abs_top_builddir)/hotdev/hotdev' $(PYTHON3) $(srcdir)/bench/reload.py

# Save to live by libtcc.
EXTRA_DIST += bench/instant.py
noinst_PROGRAMS += bench/rival
bench_rival_SOURCES = bench/rival.c
bench_rival_LDADD = $(TCC_LIBS)
.PHONY: bench-instant
bench-instant: all
	HOTDEV='$(abs_top_builddir)/hotdev/hotdev' RIVAL='$(abs_top_builddir)/bench/rival' \
		$(PYTHON3) -B $(srcdir)/bench/instant.py
