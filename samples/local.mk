# samples: programs to see hotdev with. They are built by their own makefiles.
EXTRA_DIST += \
	samples/boids/Makefile \
	samples/boids/README.md \
	samples/boids/boids.h \
	samples/boids/demo \
	samples/boids/draw.c \
	samples/boids/flock.c \
	samples/boids/main.c \
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
	samples/prefork/Makefile \
	samples/prefork/README.md \
	samples/prefork/handler.c \
	samples/prefork/handler.h \
	samples/prefork/main.c \
	samples/prefork/parent.c \
	samples/prefork/parent.h \
	samples/prefork/worker.c \
	samples/prefork/worker.h
