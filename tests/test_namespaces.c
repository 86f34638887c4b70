/* SPDX-License-Identifier: MIT */
/* test_namespaces.c - trees in network namespaces: namespaces are separate, shared by watchers, and
 * released */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/clock.h"
#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/process_list.h"
#include "support/sandbox.h"
#include "support/skip.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define END PORTWATCH_EVENT_END

START_TEST(ports_of_other_namespaces_are_not_ours)
{
	struct fixture here = fixture_start(SANDBOX_NETNS), there = fixture_start(SANDBOX_NETNS);
	struct collect a, b;

	fixture_listen(&here, "127.0.0.1", 8001);
	collect_watch(&a, here.pid);
	collect_watch(&b, there.pid);
	fixture_listen(&there, "127.0.0.1", 8002);
	collect_wait(&b, OPEN, NULL, 8002);
	collect_sync(&a, &here, 2);
	collect_sync(&b, &there, 2);
	ck_assert_uint_eq(collect_count(&a, OPEN, NULL, 8001), 1);
	ck_assert_uint_eq(collect_count(&a, OPEN, NULL, 8002), 0);
	ck_assert_uint_eq(collect_count(&b, OPEN, NULL, 8001), 0);
	collect_free(&a);
	collect_free(&b);
	fixture_end(&here);
	fixture_end(&there);
}
END_TEST

START_TEST(one_tree_in_two_namespaces_has_two_ports)
{
	struct fixture root = fixture_start(SANDBOX_NETNS), child = fixture_fork(&root);
	struct fixture_socket socket;
	struct collect collect;
	struct collected event;

	fixture_listen(&root, "127.0.0.1", 8000);
	fixture_unshare(&child);
	collect_watch(&collect, root.pid);
	collect_wait(&collect, OPEN, "127.0.0.1", 8000);
	socket = fixture_listen(&child, "127.0.0.1", 8000);
	event = collect_wait_count(&collect, OPEN, "127.0.0.1", 8000, 2);
	ck_assert_int_eq(event.pid, child.pid);
	ck_assert_uint_eq(event.netns, sandbox_netns(child.pid));
	ck_assert_uint_ne(event.netns, collect.events[0].netns);
	/* One of the two sockets is closed. */
	fixture_close(&child, socket);
	event = collect_wait(&collect, CLOSE, "127.0.0.1", 8000);
	ck_assert_uint_eq(event.netns, sandbox_netns(child.pid));
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&root);
}
END_TEST

START_TEST(a_member_that_moves_is_followed)
{
	struct fixture root = fixture_start(SANDBOX_NETNS);
	struct collect collect;
	struct collected event;

	collect_new(&collect, root.pid);
	ck_assert_int_eq(portwatch_set_notifier(collect.watcher, _i), 0);
	collect_start(&collect);
	for (uint16_t round = 0; round < 3; round++) {
		fixture_unshare(&root);
		fixture_listen(&root, "127.0.0.1", (uint16_t)(8000 + round));
		event = collect_wait(&collect, OPEN, "127.0.0.1", (uint16_t)(8000 + round));
		ck_assert_uint_eq(event.netns, sandbox_netns(root.pid));
	}
	/* The sockets in the namespaces that the process has left remain open. */
	collect_sync(&collect, &root, 4);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 8000), 0);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 8001), 0);
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

static int count_namespaces(const struct portwatch_namespace *ns, void *data)
{
	uint64_t *inode = data;

	*inode = portwatch_namespace_get_inode(ns);
	ck_assert_int_eq(portwatch_namespace_get_reader(ns), PORTWATCH_READER_SETNS);
	ck_assert_ptr_nonnull(portwatch_namespace_get_reason(ns));
	return 0;
}

START_TEST(watchers_share_the_worker_and_not_the_news)
{
	struct fixture parent = fixture_start(SANDBOX_NETNS);
	struct fixture left = fixture_fork(&parent), right = fixture_fork(&parent);
	struct collect a, b, both;
	uint64_t inode = 0;

	collect_watch(&a, left.pid);
	collect_watch(&b, right.pid);
	collect_watch(&both, parent.pid);
	fixture_listen(&left, "127.0.0.1", 8001);
	fixture_listen(&right, "127.0.0.1", 8002);
	collect_wait(&a, OPEN, NULL, 8001);
	collect_wait(&b, OPEN, NULL, 8002);
	collect_wait(&both, OPEN, NULL, 8001);
	collect_wait(&both, OPEN, NULL, 8002);
	collect_sync(&a, &left, 2);
	collect_sync(&b, &right, 2);
	ck_assert_uint_eq(collect_count(&a, OPEN, NULL, 8002), 0);
	ck_assert_uint_eq(collect_count(&b, OPEN, NULL, 8001), 0);
	ck_assert_int_eq(portwatch_each_namespace(both.watcher, count_namespaces, &inode), 1);
	ck_assert_uint_eq(inode, sandbox_netns(parent.pid));
	/* The three fixtures' parent, and one helper for all watchers. */
	ck_assert_uint_eq(process_children(), 2);
	collect_free(&a);
	collect_free(&b);
	/* The last watcher still works. */
	fixture_listen(&left, "127.0.0.1", 8003);
	collect_wait(&both, OPEN, NULL, 8003);
	collect_free(&both);
	ck_assert_uint_eq(process_children(), 1);
	fixture_end(&left);
	fixture_end(&right);
	fixture_end(&parent);
}
END_TEST

START_TEST(scope_netns_reports_non_members)
{
	struct fixture parent = fixture_start(SANDBOX_NETNS), root = fixture_fork(&parent);
	struct fixture_socket foreign = fixture_listen(&parent, "127.0.0.1", 8001);
	struct collect collect;
	struct collected event;

	collect_new(&collect, root.pid);
	ck_assert_int_eq(portwatch_set_scope(collect.watcher, PORTWATCH_SCOPE_NETNS), 0);
	collect_start(&collect);
	event = collect_wait(&collect, OPEN, NULL, 8001);
	ck_assert_int_eq(event.pid, parent.pid);
	ck_assert_str_eq(event.process, "puppet");
	ck_assert_uint_eq(event.owners, 1);
	ck_assert_uint_eq(event.inode, foreign.inode);
	fixture_listen(&root, "127.0.0.1", 8002);
	event = collect_wait(&collect, OPEN, NULL, 8002);
	ck_assert_int_eq(event.pid, root.pid);
	fixture_close(&parent, foreign);
	collect_wait(&collect, CLOSE, NULL, 8001);
	collect_free(&collect);
	fixture_end(&root);
	fixture_end(&parent);
}
END_TEST

static void watch_namespace(struct collect *collect, pid_t pid)
{
	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_scope(collect->watcher, PORTWATCH_SCOPE_NETNS), 0);
	collect_start(collect);
}

START_TEST(scope_netns_ends_and_closes_nothing)
{
	struct fixture parent = fixture_start(SANDBOX_NETNS), root = fixture_fork(&parent);
	struct collect collect;

	fixture_listen(&parent, "127.0.0.1", 8001);
	watch_namespace(&collect, root.pid);
	collect_wait(&collect, OPEN, NULL, 8001);
	fixture_end(&root);
	collect_wait(&collect, END, NULL, 0);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 0), 0);
	collect_free(&collect);
	fixture_end(&parent);
}
END_TEST

/* The port stays in scope, so that its real end is reported. */
START_TEST(scope_netns_closes_nothing_when_its_target_moves)
{
	struct fixture parent = fixture_start(SANDBOX_NETNS), root = fixture_fork(&parent);
	struct fixture_socket stays = fixture_listen(&parent, "127.0.0.1", 8001);
	struct collect collect;

	watch_namespace(&collect, root.pid);
	collect_wait(&collect, OPEN, NULL, 8001);
	fixture_unshare(&root);
	fixture_listen(&root, "127.0.0.1", 8002);
	collect_wait(&collect, OPEN, NULL, 8002);
	collect_sync(&collect, &root, 3);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 8001), 0);
	fixture_close(&parent, stays);
	collect_wait(&collect, CLOSE, NULL, 8001);
	collect_free(&collect);
	fixture_end(&root);
	fixture_end(&parent);
}
END_TEST

/* Kills each current helper. The library may start others. */
static void kill_helpers(const struct fixture *root)
{
	pid_t known[16] = {root->pid}, helper;

	for (size_t i = 1; i < 15 && (helper = process_other_child(known)) != 0; i++) {
		kill(helper, SIGKILL);
		known[i] = helper;
	}
}

/* The only member in the namespace has left it and kept a socket. The helper of the namespace has
 * ended. */
START_TEST(a_namespace_is_entered_through_a_socket)
{
	struct fixture root = fixture_start(geteuid() == 0 ? 0 : SANDBOX_USERNS);
	struct fixture child = fixture_fork(&root);
	struct fixture_socket first, second;
	struct collect collect;

	fixture_unshare(&child);
	first = fixture_listen(&child, "127.0.0.1", 8001);
	second = fixture_listen_with(&child, "127.0.0.1", 8002, LISTEN_BIND_ONLY);
	collect_watch(&collect, root.pid);
	collect_wait(&collect, OPEN, NULL, 8001);
	fixture_unshare(&child);
	collect_sync(&collect, &child, 2);
	kill_helpers(&root);
	/* The library reads the namespace again. */
	fixture_begin(&child, second);
	ck_assert_int_eq(collect_wait(&collect, OPEN, NULL, 8002).pid, child.pid);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 8001), 0);
	fixture_close(&child, first);
	collect_wait(&collect, CLOSE, NULL, 8001);
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&root);
}
END_TEST

/* The namespace is read through its process, which moves. The library then knows only that the
 * socket is held. */
START_TEST(a_namespace_that_can_not_be_read_has_no_news)
{
	struct fixture root = fixture_start(geteuid() == 0 ? 0 : SANDBOX_USERNS);
	struct fixture child = fixture_fork(&root);
	struct fixture_socket stays;
	struct collect collect;
	struct collected event;

	fixture_unshare(&child);
	stays = fixture_listen(&child, "127.0.0.1", 8001);
	collect_new(&collect, root.pid);
	ck_assert_int_eq(portwatch_set_reader(collect.watcher, PORTWATCH_READER_PROCFS), 0);
	collect_start(&collect);
	collect_wait(&collect, OPEN, NULL, 8001);
	fixture_unshare(&child);
	collect_sync(&collect, &child, 5);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 8001), 0);
	/* No process holds the socket any longer: the library needs no table to see this. */
	fixture_close(&child, stays);
	event = collect_wait(&collect, CLOSE, NULL, 8001);
	ck_assert_int_eq(event.pid, child.pid);
	ck_assert_uint_eq(event.inode, stays.inode);
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&root);
}
END_TEST

/* A pair of interfaces exists as long as the namespace at its other end. */
START_TEST(a_namespace_is_let_go_with_its_last_member)
{
	struct fixture host, tree;
	struct collect collect;
	char name[16];
	uint64_t end;

	sandbox_enter();
	host = fixture_start(0);
	tree = fixture_fork(&host);
	fixture_unshare(&tree);
	snprintf(name, sizeof(name), "pw%d", getpid());
	ck_assert_int_eq(sandbox_veth(name, tree.pid), 0);
	collect_new(&collect, _i % 2 ? host.pid : tree.pid);
	ck_assert_int_eq(
		portwatch_set_reader(collect.watcher, way(_i).reader == PORTWATCH_READER_LOCAL
	                                                      ? PORTWATCH_READER_AUTO
	                                                      : way(_i).reader),
		0);
	collect_start(&collect);
	fixture_listen(&tree, "127.0.0.1", 8000);
	collect_wait(&collect, OPEN, NULL, 8000);
	ck_assert(!sandbox_link_gone(name, 0));
	fixture_end(&tree);
	end = clock_now(CLOCK_MONOTONIC);
	ck_assert_msg(sandbox_link_gone(name, 10000), "%s is still there", name);
	/* The time is printed and not asserted, because it proves nothing on a loaded machine. It
	 * should be below 500 ms. */
	printf("the veth was gone %llu ms after the last member's exit\n",
	       (unsigned long long)((clock_now(CLOCK_MONOTONIC) - end) / NSEC_PER_MSEC));
	collect_wait(&collect, CLOSE, NULL, 8000);
	collect_free(&collect);
	fixture_end(&host);
}
END_TEST

START_TEST(an_unwatched_namespace_is_let_go)
{
	struct fixture tree;
	struct collect collect;

	sandbox_enter();
	tree = fixture_start(SANDBOX_NETNS);
	ck_assert_int_eq(sandbox_veth("pwstop", tree.pid), 0);
	collect_watch(&collect, tree.pid);
	fixture_listen(&tree, "127.0.0.1", 8000);
	collect_wait(&collect, OPEN, NULL, 8000);
	ck_assert_int_eq(portwatch_stop(collect.watcher), 0);
	fixture_end(&tree);
	ck_assert(sandbox_link_gone("pwstop", 10000));
	collect_free(&collect);
}
END_TEST

/* The kernel may give the same inode number to the next namespace at once. */
START_TEST(a_new_namespace_is_not_mistaken_for_an_old_one)
{
	struct fixture root = fixture_start(SANDBOX_NETNS);
	struct collect collect;

	collect_watch(&collect, root.pid);
	for (size_t round = 1; round <= 8; round++) {
		struct fixture child = fixture_fork(&root);

		fixture_unshare(&child);
		fixture_listen(&child, "127.0.0.1", 8000);
		collect_wait_count(&collect, OPEN, NULL, 8000, round);
		fixture_end(&child);
		collect_wait_count(&collect, CLOSE, NULL, 8000, round);
	}
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

static int tell_init(const struct portwatch_namespace *ns, void *data)
{
	*(pid_t *)data = portwatch_namespace_get_pid(ns);
	return 0;
}

START_TEST(the_init_of_a_container_is_found)
{
	struct fixture init = fixture_start(SANDBOX_NETNS | SANDBOX_PIDNS);
	struct fixture child = fixture_fork(&init);
	struct collect collect;
	struct collected event;
	pid_t entered = 0;

	fixture_listen(&child, "127.0.0.1", 8000);
	collect_watch(&collect, child.pid);
	event = collect_wait(&collect, OPEN, NULL, 8000);
	/* The event has the PID of the test's namespace, not of the inner one. */
	ck_assert_int_eq(event.pid, child.pid);
	ck_assert_int_eq(portwatch_each_namespace(collect.watcher, tell_init, &entered), 1);
	ck_assert_int_eq(entered, init.pid);
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&init);
}
END_TEST

#define MANY 40

/* With this RLIMIT_NOFILE the library may use a quarter: room for a few helpers, and 40 namespaces
 * to read. */
START_TEST(more_namespaces_than_helpers_are_watched)
{
	struct fixture root = fixture_start(SANDBOX_NETNS), children[MANY];
	struct rlimit files;
	struct collect collect;

	for (int i = 0; i < MANY; i++) {
		children[i] = fixture_fork(&root);
		fixture_unshare(&children[i]);
		fixture_listen(&children[i], "127.0.0.1", (uint16_t)(8100 + i));
	}
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = process_descriptors() + 160;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	collect_new(&collect, root.pid);
	ck_assert_int_eq(portwatch_set_notifier(collect.watcher, _i), 0);
	ck_assert_int_eq(portwatch_set_reader(collect.watcher, PORTWATCH_READER_SETNS), 0);
	collect_start(&collect);
	for (int i = 0; i < MANY; i++)
		collect_wait(&collect, OPEN, NULL, (uint16_t)(8100 + i));
	/* Later opens are seen in each namespace, whichever namespaces have a helper. */
	for (int i = 0; i < MANY; i++)
		fixture_listen(&children[i], "127.0.0.1", (uint16_t)(8200 + i));
	for (int i = 0; i < MANY; i++)
		collect_wait(&collect, OPEN, NULL, (uint16_t)(8200 + i));
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 0), 0);
	/* A helper that has given up its place may not have ended yet. */
	ck_assert_uint_le(process_wait_at_most(MANY / 2), MANY / 2);
	ck_assert_uint_le(collect_count_messages(&collect, "cannot be read"), 0);
	collect_free(&collect);
	for (int i = 0; i < MANY; i++)
		fixture_end(&children[i]);
	fixture_end(&root);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("namespaces");
	TCase *apart = tcase_create("apart"), *gone = tcase_create("let go");
	TCase *left = tcase_create("left");

	tcase_add_test(apart, ports_of_other_namespaces_are_not_ours);
	tcase_add_test(apart, one_tree_in_two_namespaces_has_two_ports);
	tcase_add_loop_test(apart, a_member_that_moves_is_followed, 0, 2);
	tcase_add_test(apart, watchers_share_the_worker_and_not_the_news);
	tcase_add_loop_test(apart, more_namespaces_than_helpers_are_watched, 0, 2);
	tcase_add_test(apart, scope_netns_reports_non_members);
	tcase_add_test(apart, scope_netns_ends_and_closes_nothing);
	tcase_add_test(apart, scope_netns_closes_nothing_when_its_target_moves);
	tcase_add_test(apart, the_init_of_a_container_is_found);
	suite_add_tcase(suite, apart);
	tcase_add_loop_test(gone, a_namespace_is_let_go_with_its_last_member, 0, way_count());
	tcase_add_test(gone, an_unwatched_namespace_is_let_go);
	tcase_add_test(gone, a_new_namespace_is_not_mistaken_for_an_old_one);
	suite_add_tcase(suite, gone);
	tcase_add_test(left, a_namespace_is_entered_through_a_socket);
	tcase_add_test(left, a_namespace_that_can_not_be_read_has_no_news);
	suite_add_tcase(suite, left);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
