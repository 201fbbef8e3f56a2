# base: errors, refusals, positions, injected faults; what every layer speaks of.
noinst_LIBRARIES += base/libbase.a
base_libbase_a_SOURCES = \
	base/difference.c base/difference.h \
	base/error.c base/error.h \
	base/fault.c base/fault.h \
	base/json.c base/json.h \
	base/place.c base/place.h \
	base/refusal.c base/refusal.h \
	base/text.c base/text.h
