# Save to live with the program's own compiler, and start-up.
EXTRA_DIST += bench/reload.py
.PHONY: bench-reload
bench-reload: all
	HOTDEV='$(abs_top_builddir)/hotdev/hotdev' $(PYTHON3) $(srcdir)/bench/reload.py
