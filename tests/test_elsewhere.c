/* SPDX-License-Identifier: MIT */
/* test_elsewhere.c - members that listen where they don't live, and what can't be followed */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fake_proc.h"
#include "support/fixture.h"
#include "support/sandbox.h"
#include "support/skip.h"
#include "watch/elsewhere.h"
#include "watch/subscription.h"

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

START_TEST(a_thread_may_live_elsewhere)
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

/* More threads than are looked at in one turn, of two processes, which take turns. */
START_TEST(none_of_many_threads_is_passed_over_for_ever)
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

/* The watch begins when the process has left the namespace in which its socket was made: that is
 * one that nobody is known to live in, or our own. */
START_TEST(a_socket_stays_where_it_was_made)
{
	unsigned int apart = _i ? SANDBOX_NETNS : geteuid() == 0 ? 0 : SANDBOX_USERNS;
	struct fixture root = fixture_start(apart);
	struct fixture_socket first, second;
	struct collect collect;

	first = fixture_listen_with(&root, "127.0.0.1", 0, LISTEN_BIND_ONLY);
	second = fixture_listen_with(&root, "127.0.0.1", 0, LISTEN_BIND_ONLY);
	fixture_unshare(&root);
	watch_with(&collect, root.pid, 1);
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

/* From here on in this process and its children. */
static void refuse_copies(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_getfd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		test_skip("no seccomp filter: %s", strerror(errno));
}

START_TEST(a_socket_that_is_nowhere_is_logged_once)
{
	struct fixture root = fixture_start(SANDBOX_NETNS);
	struct fixture_socket sockets[3];
	struct collect collect;

	for (int i = 0; i < 3; i++)
		sockets[i] = fixture_listen_with(&root, "127.0.0.1", 0, LISTEN_BIND_ONLY);
	fixture_unshare(&root);
	refuse_copies();
	watch_with(&collect, root.pid, 1);
	for (int i = 0; i < 3; i++)
		fixture_begin(&root, sockets[i]);
	collect_wait_message(&collect, "is not reported");
	collect_sync(&collect, &root, 3);
	ck_assert_uint_eq(collect_count_messages(&collect, "is not reported"), 1);
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

/* A ring holds it, and nothing says which. */
START_TEST(a_port_that_nobody_seems_to_hold_is_logged_once)
{
	struct fixture root = fixture_start(0);
	struct collect collect;

	watch_with(&collect, root.pid, 1);
	if (portwatch_get_notifier(collect.watcher, PORTWATCH_NOTICE_LISTEN, NULL, 0) ==
	    PORTWATCH_NOTIFIER_NONE)
		test_skip("no notifier");
	/* Its descriptor may be seen for a moment. */
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

/* --- what each tree is sure of: two roots, of which the first has a thread that moves and listens
 * all the time */

#define HOG 10
#define OTHER 20
#define THREAD 11

static struct fake_proc fake;
static struct context context;
static struct netns_table namespaces;
static struct subscription_table subscriptions;
static struct elsewhere elsewhere;
static struct process_tree *trees[2];

static void ignore(void *data, struct process_tree *tree, struct process *process)
{
	(void)data, (void)tree, (void)process;
}

static bool ignores_nobody(void *data, pid_t pid)
{
	(void)data, (void)pid;
	return false;
}

static void set_up_trees(void)
{
	static const struct process_hooks hooks = {ignores_nobody, ignore, ignore, NULL};

	fake_proc_setup(&fake, true);
	fake_proc_add(&fake, 1, 0, 0);
	fake_proc_add(&fake, HOG, 1, 100);
	fake_proc_add(&fake, OTHER, 1, 200);
	fake_proc_add(&fake, THREAD, 1, 110);
	context = (struct context){.procfs = fake.procfs};
	ck_assert_int_eq(process_table_new(&context.processes, &context.procfs, &hooks, NULL), 0);
	netns_table_init(&namespaces, &context, NULL, NULL, NULL);
	subscription_table_init(&subscriptions, &context, &namespaces);
	elsewhere_init(&elsewhere, &subscriptions);
	ck_assert_int_eq(process_tree_new(&trees[0], context.processes, HOG, 100, false, 9), 0);
	ck_assert_int_eq(process_tree_new(&trees[1], context.processes, OTHER, 200, false, 9), 0);
}

static void tear_down_trees(void)
{
	elsewhere_clear(&elsewhere);
	subscription_table_clear(&subscriptions);
	netns_table_clear(&namespaces);
	process_table_free(context.processes);
	fake_proc_teardown(&fake);
}

static void move_and_listen(pid_t pid, const char *netns, uint64_t socket)
{
	struct tcp_change change = {
		.listening = true,
		.pid = pid,
		.tid = THREAD,
		.family = AF_INET,
		.port = 80,
		.socket = socket,
	};

	fake_proc_netns(&fake, THREAD, netns);
	elsewhere_listened(&elsewhere, process_table_find(context.processes, pid), &change);
}

static size_t count_places_of(pid_t pid)
{
	const struct process *process = process_table_find(context.processes, pid);
	struct place *place = NULL;
	size_t count = 0;

	while ((place = elsewhere_next(&elsewhere, process, place)))
		count++;
	return count;
}

static size_t count_listens_of(pid_t pid)
{
	size_t count = 0;

	for (size_t i = 0; i < elsewhere.listen_count; i++)
		count += elsewhere.listens[i].pid == pid;
	return count;
}

START_TEST(a_tree_takes_nothing_from_the_share_of_another)
{
	char netns[16];

	move_and_listen(OTHER, "net:other", 1);
	for (int i = 0; i < 2 * PLACES_MAX; i++) {
		snprintf(netns, sizeof(netns), "net:%d", 100 + i);
		move_and_listen(HOG, netns, 100 + (uint64_t)i);
	}
	ck_assert_uint_eq(count_places_of(OTHER), 1);
	ck_assert_uint_eq(count_places_of(HOG), PLACES_MAX - 1);
	ck_assert_uint_eq(count_listens_of(OTHER), 1);
	ck_assert_uint_eq(count_listens_of(HOG), LISTENS_MAX - 1);
	/* Its own oldest ones have made room: up to half of all it takes from the other. */
	for (int i = 0; i < PLACES_MAX; i++) {
		snprintf(netns, sizeof(netns), "net:%d", 10000 + i);
		move_and_listen(OTHER, netns, 10000 + (uint64_t)i);
	}
	ck_assert_uint_eq(count_places_of(OTHER), PLACES_MAX / 2);
	ck_assert_uint_eq(count_places_of(HOG), PLACES_MAX / 2);
	ck_assert_uint_eq(count_listens_of(OTHER), LISTENS_MAX / 2);
	ck_assert_uint_eq(count_listens_of(HOG), LISTENS_MAX / 2);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("elsewhere");
	TCase *found = tcase_create("found"), *logged = tcase_create("logged");
	TCase *shares = tcase_create("shares");

	tcase_add_loop_test(found, a_thread_may_live_elsewhere, 0, 2);
	tcase_add_test(found, none_of_many_threads_is_passed_over_for_ever);
	tcase_add_loop_test(found, a_socket_stays_where_it_was_made, 0, 2);
	suite_add_tcase(suite, found);
	tcase_add_test(logged, a_socket_that_is_nowhere_is_logged_once);
	tcase_add_test(logged, a_port_that_nobody_seems_to_hold_is_logged_once);
	suite_add_tcase(suite, logged);
	tcase_add_checked_fixture(shares, set_up_trees, tear_down_trees);
	tcase_add_test(shares, a_tree_takes_nothing_from_the_share_of_another);
	suite_add_tcase(suite, shares);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
