/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files with one name each: the kernel's events alone tell everything. */
#include "config.h"

#include "test/watcher/property.h"

static void
one_name_each(void **state)
{
	what_is_said_is_what_is(*state, false);
}

int
main(void)
{
	events_only();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_name_each, trial_setup, trial_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
