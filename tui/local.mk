# tui: the dashboard.
noinst_LIBRARIES += tui/libtui.a
tui_libtui_a_SOURCES = \
	tui/chrome.c \
	tui/detail.c \
	tui/edit.c \
	tui/internal.h \
	tui/keys.c \
	tui/layout.c \
	tui/log.c tui/log.h \
	tui/panes.c \
	tui/prompt.c tui/prompt.h \
	tui/screen.c tui/screen.h \
	tui/terminal.c tui/terminal.h \
	tui/terminfo.c \
	tui/tui.c tui/tui.h
tui_libtui_a_CPPFLAGS = $(AM_CPPFLAGS) $(NCURSES_CFLAGS) $(VTERM_CFLAGS)
LIBRARIES_TUI = tui/libtui.a $(NCURSES_LIBS) $(VTERM_LIBS)
