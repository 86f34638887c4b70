/* SPDX-License-Identifier: MIT */
/* test_netns.c - the workers of network namespaces, none of which can be entered here */
#include <check.h>
#include <errno.h>

#include "support/check_main.h"
#include "util/clock.h"
#include "watch/netns.h"

enum { COUNT = 5000 };

static struct context context;
static struct schedule schedule;
static struct netns_table table;
static size_t entered, exhausted;
static const struct netns *last_entered;

static int enter(void *data, struct netns *ns, struct reader_target *target)
{
	(void)data;
	(void)target;
	entered++;
	last_entered = ns;
	return -ESRCH;
}

static bool wants_no_closes(void *data, const struct netns *ns)
{
	(void)data;
	(void)ns;
	return false;
}

static void note_exhausted(void *data, struct netns *ns)
{
	(void)data;
	(void)ns;
	exhausted++;
}

static void ignore_log(void *data, struct netns *ns, enum portwatch_log_level level,
                       const char *text)
{
	(void)data;
	(void)ns;
	(void)level;
	(void)text;
}

static const struct netns_observer observer = {
	.exhausted = note_exhausted,
	.log = ignore_log,
	.enter = enter,
	.wants_closes = wants_no_closes,
};

static void setup(void)
{
	context = (struct context){0};
	schedule = (struct schedule){0};
	entered = 0;
	exhausted = 0;
	netns_table_init(&table, &context, &schedule, &observer, NULL);
}

static void teardown(void)
{
	netns_table_clear(&table);
}

/* Does all work that is due, in any number of slices. */
static void work_all(uint64_t now)
{
	do {
		netns_table_work(&table, now);
	} while (netns_table_due(&table) <= now);
}

static struct netns *get(uint64_t ino)
{
	struct netns_id id = {.dev = 1, .ino = ino};
	struct netns *ns = netns_get(&table, &id, PORTWATCH_READER_AUTO, PORTWATCH_TABLE_AUTO);

	ck_assert_ptr_nonnull(ns);
	return ns;
}

START_TEST(there_is_one_for_each_namespace_and_way)
{
	struct netns_id id = {.dev = 1, .ino = 7}, elsewhere = {.dev = 2, .ino = 7};
	struct netns *first = get(7), *forced, *other, *found;

	ck_assert_ptr_eq(get(7), first);
	forced = netns_get(&table, &id, PORTWATCH_READER_PROCFS, PORTWATCH_TABLE_AUTO);
	other = netns_get(&table, &elsewhere, PORTWATCH_READER_AUTO, PORTWATCH_TABLE_AUTO);
	ck_assert_ptr_ne(forced, first);
	ck_assert_ptr_ne(other, first);
	found = netns_find(&table, &id);
	ck_assert(found == first || found == forced);
	ck_assert_ptr_eq(netns_find_next(found), found == first ? forced : first);
	ck_assert_ptr_null(netns_find_next(netns_find_next(found)));
	ck_assert_ptr_eq(netns_find(&table, &elsewhere), other);
	ck_assert_ptr_eq(netns_find_serial(&table, forced->serial), forced);
	netns_free(forced);
	ck_assert_ptr_eq(netns_find(&table, &id), first);
	ck_assert_ptr_null(netns_find_next(first));
}
END_TEST

/* A worker that can't read pauses. The work of one among thousands must not affect the others. */
START_TEST(only_those_that_are_due_are_visited)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);
	struct netns *late;

	for (uint64_t i = 0; i < COUNT; i++)
		get(100 + i);
	work_all(now);
	ck_assert_uint_eq(entered, COUNT);
	ck_assert_uint_eq(exhausted, COUNT);
	ck_assert_uint_gt(netns_table_due(&table), now);
	now++;
	work_all(now);
	ck_assert_uint_eq(entered, COUNT);
	ck_assert_uint_eq(table.visits, COUNT);
	late = get(1);
	ck_assert_uint_le(netns_table_due(&table), now);
	work_all(now);
	ck_assert_uint_eq(entered, COUNT + 1);
	ck_assert_ptr_eq(last_entered, late);
	ck_assert_uint_eq(table.visits, COUNT + 1);
	/* The pause of the others ends a moment earlier. */
	now = netns_table_due(&table);
	work_all(now);
	ck_assert_uint_eq(entered, 2 * COUNT + 1);
	ck_assert_uint_eq(netns_table_due(&table), now + 1);
}
END_TEST

/* To enter a namespace takes a while here, as the fork of a helper does. */
static int enter_slowly(void *data, struct netns *ns, struct reader_target *target)
{
	uint64_t until = clock_now(CLOCK_MONOTONIC) + NSEC_PER_MSEC;

	while (clock_now(CLOCK_MONOTONIC) < until)
		continue;
	return enter(data, ns, target);
}

static struct turn crowd_turn, quiet_turn;

static struct turn *turn_of(void *data, const struct netns *ns)
{
	(void)data;
	return ns->id.ino == 1 ? &quiet_turn : &crowd_turn;
}

/* A tree with thousands of namespaces delays another one by the time for one of them, and the
 * monitor by a slice. */
START_TEST(the_namespaces_of_a_crowd_are_read_in_slices_and_turns)
{
	static struct netns_observer slow;
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	slow = observer;
	slow.enter = enter_slowly;
	slow.turn = turn_of;
	table.observer = &slow;
	turn_init(&crowd_turn);
	turn_init(&quiet_turn);
	for (uint64_t i = 0; i < COUNT; i++)
		get(100 + i);
	get(1);
	netns_table_work(&table, now);
	ck_assert_uint_ge(entered, 1);
	ck_assert_uint_le(entered, 5);
	ck_assert_uint_eq(table.visits, entered);
	ck_assert_uint_le(netns_table_due(&table), now);
	/* It was the second one, even if the first one has taken the whole slice. */
	if (entered == 1)
		netns_table_work(&table, now);
	ck_assert(list_empty(&quiet_turn.link));
	ck_assert(!list_empty(&crowd_turn.link));
	netns_end_turn(&crowd_turn);
	netns_end_turn(&quiet_turn);
	ck_assert_uint_le(netns_table_due(&table), now);
}
END_TEST

/* The pause after a long read does not delay the read for a reported listener. */
START_TEST(an_expected_listener_does_not_wait_for_the_rest)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);
	struct netns *ns = get(1);

	ns->burst_next = UINT64_MAX;
	ns->next = UINT64_MAX;
	ns->expected_at = now + NSEC_PER_MSEC;
	ns->earliest = now + NSEC_PER_SEC;
	netns_read_now(ns);
	ck_assert_uint_eq(netns_table_due(&table), now + NSEC_PER_MSEC);
}
END_TEST

START_TEST(a_cycle_costs_what_its_reads_cost)
{
	struct netns *adapts = get(1), *fixed = get(2);
	uint64_t cost;

	ck_assert_uint_eq(netns_table_poll(&table), 0);
	netns_set_interval(adapts, 0, true);
	netns_set_interval(fixed, 100, false);
	ck_assert_uint_eq(table.adapting, 1);
	cost = netns_table_poll(&table);
	ck_assert_uint_gt(cost, 0);
	ck_assert(adapts->again);
	ck_assert(!fixed->again);
	adapts->cost = 5;
	ck_assert_uint_eq(netns_table_poll(&table), 5);
	/* A helper must be forked. */
	adapts->parked = true;
	ck_assert_uint_gt(netns_table_poll(&table), 100 * 5);
	netns_free(adapts);
	ck_assert_uint_eq(table.adapting, 0);
	ck_assert_uint_eq(netns_table_poll(&table), 0);
}
END_TEST

START_TEST(a_worker_whose_views_change_is_listed_once)
{
	struct netns *ns = get(1);

	ck_assert_ptr_eq(table.views_changed.next, &ns->views_changed);
	netns_views_changed(ns);
	ck_assert_ptr_eq(table.views_changed.next, &ns->views_changed);
	ck_assert_ptr_eq(ns->views_changed.next, &table.views_changed);
	netns_free(ns);
	ck_assert(list_empty(&table.views_changed));
}
END_TEST

/* Begins a burst that the watcher pays for with this share. */
static void begin(struct netns *ns, struct burst *burst, struct share *share, int64_t saved)
{
	*share = (struct share){.saved = saved, .filled = clock_now(CLOCK_MONOTONIC)};
	*burst = (struct burst){.share = share};
	list_init(&burst->link);
	netns_begin_burst(ns, burst);
}

/* Works when only the burst is due. Returns whether the namespace was read. */
static bool reads(struct netns *ns, const struct burst *burst)
{
	size_t before = entered;

	ns->again = false;
	ns->next = UINT64_MAX;
	ns->improve = UINT64_MAX;
	ns->earliest = 0;
	netns_set_interval(ns, 0, true);
	work_all(burst->next);
	return entered > before && last_entered == ns;
}

/* A tree that forks without end spends the common allowance and the share of its watcher. Another
 * watcher has a share of its own, even in the same namespace. */
START_TEST(a_burst_does_not_wait_for_what_others_have_spent)
{
	struct netns *crowded = get(1), *quiet = get(2);
	struct burst spent, beside, elsewhere;
	struct share shares[3];
	uint64_t begun;

	schedule.resting = NSEC_PER_SEC;
	schedule.sharers = 3;
	work_all(clock_now(CLOCK_MONOTONIC));
	begin(crowded, &spent, &shares[0], -(int64_t)NSEC_PER_MSEC);
	begun = spent.begun;
	ck_assert(!reads(crowded, &spent));
	ck_assert_uint_gt(spent.next, begun + NSEC_PER_SEC);
	begin(quiet, &elsewhere, &shares[1], NSEC_PER_MSEC);
	ck_assert(reads(quiet, &elsewhere));
	ck_assert_int_lt(shares[1].saved, (int64_t)NSEC_PER_MSEC);
	begin(crowded, &beside, &shares[2], NSEC_PER_MSEC);
	ck_assert(reads(crowded, &beside));
	ck_assert_int_lt(shares[2].saved, (int64_t)NSEC_PER_MSEC);
	ck_assert_ptr_eq(schedule.payer, &shares[2]);
	/* Time that a cycle saves is available to all. */
	schedule.allowance.saved = (int64_t)NSEC_PER_MSEC;
	begin(crowded, &spent, &shares[0], -(int64_t)NSEC_PER_MSEC);
	ck_assert(reads(crowded, &spent));
	ck_assert_int_lt(schedule.allowance.saved, (int64_t)NSEC_PER_MSEC);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("netns");
	TCase *all = tcase_create("workers");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, there_is_one_for_each_namespace_and_way);
	tcase_add_test(all, only_those_that_are_due_are_visited);
	tcase_add_test(all, the_namespaces_of_a_crowd_are_read_in_slices_and_turns);
	tcase_add_test(all, an_expected_listener_does_not_wait_for_the_rest);
	tcase_add_test(all, a_cycle_costs_what_its_reads_cost);
	tcase_add_test(all, a_worker_whose_views_change_is_listed_once);
	tcase_add_test(all, a_burst_does_not_wait_for_what_others_have_spent);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
