# samples: programs to see hotdev with. They are built by their own makefiles.
EXTRA_DIST += \
	samples/boids/Makefile \
	samples/boids/README.md \
	samples/boids/boids.h \
	samples/boids/demo \
	samples/boids/draw.c \
	samples/boids/flock.c \
	samples/boids/main.c
