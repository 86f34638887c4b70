/* SPDX-License-Identifier: MIT */
/* test_recent_pids.c - every PID that is given out is looked at, also once it is a second old */
#include <stdlib.h>

#include "support/check_main.h"
#include "util/clock.h"
#include "proc/recent_pids.h"

#define SEC NSEC_PER_SEC
#define BEGIN (1000 * SEC)

START_TEST(the_first_look_goes_over_everything)
{
	struct recent_pids recent = {0};

	ck_assert_int_eq(recent_pids_after(&recent, 70, BEGIN), 0);
}
END_TEST

START_TEST(new_ones_are_looked_at_at_once)
{
	struct recent_pids recent = {.last = 70};

	ck_assert_int_eq(recent_pids_after(&recent, 70, BEGIN), 70);
	ck_assert_int_eq(recent_pids_after(&recent, 72, BEGIN), 70);
	recent_pids_seen(&recent, 72, BEGIN);
	ck_assert_int_eq(recent_pids_after(&recent, 72, BEGIN + SEC / 2), 72);
	ck_assert_int_eq(recent_pids_after(&recent, 73, BEGIN + SEC / 2), 72);
}
END_TEST

START_TEST(they_are_looked_at_again_after_a_second)
{
	struct recent_pids recent = {.last = 70};

	recent_pids_seen(&recent, 72, BEGIN);
	ck_assert_int_eq(recent_pids_after(&recent, 72, BEGIN + SEC - 1), 72);
	ck_assert_int_eq(recent_pids_after(&recent, 72, BEGIN + SEC), 70);
	recent_pids_seen(&recent, 72, BEGIN + SEC);
	/* And that was all. */
	ck_assert_int_eq(recent_pids_after(&recent, 72, BEGIN + 9 * SEC), 72);
}
END_TEST

/* PID by PID: with a look every tenth of a second, and numbers given out all the time. */
START_TEST(none_is_left_out)
{
	struct recent_pids recent = {.last = 70};
	uint64_t given[100], seen_old[100] = {0};
	uint64_t now = BEGIN;

	for (pid_t last = 70; last < 100 || recent.again; now += SEC / 10) {
		pid_t after;

		if (last < 99)
			given[++last] = now;
		after = recent_pids_after(&recent, last, now);
		for (pid_t pid = after + 1; pid <= last; pid++)
			seen_old[pid] += now - given[pid] >= SEC;
		if (after != last)
			recent_pids_seen(&recent, last, now);
		if (last == 99 && !recent.again)
			break;
	}
	for (pid_t pid = 71; pid <= 99; pid++)
		ck_assert_msg(seen_old[pid] == 1, "%d was looked at %d times", (int)pid,
		              (int)seen_old[pid]);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("recent PIDs");
	TCase *all = tcase_create("recent PIDs");

	tcase_add_test(all, the_first_look_goes_over_everything);
	tcase_add_test(all, new_ones_are_looked_at_at_once);
	tcase_add_test(all, they_are_looked_at_again_after_a_second);
	tcase_add_test(all, none_is_left_out);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
