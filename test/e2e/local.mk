# test/lib, test/e2e, test/real: the whole command seen from outside, at each point of the matrix.
E2E_LIB = \
	test/lib/contract.py \
	test/lib/debian.py \
	test/lib/gdb.py \
	test/lib/hotdev.py \
	test/lib/limit.py \
	test/lib/load.py \
	test/lib/matrix.py \
	test/lib/sample.py \
	test/lib/session.py \
	test/lib/tap.py \
	test/lib/upstream.py
E2E_TESTS = \
	test/e2e/edits.py \
	test/e2e/batches.py \
	test/e2e/symbols.py \
	test/e2e/frames.py \
	test/e2e/objects.py \
	test/e2e/history.py \
	test/e2e/migrate.py \
	test/e2e/census.py \
	test/e2e/locals.py \
	test/e2e/purge.py \
	test/e2e/saves.py \
	test/e2e/instant.py \
	test/e2e/processes.py \
	test/e2e/exec.py \
	test/e2e/inside.py \
	test/e2e/debuggers.py \
	test/e2e/doctor.py \
	test/e2e/faults.py \
	test/e2e/start.py \
	test/real/game.py \
	test/real/httpd.py \
	test/real/lua.py \
	test/real/migrate.py \
	test/real/prefork.py \
	test/real/redis.py
EXTRA_DIST += $(E2E_LIB) $(E2E_TESTS)
TESTS += $(E2E_TESTS)
# What test/real has fetched.
DISTCLEANFILES += test/real/*.orig.tar.*

# The everyday tests run at four points of the matrix; this runs them at the other four.
.PHONY: check-matrix
check-matrix: all
	HOTDEV_MATRIX=rest $(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(E2E_TESTS)'
