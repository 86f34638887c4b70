/* SPDX-License-Identifier: MIT */
/* test_unseen.c - reported listen(2) calls that lead to no port: found elsewhere, or logged */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/deny.h"
#include "support/fixture.h"
#include "support/sandbox.h"
#include "support/skip.h"
#include "support/two_trees.h"
#include "watch/unseen.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE

static void watch_notified(struct collect *collect, pid_t pid)
{
	collect_new(collect, pid);
	collect_start(collect);
	if (portwatch_get_notifier(collect->watcher, PORTWATCH_NOTICE_LISTEN, NULL, 0) ==
	    PORTWATCH_NOTIFIER_NONE)
		test_skip("no notifier");
}

/* The watch begins after the process has left the namespace in which its socket was made. This
 * namespace is ours, or it has no known member. */
START_TEST(a_socket_stays_where_it_was_made)
{
	unsigned int apart = _i ? SANDBOX_NETNS : geteuid() == 0 ? 0 : SANDBOX_USERNS;
	struct fixture root = fixture_start(apart);
	struct fixture_socket first, second;
	struct collect collect;

	first = fixture_listen_with(&root, "127.0.0.1", 0, LISTEN_BIND_ONLY);
	second = fixture_listen_with(&root, "127.0.0.1", 0, LISTEN_BIND_ONLY);
	fixture_unshare(&root);
	watch_notified(&collect, root.pid);
	fixture_begin(&root, first);
	ck_assert_int_eq(collect_wait(&collect, OPEN, NULL, first.port).pid, root.pid);
	fixture_begin(&root, second);
	ck_assert_int_eq(collect_wait(&collect, OPEN, NULL, second.port).pid, root.pid);
	fixture_close(&root, first);
	collect_wait(&collect, CLOSE, NULL, first.port);
	fixture_close(&root, second);
	collect_wait(&collect, CLOSE, NULL, second.port);
	ck_assert_uint_eq(collect_count_messages(&collect, "is not reported"), 0);
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

START_TEST(a_socket_that_is_nowhere_is_logged_once)
{
	struct fixture root = fixture_start(SANDBOX_NETNS);
	struct fixture_socket sockets[3];
	struct collect collect;

	for (int i = 0; i < 3; i++)
		sockets[i] = fixture_listen_with(&root, "127.0.0.1", 0, LISTEN_BIND_ONLY);
	fixture_unshare(&root);
	if (deny_call(SYS_pidfd_getfd, EPERM) < 0)
		test_skip("no seccomp filter");
	watch_notified(&collect, root.pid);
	for (int i = 0; i < 3; i++)
		fixture_begin(&root, sockets[i]);
	collect_wait_message(&collect, "is not reported");
	collect_sync(&collect, &root, 3);
	ck_assert_uint_eq(collect_count_messages(&collect, "is not reported"), 1);
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

/* A ring holds the socket, and the kernel does not show which ring. */
START_TEST(an_ownerless_port_is_logged_once)
{
	struct fixture root = fixture_start(0);
	struct collect collect;

	watch_notified(&collect, root.pid);
	/* The descriptor may be visible for a moment. */
	for (int i = 0; i < 20 && collect_count_messages(&collect, "is not reported") == 0; i++) {
		fixture_listen_with(&root, "127.0.0.1", 0, LISTEN_HIDDEN);
		poll(NULL, 0, 500);
	}
	ck_assert_uint_eq(collect_count_messages(&collect, "is not reported"), 1);
	for (int i = 0; i < 3; i++)
		fixture_listen_with(&root, "127.0.0.1", 0, LISTEN_HIDDEN);
	collect_sync(&collect, &root, 3);
	ck_assert_uint_eq(collect_count_messages(&collect, "is not reported"), 1);
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

/* --- what each tree is guaranteed: two roots, of which the first listens all the time */

static struct two_trees two;
static struct unseen unseen;

static void set_up_trees(void)
{
	two_trees_start(&two);
	unseen_init(&unseen, &two.elsewhere);
}

static void tear_down_trees(void)
{
	unseen_clear(&unseen);
	two_trees_end(&two);
}

static void listen_often(pid_t pid, uint64_t first_socket, int times)
{
	struct tcp_change change = {
		.listening = true,
		.pid = pid,
		.tid = pid,
		.family = AF_INET,
		.port = 80,
		.socket = first_socket,
	};

	for (; times > 0; times--, change.socket++)
		unseen_listened(&unseen, process_table_find(two.context.processes, pid), &change);
}

static size_t count_listens_of(pid_t pid)
{
	size_t count = 0;

	for (size_t i = 0; i < unseen.listen_count; i++)
		count += unseen.listens[i].pid == pid;
	return count;
}

START_TEST(a_tree_takes_nothing_from_the_share_of_another)
{
	listen_often(OTHER, 1, 1);
	listen_often(HOG, 100, 2 * LISTENS_MAX);
	ck_assert_uint_eq(count_listens_of(OTHER), 1);
	ck_assert_uint_eq(count_listens_of(HOG), LISTENS_MAX - 1);
	/* The other tree takes at most half of all places. After that, its own oldest entries are
	 * replaced. */
	listen_often(OTHER, 10000, LISTENS_MAX);
	ck_assert_uint_eq(count_listens_of(OTHER), LISTENS_MAX / 2);
	ck_assert_uint_eq(count_listens_of(HOG), LISTENS_MAX / 2);
}
END_TEST

START_TEST(a_closed_socket_is_not_probed)
{
	listen_often(OTHER, 1, 3);
	unseen_ended(&unseen, 2);
	ck_assert_uint_eq(count_listens_of(OTHER), 2);
	unseen_ended(&unseen, 2);
	unseen_ended(&unseen, 1);
	ck_assert_uint_eq(count_listens_of(OTHER), 1);
	ck_assert_uint_eq(unseen.listens[0].socket, 3);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("unseen");
	TCase *found = tcase_create("found"), *logged = tcase_create("logged");
	TCase *shares = tcase_create("shares");

	tcase_add_loop_test(found, a_socket_stays_where_it_was_made, 0, 2);
	suite_add_tcase(suite, found);
	tcase_add_test(logged, a_socket_that_is_nowhere_is_logged_once);
	tcase_add_test(logged, an_ownerless_port_is_logged_once);
	suite_add_tcase(suite, logged);
	tcase_add_checked_fixture(shares, set_up_trees, tear_down_trees);
	tcase_add_test(shares, a_tree_takes_nothing_from_the_share_of_another);
	tcase_add_test(shares, a_closed_socket_is_not_probed);
	suite_add_tcase(suite, shares);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
