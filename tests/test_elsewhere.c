/* SPDX-License-Identifier: MIT */
/* test_elsewhere.c - namespaces in which members listen but don't live */
#include <stdio.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/sandbox.h"
#include "support/skip.h"
#include "support/two_trees.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE

static void watch_with(struct collect *collect, pid_t pid, int notifier)
{
	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_notifier(collect->watcher, notifier), 0);
	collect_start(collect);
	if (notifier && portwatch_get_notifier(collect->watcher, PORTWATCH_NOTICE_LISTEN, NULL,
	                                       0) == PORTWATCH_NOTIFIER_NONE)
		test_skip("no notifier");
}

START_TEST(a_thread_can_be_in_another_namespace)
{
	struct fixture root = fixture_start(SANDBOX_NETNS), thread = fixture_fork(&root);
	struct fixture_socket socket;
	struct collected event;
	struct collect collect;

	watch_with(&collect, root.pid, _i);
	fixture_thread(&thread, THREAD_NETNS);
	for (int i = 0; i < 3; i++) {
		socket = fixture_listen(&thread, "127.0.0.1", 0);
		event = collect_wait(&collect, OPEN, NULL, socket.port);
		ck_assert_int_eq(event.pid, thread.pid);
		ck_assert_uint_ne(event.netns, 0);
		ck_assert_uint_ne(event.netns, sandbox_netns(root.pid));
		fixture_close(&thread, socket);
		collect_wait(&collect, CLOSE, NULL, socket.port);
	}
	collect_free(&collect);
	fixture_end(&thread);
	fixture_end(&root);
}
END_TEST

/* Two processes, which are scanned alternately, have more threads than one pass scans. */
START_TEST(each_of_many_threads_is_located)
{
	struct fixture root = fixture_start(SANDBOX_NETNS), members[2];
	struct fixture_socket sockets[2];
	struct collect collect;

	for (int i = 0; i < 2; i++) {
		members[i] = fixture_fork(&root);
		for (int more = 0; more < 70; more++)
			fixture_thread(&members[i], 0);
		fixture_thread(&members[i], THREAD_NETNS);
		sockets[i] = fixture_listen(&members[i], "127.0.0.1", 0);
	}
	watch_with(&collect, root.pid, 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(collect_wait(&collect, OPEN, NULL, sockets[i].port).pid,
		                 members[i].pid);
	collect_free(&collect);
	for (int i = 0; i < 2; i++)
		fixture_end(&members[i]);
	fixture_end(&root);
}
END_TEST

/* --- what each tree is guaranteed: two roots, of which the first has a thread that keeps moving */

#define THREAD 11

static struct two_trees two;

static void set_up_trees(void)
{
	two_trees_start(&two);
	fake_proc_add(&two.fake, THREAD, 1, 110);
}

static void tear_down_trees(void)
{
	two_trees_end(&two);
}

static void move(pid_t pid, const char *netns)
{
	fake_proc_netns(&two.fake, THREAD, netns);
	elsewhere_look_at(&two.elsewhere, process_table_find(two.context.processes, pid), THREAD);
}

static size_t count_places_of(pid_t pid)
{
	const struct process *process = process_table_find(two.context.processes, pid);
	struct place *place = NULL;
	size_t count = 0;

	while ((place = elsewhere_next(&two.elsewhere, process, place)))
		count++;
	return count;
}

START_TEST(a_tree_takes_nothing_from_the_share_of_another)
{
	char netns[16];

	move(OTHER, "net:other");
	for (int i = 0; i < 2 * PLACES_MAX; i++) {
		snprintf(netns, sizeof(netns), "net:%d", 100 + i);
		move(HOG, netns);
	}
	ck_assert_uint_eq(count_places_of(OTHER), 1);
	ck_assert_uint_eq(count_places_of(HOG), PLACES_MAX - 1);
	/* The other tree takes at most half of all places. After that, its own oldest entries are
	 * replaced. */
	for (int i = 0; i < PLACES_MAX; i++) {
		snprintf(netns, sizeof(netns), "net:%d", 10000 + i);
		move(OTHER, netns);
	}
	ck_assert_uint_eq(count_places_of(OTHER), PLACES_MAX / 2);
	ck_assert_uint_eq(count_places_of(HOG), PLACES_MAX / 2);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("elsewhere");
	TCase *found = tcase_create("found"), *shares = tcase_create("shares");

	tcase_add_loop_test(found, a_thread_can_be_in_another_namespace, 0, 2);
	tcase_add_test(found, each_of_many_threads_is_located);
	suite_add_tcase(suite, found);
	tcase_add_checked_fixture(shares, set_up_trees, tear_down_trees);
	tcase_add_test(shares, a_tree_takes_nothing_from_the_share_of_another);
	suite_add_tcase(suite, shares);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
