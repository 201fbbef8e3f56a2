/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "reloader/prove.h"

#include "reloader/build/build.h"
#include "reloader/link/proof.h"

typedef struct {
	hd_prover *prover;
	hd_image *image;
	const hd_image_unit *unit;
	hd_command *command;
	json_t *module;
	bool again;
} question;

struct hd_prover {
	hd_builder *builder;
	GPtrArray *questions; /* of question * */
	guint done;
};

static void
question_free(void *data)
{
	question *q = data;
	hd_command_free(q->command);
	json_decref(q->module);
	g_free(q);
}

hd_prover *
hd_prover_new(const char *scratch, const char *project, GError **error)
{
	char *folder = g_build_filename(scratch, "proof", NULL);
	hd_builder *builder = hd_builder_new(folder, project, 0, error);
	g_free(folder);
	if (!builder)
		return NULL;
	hd_prover *prover = g_new0(hd_prover, 1);
	prover->builder = builder;
	prover->questions = g_ptr_array_new_with_free_func(question_free);
	return prover;
}

void
hd_prover_free(hd_prover *prover)
{
	if (!prover)
		return;
	hd_builder_free(prover->builder);
	g_ptr_array_unref(prover->questions);
	g_free(prover);
}

void
hd_prover_unknown(json_t *module, const char *reason)
{
	json_object_set_new(module, "proof", json_pack("{s:s, s:s}", "verdict", "unknown", "reason", reason));
}

static void
set_proof(json_t *module, const hd_proof *proof)
{
	json_t *different = json_array();
	for (guint i = 0; i < proof->different->len; i++)
		json_array_append_new(different, json_string(g_ptr_array_index(proof->different, i)));
	json_object_set_new(module, "proof",
			    json_pack("{s:s, s:i, s:o}", "verdict", proof->different->len ? "different" : "same",
				      "functions", (int)proof->functions, "different", different));
}

static void
set_failure(json_t *module, const hd_build_result *result)
{
	const hd_diagnostic *first = result->diagnostics->len ? g_ptr_array_index(result->diagnostics, 0) : NULL;
	char *reason =
		g_strdup_printf("it does not compile by that command: %s", first ? first->message : "no reason given");
	hd_prover_unknown(module, reason);
	g_free(reason);
}

/* gcc writes other code without optimisation where it is to warn, and debug information does not tell whether it was.
 */
static bool
tries_again(question *q, const hd_proof *proof, hd_build_done *done)
{
	static const char *const words[] = {"-Wall", NULL};
	if (!proof->different->len || q->again || q->command->origin != HD_COMMAND_DEBUG_INFO)
		return false;
	q->again = true;
	hd_command_add(q->command, words);
	hd_build_start(q->prover->builder, &(hd_build_request){.command = q->command, .as_it_stands = true}, done, q);
	return true;
}

static void
built(hd_build *build, hd_build_result *result, void *data)
{
	(void)build;
	question *q = data;
	GError *error = NULL;
	hd_object *object = result->ok ? hd_object_parse(result->object, &error) : NULL;
	q->prover->done++;
	if (object) {
		hd_proof *proof = hd_proof_new(q->image, q->unit, object);
		if (tries_again(q, proof, built))
			q->prover->done--;
		else
			set_proof(q->module, proof);
		hd_proof_free(proof);
		hd_object_unref(object);
	} else if (result->ok) {
		hd_prover_unknown(q->module, error->message);
		g_error_free(error);
	} else {
		set_failure(q->module, result);
	}
	hd_build_result_free(result);
}

void
hd_prover_add(hd_prover *prover, hd_image *image, const hd_image_unit *unit, hd_command *command, json_t *module)
{
	question *q = g_new(question, 1);
	*q = (question){prover, image, unit, command, json_incref(module), false};
	g_ptr_array_add(prover->questions, q);
	hd_build_request request = {.command = command, .as_it_stands = true};
	hd_build_start(prover->builder, &request, built, q);
}

void
hd_prover_run(hd_prover *prover, void (*progress)(guint done, guint all, void *data), void *data)
{
	guint all = prover->questions->len, told = G_MAXUINT;
	while (prover->done < all) {
		if (progress && prover->done != told)
			progress(told = prover->done, all, data);
		g_main_context_iteration(NULL, TRUE);
	}
	if (progress && all)
		progress(all, all, data);
}
