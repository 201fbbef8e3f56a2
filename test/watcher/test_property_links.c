/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files with several names: one that came and went between two looks tells
 * nothing, so the looks at every stamp belong to it. */
#include "config.h"

#include "test/watcher/property.h"

static void
several_names(void **state)
{
	what_is_said_is_what_is(*state, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(several_names, trial_setup, trial_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
