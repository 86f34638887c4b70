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

/* A quarter of a five hundredth remains for bursts. */
START_TEST(at_rest_reads_take_three_quarters_of_a_five_hundredth)
{
	ck_assert_uint_eq(schedule_interval(300 * USEC, 0), 300 * USEC * 667);
}
END_TEST

START_TEST(with_a_notifier_they_take_a_two_thousandth)
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

/* --- bursts */

START_TEST(a_burst_begins_with_short_pauses)
{
	ck_assert_uint_eq(schedule_burst_pause(0), NSEC_PER_MSEC);
	ck_assert_uint_eq(schedule_burst_pause(1 * NSEC_PER_MSEC), 2 * NSEC_PER_MSEC);
	ck_assert_uint_eq(schedule_burst_pause(3 * NSEC_PER_MSEC), 4 * NSEC_PER_MSEC);
	ck_assert_uint_eq(schedule_burst_pause(7 * NSEC_PER_MSEC), 4 * NSEC_PER_MSEC);
}
END_TEST

/* Whenever a server listens, a read follows within 5 ms or a tenth of the time since the server's
 * start. */
START_TEST(no_pause_of_a_burst_is_longer_than_a_tenth_of_it)
{
	uint64_t elapsed = 0, pause;
	unsigned int reads = 0;

	while (elapsed < 20 * NSEC_PER_SEC) {
		pause = schedule_burst_pause(elapsed);
		ck_assert_uint_ge(pause, NSEC_PER_MSEC);
		ck_assert(pause <= 5 * NSEC_PER_MSEC || pause <= elapsed / 10);
		elapsed += pause;
		reads++;
	}
	ck_assert_uint_lt(reads, 100);
}
END_TEST

static struct allowance common;
static struct share share;

START_TEST(savings_are_there_from_the_start)
{
	allowance_open(&common, 5);
	share_open(&share, 1, 5);
	ck_assert_uint_eq(share_due(&share, &common, 1, 5, NSEC_PER_MSEC), 5);
}
END_TEST

/* Spends exactly the time that can be saved, from the common allowance first. */
static void spend_all(size_t sharers, uint64_t now)
{
	allowance_open(&common, now);
	share_open(&share, sharers, now);
	for (int i = 0; i < 25; i++) {
		ck_assert_int_eq(common.saved, (25 - i) * (int64_t)NSEC_PER_MSEC);
		share_take(&share, &common, NSEC_PER_MSEC);
	}
	while (share.saved > 0)
		share_take(&share, &common, 100 * USEC);
	ck_assert_int_eq(common.saved, 0);
	ck_assert_int_eq(share.saved, 0);
}

/* Bursts get at least a two thousandth: a quarter of 0.2%. */
START_TEST(a_spent_allowance_is_refilled)
{
	uint64_t now = NSEC_PER_SEC, due;

	spend_all(1, now);
	due = share_due(&share, &common, 1, now, 100 * USEC);
	ck_assert_uint_eq(due, now + 200 * NSEC_PER_MSEC);
	ck_assert_uint_gt(share_due(&share, &common, 1, due - NSEC_PER_MSEC, 100 * USEC),
	                  due - NSEC_PER_MSEC);
	ck_assert_uint_eq(share_due(&share, &common, 1, due, 100 * USEC), due);
	share_take(&share, &common, 100 * USEC);
	ck_assert_uint_gt(share_due(&share, &common, 1, due, 100 * USEC), due);
}
END_TEST

/* ... and the whole of it where polling at rest costs nothing. */
START_TEST(the_allowance_is_what_polling_leaves)
{
	struct allowance cheap = {0}, dear = {0};
	uint64_t now = 0;

	for (int i = 0; i < 20; i++) {
		now += 50 * NSEC_PER_MSEC;
		allowance_rest(&cheap, now, 0);
		allowance_rest(&dear, now, NSEC_PER_SEC);
	}
	/* 0.15% of a second */
	ck_assert_int_gt(cheap.saved, 1490 * (int64_t)USEC);
	ck_assert_int_le(cheap.saved, 1500 * (int64_t)USEC);
	ck_assert_int_eq(dear.saved, 0);
}
END_TEST

START_TEST(savings_have_an_end)
{
	allowance_open(&common, 0);
	share_open(&share, 1, 0);
	allowance_rest(&common, 1000 * NSEC_PER_SEC, 0);
	ck_assert_int_eq(common.saved, 25 * (int64_t)NSEC_PER_MSEC);
	share_due(&share, &common, 1, 1000 * NSEC_PER_SEC, USEC);
	ck_assert_int_eq(share.saved, 25 * (int64_t)NSEC_PER_MSEC);
	share_due(&share, &common, 5, 2000 * NSEC_PER_SEC, USEC);
	ck_assert_int_eq(share.saved, 5 * (int64_t)NSEC_PER_MSEC);
}
END_TEST

/* ... and they still suffice, once in a while, for a read that costs more than can be saved. */
START_TEST(a_dear_read_waits_for_all_that_can_be_saved)
{
	spend_all(1, 0);
	ck_assert_uint_eq(share_due(&share, &common, 1, 0, NSEC_PER_SEC), 50 * NSEC_PER_SEC);
	ck_assert_uint_eq(share_due(&share, &common, 1, 50 * NSEC_PER_SEC, NSEC_PER_SEC),
	                  50 * NSEC_PER_SEC);
}
END_TEST

/* One watcher spends the whole common allowance and its own share. The other watcher's share
 * remains, and is only a part of the whole. */
START_TEST(each_has_a_share_of_its_own)
{
	struct share other;
	uint64_t now = NSEC_PER_SEC, cost = 100 * USEC, spent = 0;

	share_open(&other, 5, now);
	spend_all(5, now);
	ck_assert_uint_gt(share_due(&share, &common, 5, now, cost), now);
	for (; share_due(&other, &common, 5, now, cost) == now; spent += cost)
		share_take(&other, &common, cost);
	ck_assert_uint_eq(spent, 5 * NSEC_PER_MSEC);
	/* A ten thousandth. */
	ck_assert_uint_eq(share_due(&other, &common, 5, now, cost), now + NSEC_PER_SEC);
	/* A cost beyond what can be saved becomes a debt. */
	now += 1000 * NSEC_PER_SEC;
	ck_assert_uint_eq(share_due(&other, &common, 5, now, NSEC_PER_SEC), now);
	share_take(&other, &common, 10 * NSEC_PER_MSEC);
	ck_assert_int_eq(other.saved, -5 * (int64_t)NSEC_PER_MSEC);
	ck_assert_uint_eq(share_due(&other, &common, 5, now, cost),
	                  now + 10000 * (5 * NSEC_PER_MSEC + cost));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("schedule");
	TCase *all = tcase_create("cadence"), *bursts = tcase_create("bursts");

	tcase_add_test(all, cheap_reads_come_every_50_milliseconds);
	tcase_add_test(all, at_rest_reads_take_three_quarters_of_a_five_hundredth);
	tcase_add_test(all, with_a_notifier_they_take_a_two_thousandth);
	tcase_add_test(all, no_port_stays_unseen_for_more_than_a_second);
	tcase_add_test(all, with_a_notifier_the_poll_only_makes_sure);
	suite_add_tcase(suite, all);
	tcase_add_test(bursts, a_burst_begins_with_short_pauses);
	tcase_add_test(bursts, no_pause_of_a_burst_is_longer_than_a_tenth_of_it);
	tcase_add_test(bursts, savings_are_there_from_the_start);
	tcase_add_test(bursts, a_spent_allowance_is_refilled);
	tcase_add_test(bursts, the_allowance_is_what_polling_leaves);
	tcase_add_test(bursts, savings_have_an_end);
	tcase_add_test(bursts, a_dear_read_waits_for_all_that_can_be_saved);
	tcase_add_test(bursts, each_has_a_share_of_its_own);
	suite_add_tcase(suite, bursts);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
