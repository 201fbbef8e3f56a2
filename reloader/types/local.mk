# reloader/types: debug information of a translation unit; do two versions fit.
noinst_LIBRARIES += reloader/types/libtypes.a
reloader_types_libtypes_a_SOURCES = \
	reloader/types/assertions.c reloader/types/assertions.h \
	reloader/types/compare.h \
	reloader/types/dwarf.c reloader/types/dwarf.h \
	reloader/types/fields.c reloader/types/fields.h \
	reloader/types/graph.c \
	reloader/types/internal.h \
	reloader/types/landing.c \
	reloader/types/layout.c \
	reloader/types/locals.c reloader/types/locals.h \
	reloader/types/migration.c reloader/types/migration.h \
	reloader/types/numbers.c reloader/types/numbers.h \
	reloader/types/parts.c reloader/types/parts.h \
	reloader/types/reach.c \
	reloader/types/registers.c \
	reloader/types/relocate.c \
	reloader/types/renumber.c reloader/types/renumber.h \
	reloader/types/shape.c \
	reloader/types/sources.c reloader/types/sources.h \
	reloader/types/steps.c reloader/types/steps.h \
	reloader/types/trace.c reloader/types/trace.h \
	reloader/types/traced.c \
	reloader/types/trail.c reloader/types/trail.h \
	reloader/types/unit.c reloader/types/unit.h \
	reloader/types/verdict.c reloader/types/verdict.h \
	reloader/types/walk.c
