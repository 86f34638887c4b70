/* SPDX-License-Identifier: MIT */
/* test_schedule.c - how often the tables are read */
#include <stdlib.h>

#include "support/check_main.h"
#include "watch/schedule.h"
#include "util/clock.h"

#define USEC UINT64_C(1000)

START_TEST(cheap_reads_come_every_50_milliseconds)
{
	ck_assert_uint_eq(schedule_interval(0, 0), 50 * NSEC_PER_MSEC);
	ck_assert_uint_eq(schedule_interval(30 * USEC, 0), 50 * NSEC_PER_MSEC);
}
END_TEST

START_TEST(reads_take_a_five_hundredth_of_the_time)
{
	ck_assert_uint_eq(schedule_interval(400 * USEC, 0), 200 * NSEC_PER_MSEC);
}
END_TEST

START_TEST(with_a_notifier_they_take_a_fourth_of_that)
{
	ck_assert_uint_eq(schedule_interval(10 * NSEC_PER_MSEC, 1), 20 * NSEC_PER_SEC);
}
END_TEST

START_TEST(no_port_stays_unseen_for_more_than_a_second)
{
	ck_assert_uint_eq(schedule_interval(10 * NSEC_PER_MSEC, 0), NSEC_PER_SEC);
	ck_assert_uint_eq(schedule_interval(UINT64_MAX, 0), NSEC_PER_SEC);
}
END_TEST

START_TEST(with_a_notifier_the_poll_only_makes_sure)
{
	ck_assert_uint_eq(schedule_interval(30 * USEC, 1), NSEC_PER_SEC);
	ck_assert_uint_eq(schedule_interval(NSEC_PER_SEC, 1), 600 * NSEC_PER_SEC);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cadence");
	TCase *all = tcase_create("cadence");

	tcase_add_test(all, cheap_reads_come_every_50_milliseconds);
	tcase_add_test(all, reads_take_a_five_hundredth_of_the_time);
	tcase_add_test(all, with_a_notifier_they_take_a_fourth_of_that);
	tcase_add_test(all, no_port_stays_unseen_for_more_than_a_second);
	tcase_add_test(all, with_a_notifier_the_poll_only_makes_sure);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
