# reloader/build: compile commands, compilers, diagnostics.
noinst_LIBRARIES += reloader/build/libbuild.a
reloader_build_libbuild_a_SOURCES = \
	reloader/build/arguments.c reloader/build/arguments.h \
	reloader/build/assemble.c reloader/build/assemble.h \
	reloader/build/build.c reloader/build/build.h \
	reloader/build/command.c reloader/build/command.h \
	reloader/build/compdb.c reloader/build/compdb.h \
	reloader/build/conditional.c reloader/build/conditional.h \
	reloader/build/compiler.c reloader/build/compiler.h \
	reloader/build/depfile.c reloader/build/depfile.h \
	reloader/build/diagnostics.c reloader/build/diagnostics.h \
	reloader/build/includes.c reloader/build/includes.h \
	reloader/build/kept.c reloader/build/kept.h \
	reloader/build/mirror.c reloader/build/mirror.h \
	reloader/build/process.c reloader/build/process.h \
	reloader/build/producer.c reloader/build/producer.h \
	reloader/build/remove.c reloader/build/remove.h \
	reloader/build/result.c reloader/build/result.h \
	reloader/build/texts.c reloader/build/texts.h
