# reloader/object: relocatable objects, and what differs between two.
noinst_LIBRARIES += reloader/object/libobject.a
reloader_object_libobject_a_SOURCES = \
	reloader/object/atoms.c \
	reloader/object/decode.c \
	reloader/object/decode.h \
	reloader/object/diff.c \
	reloader/object/diff.h \
	reloader/object/elf_view.c \
	reloader/object/elf_view.h \
	reloader/object/match.c \
	reloader/object/match.h \
	reloader/object/names.c \
	reloader/object/names.h \
	reloader/object/object.c \
	reloader/object/object.h \
	reloader/object/private.h \
	reloader/object/relocs.c \
	reloader/object/resume.c \
	reloader/object/resume.h
