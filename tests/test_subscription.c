/* SPDX-License-Identifier: MIT */
/* test_subscription.c - how the start of a subscription succeeds or fails, and how it ends */
#include <errno.h>
#include <stdlib.h>

#include "proc/process_scan.h"
#include "support/check_main.h"
#include "support/subscriber.h"
#include "util/clock.h"

static struct subscriber it;

static void setup(void)
{
	subscriber_setup(&it);
}

static void teardown(void)
{
	subscriber_teardown(&it);
}

static void begin_with(const struct options *options)
{
	fake_proc_directory(&it.fake, "10/fd");
	subscriber_begin(&it, options);
}

static void begin(void)
{
	struct options options = subscriber_options();

	begin_with(&options);
}

static uint64_t now(void)
{
	return it.subscription->created + 1;
}

static void expect_failure(int error, const char *message)
{
	ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_FAILED);
	ck_assert(it.outbox->decided);
	ck_assert_int_eq(it.outbox->result, error);
	ck_assert_msg(subscriber_messages(&it, message) == 1, "messages: %s", it.messages);
	ck_assert(list_empty(&it.subscription->views));
	ck_assert_uint_eq(subscription_due(it.subscription), UINT64_MAX);
}

START_TEST(a_new_subscription_waits_for_the_monitor)
{
	begin();
	ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_STARTING);
	ck_assert(it.table.changed);
	ck_assert_ptr_eq(it.table.busy.next, &it.subscription->busy);
	ck_assert_ptr_null(it.subscription->scope);
	ck_assert(!it.outbox->decided);
	/* This is the longest wait for any namespace. */
	ck_assert_uint_eq(subscription_due(it.subscription),
	                  it.subscription->created + 10 * NSEC_PER_SEC);
}
END_TEST

START_TEST(its_tree_is_found_by_its_members)
{
	const struct process_tree *tree;
	struct process *member;
	struct subscription *first, *second;
	struct options options = subscriber_options();

	begin();
	first = it.subscription;
	subscription_advance(first, now());
	ck_assert_ptr_nonnull(first->scope);
	tree = scope_tree(first->scope);
	ck_assert_ptr_eq(it.table.moved.next, &first->moved);
	ck_assert_ptr_eq(subscription_find(&it.table, tree), first);
	ck_assert_ptr_null(subscription_find_next(first));
	member = process_table_find(it.context.processes, 20);
	ck_assert_ptr_nonnull(member);
	ck_assert_ptr_eq(subscription_of(&it.table, member, NULL), first);
	ck_assert_ptr_null(subscription_of(&it.table, member, first));
	/* Another subscription to the same tree. */
	ck_assert_uint_eq(it.schedule.sharers, 1);
	it.outbox->references++;
	{
		struct subscription_setup setup = {
			.pid = 10, .start_time = 100, .options = options, .outbox = it.outbox};

		ck_assert_int_eq(subscription_new(&second, &it.table, &setup), 0);
	}
	ck_assert_uint_eq(it.schedule.sharers, 2);
	subscription_advance(second, now());
	ck_assert_ptr_eq(scope_tree(second->scope), tree);
	ck_assert(subscription_of(&it.table, member, NULL) != NULL);
	ck_assert(subscription_of(&it.table, member, subscription_of(&it.table, member, NULL)) !=
	          NULL);
	subscription_free(second);
	ck_assert_uint_eq(it.schedule.sharers, 1);
	ck_assert_ptr_eq(subscription_find(&it.table, tree), first);
	ck_assert_ptr_null(subscription_find_next(first));
}
END_TEST

START_TEST(without_the_process_the_subscription_fails)
{
	begin();
	if (_i) {
		fake_proc_remove(&it.fake, 10);
		fake_proc_add(&it.fake, 10, 1, 999);
	} else {
		fake_proc_remove(&it.fake, 10);
	}
	subscription_advance(it.subscription, now());
	expect_failure(-ESRCH, "cannot watch PID 10: no such process (it has exited)");
}
END_TEST

START_TEST(a_subscription_runs_after_reads_and_searches)
{
	struct listener row = subscriber_listener(80, 1);
	struct socket *socket;
	bool any;

	begin();
	subscription_advance(it.subscription, now());
	subscription_advance(it.subscription, now());
	ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_STARTING);
	subscriber_place(&it);
	subscription_advance(it.subscription, now());
	ck_assert(it.subscription->placed);
	ck_assert(!subscription_is_read(it.subscription, &any));
	ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_STARTING);
	subscriber_read(&it, &row, 1);
	ck_assert(subscription_is_read(it.subscription, &any));
	ck_assert(any);
	/* The owner of the socket is still unknown. */
	subscription_advance(it.subscription, now());
	ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_STARTING);
	socket = subscriber_socket(&it, &row);
	subscriber_holds(&it, 20, 200, &socket, 1);
	socket_hold(socket);
	subscription_advance(it.subscription, now());
	ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_RUNNING);
	ck_assert_int_eq(it.outbox->result, 0);
	ck_assert_uint_eq(it.outbox->initial, 1);
	ck_assert(subscriber_event(&it, PORTWATCH_EVENT_OPEN).initial);
}
END_TEST

START_TEST(a_view_that_came_later_is_not_waited_for)
{
	struct netns_id id = {.dev = 1, .ino = 8};
	struct netns *other;
	bool any;

	begin();
	subscription_advance(it.subscription, now());
	subscriber_place(&it);
	subscription_advance(it.subscription, now());
	other = netns_get(&it.namespaces, &id, PORTWATCH_READER_AUTO, PORTWATCH_TABLE_AUTO);
	ck_assert_ptr_nonnull(view_get(it.subscription, other));
	ck_assert(!subscription_is_read(it.subscription, &any));
	subscriber_read(&it, NULL, 0);
	ck_assert(subscription_is_read(it.subscription, &any));
	subscription_advance(it.subscription, now());
	ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_RUNNING);
}
END_TEST

START_TEST(without_any_reader_the_subscription_fails)
{
	begin();
	subscription_advance(it.subscription, now());
	subscriber_place(&it);
	it.ns->exhausted = true;
	it.ns->failure.error = EPERM;
	subscription_advance(it.subscription, now());
	expect_failure(-EPERM, "its network namespace cannot be read");
}
END_TEST

/* A running read has a deadline of its own and is abandoned after a minute here. */
START_TEST(a_slow_read_is_waited_for)
{
	uint64_t created;

	begin();
	created = it.subscription->created;
	subscription_advance(it.subscription, now());
	subscriber_place(&it);
	it.ns->pending = true;
	subscription_advance(it.subscription, created + 10 * NSEC_PER_SEC - 1);
	ck_assert_uint_eq(it.subscription->deadline, created + 10 * NSEC_PER_SEC);
	for (uint64_t second = 10; second < 60; second++) {
		subscription_advance(it.subscription, created + second * NSEC_PER_SEC);
		ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_STARTING);
		ck_assert_uint_eq(it.subscription->deadline, created + (second + 1) * NSEC_PER_SEC);
	}
	subscription_advance(it.subscription, created + 60 * NSEC_PER_SEC);
	expect_failure(-ETIMEDOUT, "were not read within 60 seconds");
}
END_TEST

START_TEST(without_a_pending_read_the_subscription_fails_sooner)
{
	begin();
	subscription_advance(it.subscription, now());
	subscriber_place(&it);
	subscription_advance(it.subscription, it.subscription->created + 10 * NSEC_PER_SEC);
	expect_failure(-ETIMEDOUT, "were not read within 10 seconds");
}
END_TEST

START_TEST(a_namespace_that_is_not_read_in_time_is_left_out)
{
	struct netns_id id = {.dev = 1, .ino = 8};
	struct netns *other;

	begin();
	subscription_advance(it.subscription, now());
	subscriber_place(&it);
	other = netns_get(&it.namespaces, &id, PORTWATCH_READER_AUTO, PORTWATCH_TABLE_AUTO);
	ck_assert_ptr_nonnull(view_get(it.subscription, other));
	subscriber_read(&it, NULL, 0);
	subscription_advance(it.subscription, now());
	ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_STARTING);
	subscription_advance(it.subscription, it.subscription->created + 10 * NSEC_PER_SEC);
	ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_RUNNING);
	ck_assert_int_eq(it.outbox->result, 0);
}
END_TEST

START_TEST(an_error_of_the_search_fails_the_subscription)
{
	begin();
	subscription_advance(it.subscription, now());
	subscriber_place(&it);
	it.subscription->scan_error = -ENOMEM;
	subscription_advance(it.subscription, now());
	expect_failure(-ENOMEM, "cannot watch PID 10: ");
}
END_TEST

/* In scope netns the ports may belong to other processes, and stay open. */
START_TEST(the_end_comes_after_its_ports)
{
	struct options options = subscriber_options();
	struct listener row = subscriber_listener(80, 1);
	struct socket *socket;

	options.scope = _i ? PORTWATCH_SCOPE_NETNS : PORTWATCH_SCOPE_TREE;
	begin_with(&options);
	subscription_advance(it.subscription, now());
	subscriber_place(&it);
	subscriber_read(&it, &row, 1);
	socket = subscriber_socket(&it, &row);
	subscriber_holds(&it, 20, 200, &socket, 1);
	socket_hold(socket);
	subscription_advance(it.subscription, now());
	subscriber_event(&it, PORTWATCH_EVENT_OPEN);
	subscription_check_end(it.subscription);
	ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_RUNNING);
	fake_proc_remove(&it.fake, 20);
	fake_proc_remove(&it.fake, 10);
	ck_assert_int_eq(process_table_refresh(it.context.processes), 0);
	subscription_check_end(it.subscription);
	ck_assert_int_eq(it.subscription->state, SUBSCRIPTION_ENDED);
	if (!_i)
		subscriber_event(&it, PORTWATCH_EVENT_CLOSE);
	ck_assert_int_eq(subscriber_event(&it, PORTWATCH_EVENT_END).pid, 10);
	subscriber_no_event(&it);
	subscription_check_end(it.subscription);
	subscriber_no_event(&it);
	ck_assert_uint_eq(subscription_due(it.subscription), UINT64_MAX);
	ck_assert(list_empty(&it.subscription->views));
}
END_TEST

START_TEST(more_members_than_allowed_are_logged)
{
	struct options options = subscriber_options();

	options.members = 1;
	begin_with(&options);
	subscription_advance(it.subscription, now());
	ck_assert_uint_eq(scope_count(it.subscription->scope), 1);
	ck_assert_uint_eq(subscriber_messages(&it, "more than 1 processes"), 1);
}
END_TEST

/* In a pause nothing is due that must wait for its end. Otherwise the monitor would look again and
 * again for as long as the pause lasts. */
START_TEST(work_that_must_wait_is_not_due_in_a_pause)
{
	struct subscription *subscription;
	uint64_t time;

	begin();
	subscription_advance(it.subscription, now());
	subscriber_place(&it);
	subscriber_run(&it);
	subscription = it.subscription;
	time = clock_now(CLOCK_MONOTONIC);
	subscription->owners.earliest = time + 1000 * NSEC_PER_SEC;
	subscription->verify = time;
	ck_assert(owners_resolve(subscription, time));
	ck_assert_uint_eq(subscription->owners.phase, OWNERS_IDLE);
	ck_assert_uint_eq(subscription_due(subscription), subscription->owners.earliest);
	/* A long search pauses between its slices too. */
	subscription->owners.phase = OWNERS_MEMBERS;
	subscription->owners.complete = true;
	subscription->owners.paced = time + 500 * NSEC_PER_SEC;
	ck_assert(owners_resolve(subscription, time));
	ck_assert_uint_eq(subscription->owners.phase, OWNERS_MEMBERS);
	ck_assert_uint_eq(subscription_due(subscription), subscription->owners.paced);
	/* The next slice is the last one of this search. */
	ck_assert(owners_resolve(subscription, subscription->owners.paced));
	ck_assert_uint_eq(subscription->owners.phase, OWNERS_IDLE);
	ck_assert_uint_gt(subscription->owners.earliest, time + NSEC_PER_SEC / 2);
}
END_TEST

enum { CROWD = 50000 };

/* The result of a search may be tens of thousands of ports, which others must not wait for. */
START_TEST(the_result_of_a_search_comes_in_slices)
{
	struct listener *rows = calloc(CROWD, sizeof(*rows));
	struct socket **sockets = calloc(CROWD, sizeof(struct socket *));
	struct options options = subscriber_options();
	struct subscription *subscription;
	unsigned int slices = 0, before;

	ck_assert(rows && sockets);
	options.ports = CROWD;
	begin_with(&options);
	subscription_advance(it.subscription, now());
	subscriber_place(&it);
	subscriber_run(&it);
	subscription = it.subscription;
	for (int i = 0; i < CROWD; i++)
		rows[i] = subscriber_listener((uint16_t)(i + 1), (uint64_t)i + 1);
	subscriber_read(&it, rows, CROWD);
	for (int i = 0; i < CROWD; i++)
		sockets[i] = subscriber_socket(&it, &rows[i]);
	subscriber_holds(&it, 20, 200, sockets, CROWD);
	ck_assert_uint_eq(subscription->pending, CROWD);
	/* Everything is scanned. */
	subscription->owners.phase = OWNERS_MEMBERS;
	subscription->owners.complete = true;
	while (subscription->owners.phase != OWNERS_IDLE) {
		before = subscription->port_count;
		subscription->owners.paced = 0;
		ck_assert(owners_resolve(subscription, clock_now(CLOCK_MONOTONIC)));
		ck_assert_uint_lt(subscription->port_count - before, CROWD);
		slices++;
	}
	ck_assert_uint_gt(slices, 1);
	ck_assert_uint_eq(subscription->port_count, CROWD);
	ck_assert_uint_eq(subscription->pending, 0);
	free(sockets);
	free(rows);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("subscription");
	TCase *start = tcase_create("start"), *end = tcase_create("end");

	tcase_add_checked_fixture(start, setup, teardown);
	tcase_add_test(start, a_new_subscription_waits_for_the_monitor);
	tcase_add_test(start, its_tree_is_found_by_its_members);
	tcase_add_loop_test(start, without_the_process_the_subscription_fails, 0, 2);
	tcase_add_test(start, a_subscription_runs_after_reads_and_searches);
	tcase_add_test(start, a_view_that_came_later_is_not_waited_for);
	tcase_add_test(start, without_any_reader_the_subscription_fails);
	tcase_add_test(start, a_slow_read_is_waited_for);
	tcase_add_test(start, without_a_pending_read_the_subscription_fails_sooner);
	tcase_add_test(start, a_namespace_that_is_not_read_in_time_is_left_out);
	tcase_add_test(start, an_error_of_the_search_fails_the_subscription);
	tcase_add_test(start, more_members_than_allowed_are_logged);
	suite_add_tcase(suite, start);
	tcase_add_checked_fixture(end, setup, teardown);
	tcase_add_test(end, work_that_must_wait_is_not_due_in_a_pause);
	tcase_add_test(end, the_result_of_a_search_comes_in_slices);
	tcase_add_loop_test(end, the_end_comes_after_its_ports, 0, 2);
	suite_add_tcase(suite, end);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
