/* SPDX-License-Identifier: MIT */
/* test_members.c - which ports are reported: those of the processes of a tree, as processes join
 * and leave the tree */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/notified.h"
#include "support/sandbox.h"
#include "support/skip.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define END PORTWATCH_EVENT_END

START_TEST(children_and_theirs_belong)
{
	struct fixture root = way_fixture(way(_i)), child, grandchild;
	struct fixture_socket socket;
	struct collect collect;
	struct collected event;

	child = fixture_fork(&root);
	collect_watch_by(&collect, root.pid, way(_i));
	socket = fixture_listen(&child, "127.0.0.1", 0);
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_int_eq(event.pid, child.pid);
	grandchild = fixture_fork(&child);
	socket = fixture_listen(&grandchild, "127.0.0.1", 0);
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_int_eq(event.pid, grandchild.pid);
	collect_free(&collect);
	fixture_end(&grandchild);
	fixture_end(&child);
	fixture_end(&root);
}
END_TEST

START_TEST(non_members_do_not_belong)
{
	struct fixture parent = way_fixture(way(_i));
	struct fixture root = fixture_fork(&parent), sibling = fixture_fork(&parent);
	struct fixture_socket above, beside;
	struct collect collect;

	above = fixture_listen(&parent, "127.0.0.1", 0);
	collect_watch_by(&collect, root.pid, way(_i));
	beside = fixture_listen(&sibling, "127.0.0.1", 0);
	collect_sync(&collect, &root, 2);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, above.port), 0);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, beside.port), 0);
	collect_free(&collect);
	fixture_end(&sibling);
	fixture_end(&root);
	fixture_end(&parent);
}
END_TEST

START_TEST(the_oldest_holder_is_the_owner)
{
	struct fixture root = way_fixture(way(_i)), child;
	struct fixture_socket socket;
	struct collect collect;
	struct collected event;

	socket = fixture_listen(&root, "127.0.0.1", 0);
	child = fixture_fork(&root);
	collect_watch_by(&collect, root.pid, way(_i));
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_int_eq(event.pid, root.pid);
	ck_assert_uint_eq(event.owners, 2);
	/* The root closes the port and the child doesn't: the port is still open. */
	fixture_close(&root, socket);
	collect_sync(&collect, &root, 4);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, socket.port), 0);
	fixture_close(&child, socket);
	collect_wait(&collect, CLOSE, NULL, socket.port);
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&root);
}
END_TEST

/* Waits until the child is a member before the root exits. Without kernel events, the watcher
 * cannot find the children of a process that exited before the first poll cycle. */
START_TEST(a_tree_outlives_its_root)
{
	struct fixture root = way_fixture(way(_i)), child = fixture_fork(&root);
	struct fixture_socket mark, socket;
	struct collect collect;
	struct collected event;

	collect_watch_by(&collect, root.pid, way(_i));
	mark = fixture_listen(&child, "127.0.0.1", 0);
	collect_wait(&collect, OPEN, NULL, mark.port);
	fixture_end(&root);
	socket = fixture_listen(&child, "127.0.0.1", 0);
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_int_eq(event.pid, child.pid);
	collect_sync(&collect, &child, 3);
	ck_assert_uint_eq(collect_count(&collect, END, NULL, 0), 0);
	fixture_end(&child);
	collect_wait(&collect, END, NULL, 0);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, socket.port), 1);
	collect_free(&collect);
}
END_TEST

START_TEST(a_daemon_stays_a_member)
{
	struct fixture root = way_fixture(way(_i)), server, daemon;
	struct fixture_socket mark, socket;
	struct collect collect;
	struct collected event;

	server = fixture_fork(&root);
	collect_watch_by(&collect, root.pid, way(_i));
	/* Waits until the daemon is a member: its parent then exits while the daemon stays alive.
	 */
	daemon = fixture_fork(&server);
	mark = fixture_listen(&daemon, "127.0.0.1", 0);
	collect_wait(&collect, OPEN, NULL, mark.port);
	fixture_end(&server);
	socket = fixture_listen(&daemon, "127.0.0.1", 0);
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_int_eq(event.pid, daemon.pid);
	fixture_end(&root);
	collect_sync(&collect, &daemon, 3);
	ck_assert_uint_eq(collect_count(&collect, END, NULL, 0), 0);
	fixture_end(&daemon);
	collect_wait(&collect, END, NULL, 0);
	collect_free(&collect);
}
END_TEST

/* The double fork takes less than a millisecond, so only kernel events or a subreaper show the
 * relation. */
START_TEST(a_daemon_that_detaches_while_watched_is_found)
{
	struct fixture root = fixture_start(0), daemon;
	struct fixture_socket socket;
	struct collect collect;
	struct collected event;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		test_skip("PR_SET_CHILD_SUBREAPER: %s", strerror(errno));
	collect_new(&collect, root.pid);
	ck_assert_int_eq(portwatch_set_subreaper(collect.watcher, 1), 0);
	ck_assert_int_eq(portwatch_set_notifier(collect.watcher, _i), 0);
	collect_start(&collect);
	daemon = fixture_daemon(&root);
	socket = fixture_listen(&daemon, "127.0.0.1", 0);
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_int_eq(event.pid, daemon.pid);
	fixture_end(&root);
	collect_sync(&collect, &daemon, 2);
	fixture_end(&daemon);
	ck_assert_int_eq(waitpid(-1, NULL, 0), daemon.pid);
	collect_wait(&collect, END, NULL, 0);
	collect_free(&collect);
}
END_TEST

START_TEST(threads_outlive_their_leader)
{
	struct fixture root = way_fixture(way(_i));
	struct fixture_socket before, after;
	struct collect collect;
	struct collected event;

	before = fixture_listen(&root, "127.0.0.1", 0);
	collect_watch_by(&collect, root.pid, way(_i));
	fixture_exit_leader(&root);
	after = fixture_listen(&root, "127.0.0.1", 0);
	event = collect_wait(&collect, OPEN, NULL, after.port);
	ck_assert_int_eq(event.pid, root.pid);
	collect_sync(&collect, &root, 4);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, before.port), 0);
	ck_assert_uint_eq(collect_count(&collect, END, NULL, 0), 0);
	fixture_close(&root, before);
	collect_wait(&collect, CLOSE, NULL, before.port);
	fixture_end(&root);
	collect_wait(&collect, END, NULL, 0);
	collect_free(&collect);
}
END_TEST

START_TEST(a_watch_can_start_after_the_leader_has_exited)
{
	struct fixture root = way_fixture(way(_i));
	struct fixture_socket socket = fixture_listen(&root, "127.0.0.1", 0);
	struct collect collect;
	struct collected event;

	fixture_exit_leader(&root);
	collect_watch_by(&collect, root.pid, way(_i));
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_int_eq(event.pid, root.pid);
	ck_assert(event.initial);
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

/* A socket without a known holder is resolved again when the tree changes. */
START_TEST(a_socket_that_is_passed_in_is_found)
{
	struct fixture parent = way_fixture(way(_i));
	struct fixture root = fixture_fork(&parent), child;
	struct fixture_socket socket = fixture_listen(&parent, "127.0.0.1", 0);
	struct collect collect;
	struct collected event;

	collect_watch_by(&collect, root.pid, way(_i));
	collect_sync(&collect, &root, 2);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, socket.port), 0);
	fixture_give(&parent, socket, &root);
	child = fixture_fork(&root);
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_int_eq(event.pid, root.pid);
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&root);
	fixture_end(&parent);
}
END_TEST

/* A socket changes hands without a change of the table or of the tree. No event reports the change,
 * so the watcher has to find it at intervals. */
START_TEST(a_socket_that_changes_hands_is_followed)
{
	static const int some[] = {0, 11, 14};
	struct way by = way(some[_i]);
	struct fixture parent = way_fixture(by);
	struct fixture root = fixture_fork(&parent);
	struct fixture_socket socket = fixture_listen(&parent, "127.0.0.1", 0), copy;
	struct collect collect;
	struct collected event;

	collect_watch_by(&collect, root.pid, by);
	copy = fixture_give(&parent, socket, &root);
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_int_eq(event.pid, root.pid);
	/* The non-member that also holds the socket doesn't count. */
	fixture_close(&root, copy);
	collect_wait(&collect, CLOSE, NULL, socket.port);
	collect_free(&collect);
	fixture_end(&root);
	fixture_end(&parent);
}
END_TEST

/* Another child of a non-member gets the PID of the member that has exited. */
START_TEST(a_process_with_the_same_pid_is_no_member)
{
	struct fixture outsider = fixture_start(0), root = fixture_fork(&outsider), impostor;
	struct fixture_socket socket;
	pid_t pid = root.pid;
	struct collect collect;
	struct portwatch *late;

	ck_assert_int_eq(portwatch_new(&late, pid, collect_event, &collect), 0);
	collect_watch(&collect, pid);
	collect_sync(&collect, &root, 1);
	fixture_end(&root);
	if (!fixture_respawn(&outsider, pid, &impostor))
		test_skip("may not choose a PID (clone3: %s)", strerror(EPERM));
	ck_assert_int_eq(impostor.pid, pid);
	socket = fixture_listen(&impostor, "127.0.0.1", 0);
	collect_wait(&collect, END, NULL, 0);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, socket.port), 0);
	/* This watcher was made for the first process and is started after the first process's
	 * death. */
	ck_assert_int_eq(portwatch_start(late), -ESRCH);
	portwatch_free(late);
	collect_free(&collect);
	fixture_end(&impostor);
	fixture_end(&outsider);
}
END_TEST

static void add_ways(TCase *ways)
{
	int count = way_count();

	tcase_add_loop_test(ways, children_and_theirs_belong, 0, count);
	tcase_add_loop_test(ways, non_members_do_not_belong, 0, count);
	tcase_add_loop_test(ways, the_oldest_holder_is_the_owner, 0, count);
	tcase_add_loop_test(ways, a_tree_outlives_its_root, 0, count);
	tcase_add_loop_test(ways, a_daemon_stays_a_member, 0, count);
	tcase_add_loop_test(ways, threads_outlive_their_leader, 0, count);
	tcase_add_loop_test(ways, a_watch_can_start_after_the_leader_has_exited, 0, count);
}

static void watch_with(struct collect *collect, pid_t pid, int notifier)
{
	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_notifier(collect->watcher, notifier), 0);
	collect_start(collect);
}

/* A member opens and closes a port that is only in the descriptor table of one thread, not in the
 * leader's. */
START_TEST(the_table_of_a_thread_is_scanned)
{
	struct fixture root = fixture_start(0);
	struct fixture_socket socket;
	struct collected event;
	struct collect collect;

	watch_with(&collect, root.pid, _i);
	fixture_thread(&root, THREAD_FILES);
	for (int i = 0; i < 3; i++) {
		socket = fixture_listen(&root, "127.0.0.1", 0);
		event = collect_wait(&collect, OPEN, NULL, socket.port);
		ck_assert_int_eq(event.pid, root.pid);
		ck_assert_uint_eq(event.owners, 1);
		fixture_close(&root, socket);
		collect_wait(&collect, CLOSE, NULL, socket.port);
	}
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

/* Returns whether the kernel shows the sockets that are registered with an io_uring. Linux 6.12
 * does not. */
static bool names_sockets_of_rings(pid_t pid)
{
	char command[128];

	snprintf(command, sizeof(command), "grep -q 'socket:\\[' /proc/%d/fdinfo/*", (int)pid);
	return system(command) == 0;
}

START_TEST(a_ring_holds_a_port)
{
	struct fixture root = fixture_start(0), child;
	struct fixture_socket known, new;
	struct collected event;
	struct collect collect;

	child = fixture_fork(&root);
	new = fixture_listen_with(&child, "127.0.0.1", 0, LISTEN_BIND_ONLY);
	known = fixture_listen(&child, "127.0.0.1", 0);
	fixture_register(&child, known, 0);
	/* The next tests cover kernels that do not show the sockets. */
	if (!names_sockets_of_rings(child.pid))
		test_skip("the kernel doesn't name the sockets of an io_uring");
	watch_with(&collect, root.pid, _i);
	event = collect_wait(&collect, OPEN, NULL, known.port);
	ck_assert_int_eq(event.pid, child.pid);
	ck_assert_uint_eq(event.owners, 1);
	/* A known socket is handed over to the ring. */
	fixture_begin(&child, new);
	collect_wait(&collect, OPEN, NULL, new.port);
	fixture_register(&child, new, 0);
	collect_sync(&collect, &root, 3);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, known.port), 0);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, new.port), 0);
	fixture_end(&child);
	collect_wait(&collect, CLOSE, NULL, known.port);
	collect_wait(&collect, CLOSE, NULL, new.port);
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

#define RESTARTS 100

/* The next server replaces a server: it listens on the same port before the other one ends. No fork
 * is reported, and the trees are scanned continually. */
START_TEST(a_port_that_is_taken_over_stays_open)
{
	struct fixture root = fixture_start(0), server = fixture_fork(&root), next, busy;
	struct fixture_socket socket;
	struct collect collect;

	socket = fixture_listen_with(&server, "127.0.0.1", 0, LISTEN_REUSEPORT);
	watch_with(&collect, root.pid, 0);
	for (int i = 0; i < RESTARTS; i++) {
		busy = fixture_fork(&root);
		next = fixture_fork(&root);
		fixture_listen_with(&next, "127.0.0.1", socket.port, LISTEN_REUSEPORT);
		fixture_end(&server);
		server = next;
		fixture_end(&busy);
	}
	collect_sync(&collect, &root, 3);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, socket.port), 0);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, socket.port), 1);
	fixture_end(&server);
	collect_wait(&collect, CLOSE, NULL, socket.port);
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

/* Imitates Linux 6.12: each descriptor now appears to be an io_uring with one TCP socket. A kernel
 * that really is like this needs no imitation. */
static void take_names_of_rings(pid_t pid)
{
	char command[512];

	if (!names_sockets_of_rings(pid))
		return;
	if (!sandbox_own_mounts())
		test_skip("takes root, to mount another text over that of the kernel");
	snprintf(command, sizeof(command),
	         "d=$(mktemp -d) && mount -t tmpfs none $d && for i in $(ls /proc/%d/fdinfo); do "
	         "printf 'UserFiles:\\t2\\n    0: <none>\\n    1: TCP\\n' >$d/$i || exit; done && "
	         "mount --bind $d /proc/%d/fdinfo && umount $d && rmdir $d",
	         (int)pid, (int)pid);
	ck_assert_int_eq(system(command), 0);
}

#define UNNAMED "is not reported: PID"

/* The port counts as one without a holder. */
START_TEST(a_port_that_a_ring_may_hold_is_logged_once)
{
	struct fixture root = fixture_start(SANDBOX_NETNS), child = fixture_fork(&root);
	struct fixture_socket first = fixture_listen(&child, "127.0.0.1", 0);
	struct fixture_socket second = fixture_listen(&child, "127.0.0.1", 0);
	struct collect collect;
	char reason[200];

	fixture_register(&child, first, 0);
	fixture_register(&child, second, 0);
	take_names_of_rings(child.pid);
	watch_with(&collect, root.pid, _i);
	collect_wait_message(&collect, UNNAMED);
	collect_sync(&collect, &root, 3);
	ck_assert_uint_eq(collect_count_messages(&collect, UNNAMED), 1);
	ck_assert_uint_eq(collect_count_messages(&collect, "is not reported"), 1);
	ck_assert_int_eq(portwatch_get_complete(collect.watcher, reason, sizeof(reason)), 0);
	ck_assert_ptr_nonnull(strstr(reason, "io_uring"));
	/* Later, the kernel may give these ports to other listeners. */
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, first.port), 0);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, second.port), 0);
	fixture_end(&child);
	collect_sync(&collect, &root, 3);
	ck_assert_int_eq(portwatch_get_complete(collect.watcher, reason, sizeof(reason)), 1);
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

START_TEST(a_port_that_a_ring_takes_over_stays_open)
{
	struct fixture root = fixture_start(SANDBOX_NETNS), child = fixture_fork(&root);
	struct fixture_socket kept = fixture_listen(&child, "127.0.0.1", 0);
	struct fixture_socket given = fixture_listen(&child, "127.0.0.1", 0);
	struct fixture_socket next;
	struct collect collect;

	fixture_register(&child, given, 0);
	take_names_of_rings(child.pid);
	watch_with(&collect, root.pid, _i);
	collect_wait(&collect, OPEN, NULL, kept.port);
	fixture_register(&child, kept, 0);
	/* Each of these ports makes the watcher ask the member for its sockets. */
	for (int i = 0; i < 2; i++) {
		next = fixture_listen(&child, "127.0.0.1", 0);
		ck_assert_int_eq(collect_wait(&collect, OPEN, NULL, next.port).pid, child.pid);
	}
	collect_sync(&collect, &root, 3);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, kept.port), 0);
	/* A close in the table is still reported. */
	fixture_close(&child, next);
	collect_wait(&collect, CLOSE, NULL, next.port);
	fixture_end(&child);
	collect_wait(&collect, CLOSE, NULL, kept.port);
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("members");
	TCase *ways = tcase_create("each way of reading and delivering");
	TCase *here = tcase_create("in our own network namespace");
	TCase *passed = tcase_create("passed on");

	add_ways(ways);
	suite_add_tcase(suite, ways);
	/* No notifier reports these changes. */
	tcase_add_loop_test(passed, a_socket_that_is_passed_in_is_found, 0, way_count());
	tcase_add_loop_test(passed, a_socket_that_changes_hands_is_followed, 0, 3);
	suite_add_tcase(suite, passed);
	tcase_add_loop_test(here, a_daemon_that_detaches_while_watched_is_found, 0, 2);
	tcase_add_test(here, a_process_with_the_same_pid_is_no_member);
	tcase_add_loop_test(here, the_table_of_a_thread_is_scanned, 0, 2);
	tcase_add_test(here, a_port_that_is_taken_over_stays_open);
	tcase_add_loop_test(here, a_ring_holds_a_port, 0, 2);
	/* Mounts of its own are given to one process only, so each case needs a process of its own.
	 */
	if (check_forks()) {
		tcase_add_loop_test(here, a_port_that_a_ring_may_hold_is_logged_once, 0, 2);
		tcase_add_loop_test(here, a_port_that_a_ring_takes_over_stays_open, 0, 2);
	}
	suite_add_tcase(suite, here);
	return suite;
}

int main(int argc, char **argv)
{
	if (!notified_begin())
		return SKIP_STATUS;
	return check_main(argc, argv, make);
}
