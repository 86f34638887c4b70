/* SPDX-License-Identifier: MIT */
/* test_turns.c - whose namespaces are read next */
#include <check.h>

#include "support/check_main.h"
#include "util/clock.h"
#include "watch/turns.h"

enum { MANY = 2000 };

static struct turns turns;
static struct turn crowded, quiet;
static struct turn_place many[MANY], few[2];

static void setup(void)
{
	turns_init(&turns);
	turn_init(&crowded);
	turn_init(&quiet);
	for (int i = 0; i < MANY; i++)
		turn_place_init(&many[i]);
	for (int i = 0; i < 2; i++)
		turn_place_init(&few[i]);
}

static void add_many(enum urgency urgency)
{
	for (int i = 0; i < MANY; i++)
		turns_add(&turns, &crowded, &many[i], urgency);
}

/* Takes the next place, whose read ends at once. */
static const struct turn_place *take(uint64_t now)
{
	struct turn_place *place = turns_take(&turns, now);

	if (place)
		turn_place_remove(place);
	return place;
}

START_TEST(a_crowd_delays_another_watcher_by_one)
{
	add_many(URGENCY_REPORTED);
	turns_add(&turns, &quiet, &few[0], URGENCY_FORK);
	turns_add(&turns, &quiet, &few[1], URGENCY_FORK);
	ck_assert_ptr_eq(take(1), &many[0]);
	ck_assert_ptr_eq(take(1), &few[0]);
	ck_assert_ptr_eq(take(1), &many[1]);
	ck_assert_ptr_eq(take(1), &few[1]);
	for (int i = 2; i < MANY; i++)
		ck_assert_ptr_eq(take(1), &many[i]);
	ck_assert_ptr_null(take(1));
	ck_assert_uint_eq(turns_due(&turns), UINT64_MAX);
}
END_TEST

START_TEST(reported_listeners_come_first_and_the_others_each_fourth_time)
{
	int others = 0;

	add_many(URGENCY_FORK);
	for (int i = MANY / 2; i < MANY; i++)
		turns_add(&turns, &crowded, &many[i], URGENCY_REPORTED);
	/* What is urgent already does not become less so. */
	turns_add(&turns, &crowded, &many[MANY - 1], URGENCY_FORK);
	ck_assert_int_eq(many[MANY - 1].urgency, URGENCY_REPORTED);
	ck_assert_ptr_eq(take(1), &many[MANY / 2]);
	for (int i = 1; i < 400; i++)
		others += take(1)->urgency == URGENCY_FORK;
	ck_assert_int_eq(others, 100);
}
END_TEST

START_TEST(a_turn_without_budget_pauses_alone)
{
	uint64_t now = NSEC_PER_SEC, due;

	crowded.counted = now;
	add_many(URGENCY_FORK);
	for (int i = 0; i < 200; i++) {
		turn_charge(&crowded, 5 * NSEC_PER_MSEC, now);
		ck_assert_uint_eq(turns_due(&turns), 0);
	}
	turn_charge(&crowded, 5 * NSEC_PER_MSEC, now);
	due = turns_due(&turns);
	ck_assert_uint_eq(due, now + 25 * NSEC_PER_MSEC);
	ck_assert_ptr_null(take(due - 1));
	turns_add(&turns, &quiet, &few[0], URGENCY_FORK);
	ck_assert_ptr_eq(take(now), &few[0]);
	ck_assert_ptr_eq(take(due), &many[0]);
	/* The time of the work is included: 5 ms of work, 20 ms of rest. */
	turn_charge(&crowded, 5 * NSEC_PER_MSEC, due + 5 * NSEC_PER_MSEC);
	ck_assert_uint_eq(turns_due(&turns), due + 25 * NSEC_PER_MSEC);
}
END_TEST

/* Several watchers share the namespace. */
START_TEST(a_place_moves_to_the_watcher_that_is_served_sooner)
{
	uint64_t now = NSEC_PER_SEC;

	crowded.counted = now;
	turns_add(&turns, &crowded, &few[0], URGENCY_USUAL);
	/* The other turn is not served sooner. */
	turns_add(&turns, &quiet, &few[0], URGENCY_USUAL);
	ck_assert_ptr_eq(few[0].turn, &crowded);
	for (int i = 0; i < 201; i++)
		turn_charge(&crowded, 5 * NSEC_PER_MSEC, now);
	ck_assert_ptr_null(take(now));
	turns_add(&turns, &quiet, &few[0], URGENCY_FORK);
	ck_assert_ptr_eq(few[0].turn, &quiet);
	ck_assert_int_eq(few[0].urgency, URGENCY_USUAL);
	ck_assert_ptr_eq(take(now), &few[0]);
	ck_assert_uint_eq(turns_due(&turns), UINT64_MAX);
}
END_TEST

/* The place is the last of 2,001. */
START_TEST(a_place_moves_out_of_a_long_queue)
{
	add_many(URGENCY_USUAL);
	turns_add(&turns, &crowded, &few[0], URGENCY_USUAL);
	ck_assert(turn_is_sooner(&turns, &quiet, &crowded));
	ck_assert(!turn_is_sooner(&turns, &crowded, &quiet));
	turns_add(&turns, &quiet, &few[0], URGENCY_USUAL);
	ck_assert_ptr_eq(few[0].turn, &quiet);
	ck_assert_ptr_eq(take(1), &many[0]);
	ck_assert_ptr_eq(take(1), &few[0]);
	/* Places that were taken do not count. */
	for (int i = 1; i < MANY; i++)
		ck_assert_ptr_eq(take(1), &many[i]);
	ck_assert(!turn_is_sooner(&turns, &quiet, &crowded));
}
END_TEST

START_TEST(a_place_moves_away_from_reads_without_an_answer)
{
	turns.reads_max = 1;
	turns_add(&turns, &crowded, &many[0], URGENCY_USUAL);
	ck_assert_ptr_eq(turns_take(&turns, 1), &many[0]);
	turns_add(&turns, &crowded, &few[0], URGENCY_USUAL);
	ck_assert_ptr_null(turns_take(&turns, 1));
	turns_add(&turns, &quiet, &few[0], URGENCY_USUAL);
	ck_assert_ptr_eq(turns_take(&turns, 1), &few[0]);
}
END_TEST

/* A start waits for the first reads of all namespaces, and the host has asked for it. */
START_TEST(a_watcher_that_starts_does_not_rest)
{
	crowded.unlimited = true;
	add_many(URGENCY_FORK);
	for (int i = 0; i < 1000; i++)
		turn_charge(&crowded, 5 * NSEC_PER_MSEC, 1);
	ck_assert_ptr_eq(take(1), &many[0]);
	crowded.unlimited = false;
	ck_assert_ptr_eq(take(1), &many[1]);
}
END_TEST

/* A tree may stop its helpers. */
START_TEST(reads_without_an_answer_leave_helpers_to_the_others)
{
	int begun = 0;

	turns.reads_max = 48;
	add_many(URGENCY_REPORTED);
	while (turns_take(&turns, 1))
		begun++;
	ck_assert_int_eq(begun, 48);
	ck_assert_uint_eq(turns_due(&turns), UINT64_MAX);
	turns_add(&turns, &quiet, &few[0], URGENCY_FORK);
	ck_assert_ptr_eq(turns_take(&turns, 1), &few[0]);
	turn_place_remove(&many[0]);
	ck_assert_ptr_eq(turns_take(&turns, 1), &many[48]);
	ck_assert_ptr_null(turns_take(&turns, 1));
}
END_TEST

START_TEST(a_place_without_a_helper_waits)
{
	struct turn_place *place;

	add_many(URGENCY_FORK);
	place = turns_take(&turns, 1);
	ck_assert_ptr_eq(place, &many[0]);
	turns_put_back(&turns, place, URGENCY_FORK, 10);
	ck_assert_uint_eq(turns_due(&turns), 10);
	ck_assert_ptr_null(turns_take(&turns, 9));
	turns_add(&turns, &crowded, &few[0], URGENCY_USUAL);
	ck_assert_ptr_eq(turns_take(&turns, 10), &few[0]);
	turns_add(&turns, &crowded, &few[1], URGENCY_USUAL);
	turn_place_remove(&few[1]);
	place = turns_take(&turns, 10);
	ck_assert_ptr_eq(place, &many[1]);
	turns_add(&turns, &crowded, &few[1], URGENCY_USUAL);
	/* The read of the other one makes room. */
	turns_put_back(&turns, place, URGENCY_FORK, 20);
	ck_assert_uint_eq(turns_due(&turns), 10);
}
END_TEST

static void count(void *data, struct turn_place *place)
{
	int *ended = data;

	ck_assert_ptr_null(place->turn);
	++*ended;
}

START_TEST(an_ended_turn_leaves_nothing_behind)
{
	int ended = 0;

	add_many(URGENCY_FORK);
	turns_add(&turns, &crowded, &few[0], URGENCY_REPORTED_FORK);
	ck_assert_ptr_eq(turns_take(&turns, 1), &few[0]);
	turn_end(&crowded, count, &ended);
	ck_assert_int_eq(ended, MANY + 1);
	ck_assert_uint_eq(turns_due(&turns), UINT64_MAX);
	ck_assert(list_empty(&turns.list));
	turns_add(&turns, &quiet, &many[0], URGENCY_FORK);
	ck_assert_ptr_eq(take(1), &many[0]);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("turns");
	TCase *all = tcase_create("turns");

	tcase_add_checked_fixture(all, setup, NULL);
	tcase_add_test(all, a_crowd_delays_another_watcher_by_one);
	tcase_add_test(all, reported_listeners_come_first_and_the_others_each_fourth_time);
	tcase_add_test(all, a_turn_without_budget_pauses_alone);
	tcase_add_test(all, a_place_moves_to_the_watcher_that_is_served_sooner);
	tcase_add_test(all, a_place_moves_out_of_a_long_queue);
	tcase_add_test(all, a_place_moves_away_from_reads_without_an_answer);
	tcase_add_test(all, a_watcher_that_starts_does_not_rest);
	tcase_add_test(all, reads_without_an_answer_leave_helpers_to_the_others);
	tcase_add_test(all, a_place_without_a_helper_waits);
	tcase_add_test(all, an_ended_turn_leaves_nothing_behind);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
