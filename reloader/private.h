/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the reloader share; nobody else includes this. */
#ifndef HD_RELOADER_PRIVATE_H
#define HD_RELOADER_PRIVATE_H

#include "base/error.h"
#include "reloader/history/module.h"
#include "reloader/reloader.h"
#include "watcher/watcher.h"

typedef struct hd_update hd_update;
typedef struct hd_attempt hd_attempt;
typedef struct hd_draft hd_draft;
typedef struct hd_pins hd_pins;
typedef struct hd_warm hd_warm;
typedef struct hd_census hd_census;
typedef struct hd_kept_objects hd_kept_objects;

struct hd_reloader {
	hd_reloader_options options; /* strings are owned */
	hd_model *model;
	GPtrArray *listeners;
	char *program_path; /* found, canonical */
	hd_image *image;    /* of the program */
	hd_target *target;
	hd_scope *scope;
	hd_builder *builder;
	hd_compdb *compdb;
	hd_watcher *watcher;
	hd_pins *pins;
	GHashTable *texts; /* char *path -> GBytes *: every known file as last processed */
	GHashTable
		*originals;  /* char *path -> GBytes *: files changed since the program was built, as they were then */
	GHashTable *unknown; /* set of char *path: changed since the program was built, from nobody knows what */
	GHashTable *strays;  /* set of char *path: sources saved that are no part of the program */
	GHashTable *pending; /* set of char *path: saved, and not live yet */
	GHashTable *taken_back; /* set of char *path: live once, undone, and not saved since */
	GHashTable *running;  /* char *path -> GBytes *: saved since the last outcome that left nothing pending, as they
				 were then */
	GQueue *batches;      /* of hd_watch_message *: waiting for the running update */
	hd_update *update;    /* NULL: none */
	hd_update *promotion; /* beside it; NULL: none */
	hd_instant *instant;  /* NULL: libtcc is not to be used */
	hd_warm *warm;	      /* NULL: nothing is read ahead */
	hd_draft *draft;      /* NULL: none */
	GHashTable *said;     /* set of char *: why libtcc was ruled out, told to the user once */
	GPtrArray *waits;
	guint next_wait;
	gint64 written_ns; /* of the last update */
	guint watcher_source, exit_source, tick_source, restart_source, purge_source, adopt_source;
	guint adopt_looks;		    /* in a row, at processes that could not be adopted yet */
	GHashTable *left_out;		    /* pid -> why it is not adopted, as the user was told */
	gsize purge_left, purge_left_bytes; /* old code that could not be given back at the last look */
};

/* ---- reloader.c ---- */
/* Gives an event to every listener; takes it. */
void hd_reloader_emit(hd_reloader *reloader, hd_event *event);
void hd_reloader_warn(hd_reloader *reloader, const char *code, const hd_position *where, const char *format, ...)
	G_GNUC_PRINTF(4, 5);
/* An update has had its outcome: the next may begin. */
void hd_reloader_next(hd_reloader *reloader);
/* When control has returned to the main loop. */
void hd_reloader_restart_soon(hd_reloader *reloader);

/* ---- discover.c ---- */
/* Finds and checks the program, its project and its compilation database. */
bool hd_discover_program(hd_reloader *reloader, GError **error);
/* Makes modules of the units of every loaded object; those known are kept.
 * Returns the files they are made of that were not known, new strings. */
GPtrArray *hd_discover_modules(hd_reloader *reloader);
/* Warns of sources that the compilation database leaves out, once. */
void hd_discover_warn(hd_reloader *reloader);
/* Whether some module is part of this object. */
bool hd_discover_has_modules(const hd_reloader *reloader, const hd_loaded *home);
/* The command of a copy, looked for once; NULL with an error: none. */
const hd_command *hd_discover_command(hd_reloader *reloader, hd_copy *copy, GError **error);
/* The commands of all these copies are going to be asked for: what takes compilers to find out, several do at once. */
void hd_discover_commands(hd_reloader *reloader, const GPtrArray *copies);

typedef struct {
	const hd_command *command;
	const hd_unit *built; /* NULL: there is nothing to compare with */
	GBytes *text;	      /* the same */
	char *why;	      /* NULL: nothing speaks against the command */
} hd_command_check;

/* Why a command is not the one that built the unit from the text; sets `why`, new strings. The debug information has
 * no -D: what an #if leaves out now, and the program has code of, was built by another command. */
void hd_discover_check(const hd_reloader *reloader, hd_command_check *checks, guint count);
/* The command turned out not to be the one that built the copy; takes why. */
void hd_discover_refuse(hd_copy *copy, char *why);
/* It is what debug information says, and these words, NULL-terminated. */
void hd_discover_extend(const hd_reloader *reloader, hd_copy *copy, const char *const *words);
/* The content of files as they are now, for those not known yet. */
void hd_discover_texts(hd_reloader *reloader, GPtrArray *files);

typedef struct {
	hd_copy *copy;
	int version;	     /* what it will be if it goes live */
	hd_attempt *attempt; /* by libtcc; NULL: none was made */
	hd_build *build, *base_build, *proof_build;
	hd_build_result *result; /* of the text saved */
	hd_build_result *base;	 /* of the text the program was built of; only where it was needed */
	hd_build_result *proof;	 /* the same text by the command as it stands; only where it says something */
	hd_object *object;
	hd_unit *unit;
	hd_diff *diff;
	GHashTable *laid;     /* char *path -> GBytes *: the texts that were given to the build */
	GHashTable *also;     /* set of names: what switches although it is the same; NULL: nothing */
	GHashTable *reshapes; /* char *key -> hd_migration *: data that change their shape; NULL: none */
	bool relinks;	      /* it has some, or uses some that move */
	hd_plan *plan;
	hd_linked *linked;
	guint64 jit, jit_image;
	bool joins;	/* it was not in the program before */
	bool by_libtcc; /* it has libtcc's object, or needs none: what runs says the same */
} hd_job;

typedef enum {
	HD_UPDATE_INSTANT,  /* libtcc builds what changed */
	HD_UPDATE_BUILD,    /* the program's own compiler builds what was saved */
	HD_UPDATE_PROMOTION /* it builds what libtcc made live */
} hd_update_kind;

struct hd_update {
	hd_reloader *reloader;
	hd_update_kind kind;
	GPtrArray *files; /* of char *: the batch, relative */
	GHashTable *work; /* set of char *path: the batch and what was pending */
	GPtrArray *jobs;  /* of hd_job * */
	guint running;	  /* builds not finished yet */
	gint64 written_ns, begun_ns, built_ns;
	gint64 ahead_ns; /* how long libtcc worked for it before it began */
	guint64 barrier; /* PROMOTION: the watcher's, behind all that was read; 0: none asked for */
	bool warned;	 /* said already that ptrace is denied */
	bool reshapes;	 /* some type or variable changes its shape, and can be migrated as far as types tell */
	GPtrArray *changed_types; /* of hd_changed_type *; NULL: none */
	GHashTable *moved;	  /* set of names: globals that get new room; NULL: none */
	GPtrArray *census_types;  /* of hd_census_type *; NULL: none */
	GPtrArray *blockers;	  /* of hd_thread_place *: who was in the way at the last try; NULL: nobody */
	gint64 waiting_until;	  /* monotonic, ns; 0: it does not wait for frames */
	bool said_waiting;
	guint retry_source;
};

/* ---- update.c: from a saved batch to compiled objects ---- */
/* Takes the message. An update that is being built has the new batch join it: one transaction, of the texts saved last.
 */
void hd_update_take(hd_reloader *reloader, hd_watch_message *batch);
hd_update *hd_update_new(hd_reloader *reloader, hd_update_kind kind);
void hd_update_free(hd_update *update);
/* The job for a copy, made where there is none. */
hd_job *hd_update_job(hd_update *update, hd_copy *copy);
/* Whether a file of the update is known to be part of the copy; whether one may be, for all that is known. */
bool hd_update_concerns(const hd_update *update, const hd_copy *copy);
bool hd_update_may_concern(const hd_update *update, const hd_copy *copy);
/* Gives the job's module its coming version, and says that it is being built. */
void hd_update_number(hd_update *update, hd_job *job);
/* Lets the program's own compiler build. */
void hd_update_build(hd_update *update);
/* A version's text has a name of its own in debug information, and is readable there; new string, NULL: its real one.
 */
char *hd_reloader_keep_text(const hd_reloader *reloader, const hd_module *module, int version, GBytes *text);
/* Everything is built. */
void hd_update_finish(hd_update *update);

/* ---- attempt.c: libtcc's build of one copy's text ---- */
typedef enum {
	HD_ATTEMPT_UNDER_WAY,
	HD_ATTEMPT_COMPILED,	 /* there is an object */
	HD_ATTEMPT_SAME,	 /* libtcc sees no difference to what runs */
	HD_ATTEMPT_DECLINED,	 /* the text is not libtcc's to compile */
	HD_ATTEMPT_NOT_COMPILED, /* libtcc has not taken the part that was its to compile */
	HD_ATTEMPT_UNREADABLE,	 /* libtcc cannot read what runs */
	HD_ATTEMPT_STOPPED,
} hd_attempt_state;

typedef void hd_attempt_ended(hd_attempt *attempt, void *data);

struct hd_attempt {
	hd_reloader *reloader;
	hd_copy *copy;
	GBytes *text; /* that was saved */
	hd_attempt_state state;
	hd_attempt_ended *ended; /* when the state leaves UNDER_WAY; may free the attempt; NULL: nobody waits yet */
	void *data;
	hd_instant_task *task;	   /* the step under way; NULL: none */
	hd_reading *running, *now; /* of the text that runs, and of the one that was saved */
	hd_delta *delta;	   /* between them */
	GBytes *described;	   /* what libtcc wrote, with debug information */
	hd_object *object;	   /* the same */
	hd_unit *unit;		   /* its debug information; NULL: none could be made */
	char *why;		   /* there is none */
	gint64 begun_ns, ended_ns;
};

/* Begins; the text is referenced. Only where hd_tier_may_draft, or the tier, says that it can be. */
hd_attempt *hd_attempt_new(hd_reloader *reloader, hd_copy *copy, GBytes *text);
void hd_attempt_free(hd_attempt *attempt);
/* What was read stays. */
void hd_attempt_stop(hd_attempt *attempt);
/* Names of the functions that the edit changed (NULL: not known); and of those that must be new with them. */
GHashTable *hd_attempt_changed(const hd_attempt *attempt);
GHashTable *hd_attempt_placed(const hd_attempt *attempt);
/* Names of static constants with another value. */
GHashTable *hd_attempt_constants(const hd_attempt *attempt);
/* Clang fits static functions to their callers in every version, the calling convention included. */
bool hd_attempt_fits_always(const hd_attempt *attempt);
/* The copy's text that runs, as far as is known; borrowed, NULL: it is not known. */
GBytes *hd_attempt_running_text(const hd_reloader *reloader, const hd_copy *copy);
hd_instant_task *hd_attempt_read_running(hd_reloader *reloader, hd_copy *copy, hd_instant_read_done *done, void *data);
void hd_attempt_watch_headers(hd_reloader *reloader, const hd_copy *copy, const hd_reading *reading);

/* ---- draft.c: what was saved is compiled before it has settled ---- */
/* Takes nothing; the watcher's EARLY message. */
void hd_draft_begin(hd_reloader *reloader, const hd_watch_message *early);
/* The attempt begun at the text that the update has for the copy; the caller's. NULL: there is none. */
hd_attempt *hd_draft_take(const hd_update *update, const hd_copy *copy);
/* Also whenever something else runs than when the draft began. There need not be one. */
void hd_draft_drop(hd_reloader *reloader);

/* ---- tier.c: by libtcc, where it can ---- */
/* false: libtcc is not to be tried. Else the update is finished, or built otherwise, when it has answered. */
bool hd_tier_begin(hd_update *update);
/* Whether an update of the copy alone would be tried. */
bool hd_tier_may_draft(hd_reloader *reloader, hd_copy *copy);
/* What libtcc built is refused: the program's own compiler takes over. */
void hd_tier_abandon(hd_update *update, const char *why);
/* The update is live, or says what runs: what its attempts have read is what runs. */
void hd_tier_settle(hd_update *update);

/* Reads the text that runs, as an attempt would, before there is one. NULL: it cannot be, or need not. */
hd_instant_task *hd_tier_read_ahead(hd_reloader *reloader, hd_copy *copy, hd_instant_read_done *done, void *data);
/* Takes what it gave. */
void hd_tier_adopt_reading(hd_reloader *reloader, hd_copy *copy, hd_reading *reading);

/* ---- warm.c: before the first save ---- */
void hd_warm_begin(hd_reloader *reloader);
/* A save has come, or the program has ended. */
void hd_warm_end(hd_reloader *reloader);

/* ---- promote.c: the program's own build of what libtcc made live ---- */
/* Begins, when there is something to promote and nothing else to do. */
void hd_promote(hd_reloader *reloader);
void hd_promote_cancel(hd_reloader *reloader);
/* Takes back what the program's own compiler has refused, where the user wants it so. No promotion may be under way. */
void hd_promote_undo_refused(hd_reloader *reloader);
/* All is built: whether it has to be known first that nothing was saved meanwhile. Then hd_update_finish is called
 * again. */
bool hd_promote_waits(hd_update *update);
void hd_promote_barrier(hd_reloader *reloader, guint64 ticket);
/* Its outcomes. Where it cannot go live, libtcc's code stays, and the user is told why. */
void hd_promote_failed(hd_update *promotion, const hd_job *job);
void hd_promote_held(hd_update *promotion, const hd_refusal *refusal);

/* ---- origin.c: whether a text is what a unit was built of ---- */
/* Compiles the text that we found by the copy's command as it stands. NULL: there is nothing to be proven. */
hd_build *hd_origin_prove(hd_reloader *reloader, hd_copy *copy, bool background, hd_build_done *done, void *data);
/* What was built to be compared with may show it too, which saves a compilation: its added options change little of
 * what is not optimised. */
void hd_origin_recognise(const hd_reloader *reloader, hd_copy *copy, const hd_build_result *base);

typedef enum {
	HD_ORIGIN_TRUSTED, /* the command is right, or nothing speaks against it */
	HD_ORIGIN_CHANGED, /* it is another one now, to be proven in its turn */
	HD_ORIGIN_WRONG,   /* it is none any more */
} hd_origin;

/* Compares what came of it with what runs, and lets the copy know. *why is a new string where the command is wrong. */
hd_origin hd_origin_decide(hd_reloader *reloader, hd_copy *copy, const hd_build_result *proof, char **why);

/* ---- apply.c: from compiled objects to a verdict ---- */
typedef enum {
	HD_APPLY_OVER,	  /* it had its outcome */
	HD_APPLY_AGAIN,	  /* a debugger holds the program: to be tried again */
	HD_APPLY_REBUILD, /* what libtcc built does not fit: to be built by the program's own compiler */
} hd_applied;

/* Every build is done: one outcome. */
hd_applied hd_apply(hd_update *update);
/* Reads the job's debug information and binds its names. A refusal is the caller's; NULL: done. */
hd_refusal *hd_apply_examine(hd_update *update, hd_job *job);

/* ---- judge.c: would it break the program ---- */
/* Takes the error, which may be NULL. */
hd_refusal *hd_judge_unreadable(hd_refusal_code code, const hd_job *job, GError *error);
/* The debug information of what runs. */
const hd_unit *hd_judge_running_unit(const hd_copy *copy, GError **error);
/* After every job was compared and its names are bound. */
void hd_judge_types(hd_update *update, hd_job *job, GPtrArray *refusals, GPtrArray *warnings);
void hd_judge_deletions(hd_update *update, hd_job *job, GPtrArray *refusals);
void hd_judge_constants(hd_update *update, hd_job *job, GPtrArray *refusals);

/* Entries of functions (of guint64) of units whose coming or running object is known: what those refer to is judged by
 * it. */
GArray *hd_judge_entries(const hd_update *update);

/* ---- migrate.c: living data whose shape changes ---- */
typedef struct {
	char *key;			/* as hd_verdict calls it */
	const hd_unit *running, *built; /* with the old shape, and with the new one */
	hd_migration *migration;
	hd_refusal *refusal; /* what is said where its objects cannot be accounted for; NULL: another type's says it */
} hd_changed_type;

/* Whether migration may answer a refusal of shape; where it cannot, others are appended. false: the refusal stands. */
bool hd_migrate_answers(hd_update *update, hd_job *job, const hd_unit *running, const hd_refusal *refusal,
			GPtrArray *refusals);
/* A type has another layout, because of one inside that was answered for. */
void hd_migrate_follow(hd_update *update, hd_job *job, const hd_unit *running, const char *key);
/* Every job is judged: which data change their shape, and who has to be linked anew with them. */
void hd_migrate_prepare(hd_update *update, GPtrArray *refusals);
/* What judging and preparing have noted. */
void hd_migrate_forget(hd_update *update);
/* Whether a frame of the function may hold an object that changes its shape. */
bool hd_migrate_may_be_in_frame(const hd_update *update, const char *function);

/* ---- oldcode.c: who knows the old shape ---- */
/* Nobody may be in code of the job's copy that the update leaves behind. */
void hd_oldcode_exclude(const hd_update *update, const hd_job *job, hd_commit *commit);
/* Nobody may be in code of the copy that is not in force once the version has come or gone. */
void hd_oldcode_exclude_other(const hd_copy *copy, int version, hd_commit *commit);

/* ---- reshape.c: from the old shape to the new ---- */
/* Where what pointers lead to is in an object's, or a row of objects', new shape. Bytes. */
typedef struct {
	const hd_migration *migration;
	guint64 tail;
	gsize stride, new_stride;
	guint64 count; /* of objects; what lies behind them follows them */
} hd_landing_rule;

/* One change of shapes, forward or back. */
typedef struct {
	GPtrArray *linked; /* of hd_linked *, borrowed: whose variables change */
	hd_census *census; /* NULL: no objects on the heap do */
	GPtrArray *rules;  /* of hd_landing_rule *: of the last process */
	bool back;
} hd_reshaping;
void hd_reshaping_begin(hd_reshaping *work, bool back);
void hd_reshaping_end(hd_reshaping *work);
/* false: nothing changes its shape. work must outlive the commit. */
bool hd_reshaping_stage(hd_reshaping *work, hd_commit *commit);
/* The same for an update; and nobody may be in code that knows the old shape. */
void hd_reshaping_stage_update(hd_update *update, hd_reshaping *work, hd_commit *commit);
/* Whether no value was lost; false: *why says which. */
bool hd_reshape_fits(const hd_migration_tally *tally, const char *key, char **why);

/* ---- census.c: objects that no variable holds ---- */
/* A type whose objects change, and what each had before that; a transaction keeps it for its undo. */
typedef struct {
	char *key; /* as hd_verdict calls it */
	hd_migration *migration;
	hd_kept_objects *kept, *taken; /* what they had before the last change, and before the one under way */
	char *was, *is; /* the type's shape before and after: another file may have another type of that name */
} hd_census_type;

/* Of hd_census_type *: the update's changed types that something points to. */
GPtrArray *hd_census_types(hd_update *update);
/* The commit was made. */
void hd_census_settle(GPtrArray *types);
/* Reads what is needed of debug information, by what runs now. types are borrowed. */
hd_census *hd_census_new(const hd_reloader *reloader, GPtrArray *types, bool back);
void hd_census_free(hd_census *census);
/* As hd_reshape.convert. */
bool hd_census_convert(hd_census *census, const hd_stopped *process, GArray *moved, char **why);

/* ---- join.c: sources that are not in the program yet ---- */
/* Makes modules of those that may join with this update. */
void hd_join_candidates(hd_update *update);
/* Everything is built: those that do not join leave the update. */
void hd_join_decide(hd_update *update);
/* The update went live; or it did not, and they are strays again. */
void hd_join_settle(hd_update *update);
void hd_join_withdraw(hd_update *update);

/* ---- undo.c ---- */
/* What is saved now is built with headers as they are on disk: where those were saved for something undone since, all
 * who read them are built with it. */
void hd_undo_join(hd_update *update);
bool hd_undo_last(hd_reloader *reloader, const char *module, bool again, GError **error);

/* ---- purge.c: memory of old code ---- */
/* When nothing has happened for a while. */
void hd_purge_soon(hd_reloader *reloader);
void hd_purge_cancel(hd_reloader *reloader);

/* ---- adopt.c: processes that execute the program anew ---- */
/* Takes in those that the last look at the processes has found. */
void hd_adopt_newcomers(hd_reloader *reloader);
void hd_adopt_cancel(hd_reloader *reloader);

/* ---- pins.c: who is in old code ---- */
hd_pins *hd_pins_new(hd_reloader *reloader);
void hd_pins_free(hd_pins *pins);
/* Every thread as it was at a commit: says who became pinned, and who was released. */
void hd_pins_take(hd_pins *pins, const GPtrArray *samples);
/* Threads with a frame that is in the commit's way, each with the innermost such place; of hd_thread_place *. */
GPtrArray *hd_pins_blockers(hd_pins *pins, const hd_commit *commit);
/* The threads of a process that was adopted, as they were then. */
void hd_pins_adopted(hd_pins *pins, const GPtrArray *samples);
/* Processes and threads as they are now, into the model; says who came and went. */
void hd_pins_refresh(hd_pins *pins);

/* ---- machine.c: for doctor ---- */
/* What this machine allows, each with a remedy where it is too little: [{"name","ok","message","remedy"}].
 * folders: how many are to be watched. */
json_t *hd_machine_limits(const hd_reloader *reloader, guint folders);

/* ---- weak.c: for doctor ---- */
/* What options of a compilation make updates weaker, and what to do about each: [sentence]. */
json_t *hd_weak_options(const hd_command *command, const char *producer);

/* Files have their real name again where debug information names a kept version. */
void hd_reloader_real_position(const hd_reloader *reloader, hd_position *position);
/* The file that a version's debug information names: scratch/v3/net.c; new string. */
char *hd_reloader_version_path(const hd_reloader *reloader, const hd_module *module, int version);

#endif
