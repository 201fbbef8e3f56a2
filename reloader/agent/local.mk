# reloader/agent: the little that lives inside the program. A shared object
# without libtool: -shared in the link, and none of the flags that hotdev itself
# is built with, since it must run in programs that know no sanitizer.
pkglibexec_PROGRAMS += reloader/agent/hotdev-agent.so
reloader_agent_hotdev_agent_so_SOURCES = reloader/agent/agent.c
reloader_agent_hotdev_agent_so_CPPFLAGS =
reloader_agent_hotdev_agent_so_CFLAGS = -std=gnu11 -Wall -Wextra -fPIC -g0 -O1 -fno-stack-protector
reloader_agent_hotdev_agent_so_LDFLAGS = -shared -nostdlib -Wl,-soname,hotdev-agent.so -Wl,-z,defs
