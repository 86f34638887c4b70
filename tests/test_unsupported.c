/* SPDX-License-Identifier: MIT */
/* test_unsupported.c - the functions that replace the watcher on systems other than Linux
 *
 * Linked with lib/api/unsupported.c instead of the core, so that the test also runs on Linux. */
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "portwatch.h"
#include "support/check_main.h"

static void ignore(struct portwatch *watcher, const struct portwatch_event *event, void *user_data)
{
	(void)watcher;
	(void)event;
	(void)user_data;
}

START_TEST(no_watcher_is_made)
{
	struct portwatch *watcher = NULL;

	ck_assert_int_eq(portwatch_new(&watcher, getpid(), ignore, NULL), -ENOTSUP);
	ck_assert_ptr_null(watcher);
}
END_TEST

START_TEST(null_is_freed)
{
	portwatch_free(NULL);
}
END_TEST

START_TEST(the_version_is_known)
{
	ck_assert_str_eq(portwatch_version(), PACKAGE_VERSION);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("unsupported");
	TCase *all = tcase_create("all");

	tcase_add_test(all, no_watcher_is_made);
	tcase_add_test(all, null_is_freed);
	tcase_add_test(all, the_version_is_known);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
