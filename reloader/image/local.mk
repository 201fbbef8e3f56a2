# reloader/image: linked ELF files on disk.
noinst_LIBRARIES += reloader/image/libimage.a
reloader_image_libimage_a_SOURCES = \
	reloader/image/debugfile.c \
	reloader/image/dynamic.c \
	reloader/image/image.c reloader/image/image.h \
	reloader/image/internal.h \
	reloader/image/symbols.c \
	reloader/image/units.c
