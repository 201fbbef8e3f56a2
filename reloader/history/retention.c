/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far back undo reaches: to the newest `keep` versions of each module. A
 * transaction is undone whole, so one that reaches further in one of its
 * modules is final for all of them. */
#include "config.h"

#include "reloader/history/module.h"

static int
floor_of(const hd_module *module, int keep)
{
	guint count = module->versions->len, kept = (guint)MAX(keep, 1);
	if (count <= kept)
		return module->floor;
	const hd_version_view *last = g_ptr_array_index(module->versions, count - kept - 1);
	return MAX(module->floor, last->version);
}

static bool
reaches_below(const hd_transaction *transaction)
{
	for (guint i = 0; i < transaction->parts->len; i++) {
		const hd_part *part = g_ptr_array_index(transaction->parts, i);
		if (part->version <= part->module->floor)
			return true;
	}
	return false;
}

/* What came before it in its modules is final, too. */
static void
make_final(const hd_transaction *transaction)
{
	for (guint i = 0; i < transaction->parts->len; i++) {
		const hd_part *part = g_ptr_array_index(transaction->parts, i);
		part->module->floor = MAX(part->module->floor, part->version);
	}
}

void
hd_model_set_floors(hd_model *model, int keep)
{
	for (guint m = 0; m < model->modules->len; m++) {
		hd_module *module = g_ptr_array_index(model->modules, m);
		module->floor = floor_of(module, keep);
	}
	for (guint i = 0; i < model->transactions->len;) {
		const hd_transaction *transaction = g_ptr_array_index(model->transactions, i);
		if (!reaches_below(transaction)) {
			i++;
			continue;
		}
		make_final(transaction);
		g_ptr_array_remove_index(model->transactions, i);
		i = 0;
	}
}

static bool
has_code(const hd_module *module, int version)
{
	for (guint c = 0; c < module->copies->len; c++)
		if (hd_copy_has_version(g_ptr_array_index(module->copies, c), version))
			return true;
	return false;
}

bool
hd_module_ends_undo(const hd_module *module, int number)
{
	const hd_version_view *version = hd_module_version(module, number);
	return number <= module->floor && !(version && version->undone);
}

void
hd_module_forget_versions(hd_module *module)
{
	bool newer = false; /* of those where undo may end, it ends at the newest */
	for (guint i = module->versions->len; i > 0; i--) {
		int number = ((const hd_version_view *)g_ptr_array_index(module->versions, i - 1))->version;
		bool ends = !newer && hd_module_ends_undo(module, number);
		if (number <= module->floor && !ends && !has_code(module, number))
			g_ptr_array_remove_index(module->versions, i - 1);
		newer |= ends;
	}
}
