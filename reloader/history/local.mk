# reloader/history: modules, versions, transactions, events; the model that views draw.
noinst_LIBRARIES += reloader/history/libhistory.a
reloader_history_libhistory_a_SOURCES = \
	reloader/history/event.c reloader/history/event.h \
	reloader/history/event_line.c \
	reloader/history/event_parse.c \
	reloader/history/model.c reloader/history/model.h \
	reloader/history/module.h \
	reloader/history/retention.c \
	reloader/history/view.c
