/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model's storage, for the reloader alone: views see model.h.
 *
 * A module is a source file. A copy is one translation unit made of it in one
 * loaded object: usually there is one, two when a file is built into two
 * objects. A revision is one version of one copy. */
#ifndef HD_HISTORY_MODULE_H
#define HD_HISTORY_MODULE_H

#include "reloader/history/model.h"
#include "reloader/instant/instant.h"
#include "reloader/link/link.h"

typedef struct hd_module hd_module;
typedef struct hd_copy hd_copy;

typedef struct {
	int version;  /* 0: what the program started with */
	bool instant; /* libtcc built it: only what was changed, and another of the same version may follow */
	hd_object *object;
	hd_unit *unit;	   /* its debug information; NULL: none */
	hd_linked *linked; /* NULL for version 0 */
	guint64 jit;	   /* handle of gdb's symbol file; 0: none */
	guint64 jit_image; /* its room in the debug arena */
} hd_revision;

struct hd_copy {
	hd_module *module;
	hd_loaded *home;
	const hd_image_unit *unit; /* NULL: it joined the program by an update */
	hd_command *command;	   /* NULL until asked for, or when none is known */
	char *no_command;	   /* why the one that was found is not right; NULL */
	hd_bindings *bindings;	   /* NULL until the first edit */
	GPtrArray *dependencies;   /* of char *: files it is made of; NULL until a build has said */
	GPtrArray *revisions;	   /* of hd_revision *, oldest first */
	bool stale;		   /* its source is newer than the program: what runs is unknown */
	bool compared;		   /* its text, as it was, has been compiled and compared with what runs */
	guint guess;		   /* which macros its command was tried with so far */
	hd_instant_unit *instant;  /* NULL until asked for, or when libtcc is ruled out */
	bool ruled_out;		   /* libtcc cannot build it, however it is edited; the module says why */
	hd_reading *reading;	   /* of the text that runs; NULL: to be read */
	bool text_unknown;	   /* what runs is not the text that was last built: it was undone */
	int refused;		   /* the version that the own compiler refuses, and that is to be undone; 0: none */
	bool owes;		   /* libtcc's code runs, and the program's own compiler has not built the same yet */
};

struct hd_module {
	hd_module_view view; /* first: a view's pointer is the module's */
	GPtrArray *copies;   /* of hd_copy * */
	char *name, *path;   /* what view's point to */
	GPtrArray *diagnostics;
	char *raw;
	hd_refusal *refusal;
	char *unreloadable;
	char *not_instant;
	GPtrArray *versions;
	int floor; /* versions up to here can no longer be undone */
};

/* One step that undo takes back: the versions it made live. */
typedef struct {
	int number;
	bool undone;
	GPtrArray *parts;  /* of hd_part * */
	GPtrArray *files;  /* of char *: paths of what was saved for it */
	GPtrArray *census; /* types whose objects on the heap changed with it, the reloader's; NULL: none */
} hd_transaction;

typedef struct {
	hd_module *module;
	int version;
	hd_module_change *change;
} hd_part;

struct hd_model {
	GPtrArray *modules;	 /* of hd_module *, by name */
	GHashTable *by_path;	 /* char * -> hd_module *, borrowed */
	GPtrArray *processes;	 /* of hd_process_view * */
	GPtrArray *transactions; /* of hd_transaction *, oldest first */
	char *program, *project;
	char **argv;
	hd_program_state state;
	int exit_status;
	int generation;
	bool paused, idle;
	json_t *(*watcher_status)(void *data);
	void *watcher_data;
};

hd_model *hd_model_new(const char *program, char *const *argv);
void hd_model_free(hd_model *model);
/* The program starts anew: modules, processes and transactions are forgotten. */
void hd_model_reset(hd_model *model);

hd_module *hd_model_module(const hd_model *model, const char *path); /* by path; NULL: none */
hd_module *hd_model_named(const hd_model *model, const char *name);  /* by name */
hd_module *hd_model_add_module(hd_model *model, const char *path);   /* the known one if there is one */
void hd_model_remove_module(hd_model *model, hd_module *module);
char *hd_model_relative(const hd_model *model, const char *path); /* new string */

hd_copy *hd_module_add_copy(hd_module *module, hd_loaded *home, const hd_image_unit *unit);
/* Behind those of its version; the object is referenced, the rest taken. */
hd_revision *hd_copy_add_revision(hd_copy *copy, int version, hd_object *object, hd_unit *unit, hd_linked *linked);
/* The newest revision in force that is a whole unit: what a new object is compared with. NULL: not known yet. */
hd_revision *hd_copy_whole(const hd_copy *copy);
/* Whether anything of that version of it is left. */
bool hd_copy_has_version(const hd_copy *copy, int version);
/* Whether code in force of the copy refers to a name from outside, as far as its revisions tell. */
bool hd_copy_uses(const hd_copy *copy, const char *name);

/* Takes ownership of what is given. */
void hd_module_set_errors(hd_module *module, GPtrArray *diagnostics, char *raw);
void hd_module_set_refusal(hd_module *module, hd_refusal *refusal);
void hd_module_set_not_instant(hd_module *module, char *why);
/* After an outcome that clears errors and holds: back to what runs. */
void hd_module_settle(hd_module *module);
int hd_module_next_version(const hd_module *module);
hd_version_view *hd_module_add_version(hd_module *module, int transaction);
hd_version_view *hd_module_version(const hd_module *module, int number); /* NULL: there is none */
/* Recomputes the live version after versions were undone or redone. */
void hd_module_choose_live(hd_module *module);

hd_transaction *hd_model_add_transaction(hd_model *model);
/* The last transaction not undone (undone: the first undone after it) that contains module (NULL: any); NULL: none. */
hd_transaction *hd_model_to_undo(const hd_model *model, const hd_module *module);
hd_transaction *hd_model_to_redo(const hd_model *model, const hd_module *module);
/* A new save supersedes what was undone: it can no longer be redone. */
void hd_model_forget_undone(hd_model *model);

/* Undo reaches to the newest `keep` versions of each module: what is older is final. */
void hd_model_set_floors(hd_model *model, int keep);
/* Whether undo may end at the version: it is final, and in force. */
bool hd_module_ends_undo(const hd_module *module, int number);
/* Final versions of which no code is left are forgotten, but for the one where undo ends. */
void hd_module_forget_versions(hd_module *module);

void hd_thread_view_free(hd_thread_view *thread);
void hd_process_view_free(hd_process_view *process);

#endif
