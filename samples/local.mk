# samples: programs to see hotdev with. They are built by their own makefiles.
# `hotdev demo` copies this one; configure links it into the build folder.
boidsdir = $(pkgdatadir)/samples/boids
dist_boids_DATA = \
	samples/boids/Makefile \
	samples/boids/README.md \
	samples/boids/boids.h \
	samples/boids/draw.c \
	samples/boids/flock.c \
	samples/boids/main.c
EXTRA_DIST += \
	samples/httpd/Makefile \
	samples/httpd/README.md \
	samples/httpd/buffer.c \
	samples/httpd/buffer.h \
	samples/httpd/connection.c \
	samples/httpd/connection.h \
	samples/httpd/handler.c \
	samples/httpd/handler.h \
	samples/httpd/http.c \
	samples/httpd/http.h \
	samples/httpd/main.c \
	samples/httpd/server.c \
	samples/httpd/server.h \
	samples/migrate/Makefile \
	samples/migrate/README.md \
	samples/migrate/garden.c \
	samples/migrate/garden.h \
	samples/migrate/main.c \
	samples/prefork/Makefile \
	samples/prefork/README.md \
	samples/prefork/handler.c \
	samples/prefork/handler.h \
	samples/prefork/main.c \
	samples/prefork/parent.c \
	samples/prefork/parent.h \
	samples/prefork/worker.c \
	samples/prefork/worker.h \
	samples/game/Makefile \
	samples/game/README.md

# Where it is found; what users run is built by the sample's own makefile.
if HAVE_SDL2
check_PROGRAMS += samples/game/game
endif
samples_game_game_CFLAGS = $(AM_CFLAGS) $(SDL2_CFLAGS)
samples_game_game_LDADD = $(SDL2_LIBS) -lm
samples_game_game_SOURCES = \
	samples/game/draw.c \
	samples/game/draw.h \
	samples/game/frame.c \
	samples/game/frame.h \
	samples/game/game.h \
	samples/game/input.c \
	samples/game/input.h \
	samples/game/main.c \
	samples/game/picture.c \
	samples/game/picture.h \
	samples/game/sound.c \
	samples/game/sound.h \
	samples/game/world.c \
	samples/game/world.h
