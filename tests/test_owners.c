/* SPDX-License-Identifier: MIT */
/* test_owners.c - which owner is reported: at the open, in between, and at the close */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/patience.h"
#include "support/remote.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define OWNER PORTWATCH_EVENT_OWNER
#define END PORTWATCH_EVENT_END

/* Watches with a notifier, if the kernel allows one, or without. Detached processes become our
 * children. */
static void watch(struct collect *collect, pid_t pid, int notifier)
{
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_subreaper(collect->watcher, 1), 0);
	ck_assert_int_eq(portwatch_set_events(collect->watcher, COLLECT_KINDS | OWNER), 0);
	ck_assert_int_eq(portwatch_set_notifier(collect->watcher, notifier), 0);
	collect_start(collect);
}

/* Waits until the latest event of a port has this owner and this number of holders (0: any). */
static struct collected await_owner(struct collect *collect, uint16_t port, pid_t pid,
                                    unsigned int owners)
{
	for (size_t total = 0;; total++) {
		struct collected latest = {0};

		collect_wait_total(collect, total);
		pthread_mutex_lock(&collect->lock);
		total = collect->count;
		for (size_t i = 0; i < collect->count; i++)
			if (collect->events[i].port == port)
				latest = collect->events[i];
		pthread_mutex_unlock(&collect->lock);
		if (latest.kind != CLOSE && latest.pid == pid &&
		    (owners == 0 || latest.owners == owners))
			return latest;
	}
}

/* A typical server of a shell: it listens, forks the process that continues, and exits. */
START_TEST(a_daemon_becomes_the_owner)
{
	struct fixture root = fixture_start(0), launcher = fixture_fork(&root), daemon;
	struct fixture_socket socket;
	struct collected opened, event;
	struct collect collect;

	watch(&collect, root.pid, _i);
	socket = fixture_listen(&launcher, "127.0.0.1", 0);
	opened = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_int_eq(opened.pid, launcher.pid);
	ck_assert_uint_eq(opened.owners, 1);
	ck_assert_uint_gt(opened.id, 0);
	daemon = fixture_fork(&launcher);
	await_owner(&collect, socket.port, launcher.pid, 2);
	fixture_exit(&launcher, 0);
	event = await_owner(&collect, socket.port, daemon.pid, 1);
	ck_assert_int_eq(event.kind, OWNER);
	ck_assert_uint_eq(event.id, opened.id);
	ck_assert_uint_eq(event.inode, socket.inode);
	ck_assert_str_eq(event.process, "puppet");
	ck_assert(!event.initial);
	ck_assert_uint_gt(event.monotonic, opened.monotonic);
	fixture_close(&daemon, socket);
	event = collect_wait(&collect, CLOSE, NULL, socket.port);
	ck_assert_int_eq(event.pid, daemon.pid);
	ck_assert_uint_eq(event.id, opened.id);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, socket.port), 1);
	collect_free(&collect);
	fixture_end(&daemon);
	fixture_end(&root);
}
END_TEST

/* The processes do not wait for the library, so it finds the launcher alive, dying or dead. */
START_TEST(a_launcher_that_is_dead_is_no_owner)
{
	struct fixture root = fixture_start(0);
	struct collect collect;

	watch(&collect, root.pid, _i);
	for (int round = 0; round < 20; round++) {
		struct fixture launcher = fixture_fork(&root), daemon;
		struct fixture_socket socket = fixture_listen(&launcher, "127.0.0.1", 0);

		daemon = fixture_fork(&launcher);
		fixture_exit(&launcher, 0);
		await_owner(&collect, socket.port, daemon.pid, 1);
		fixture_end(&daemon);
		collect_wait(&collect, CLOSE, NULL, socket.port);
		/* The launcher is a zombie child of the root. */
		ck_assert_int_eq(waitpid(daemon.pid, NULL, 0), daemon.pid);
	}
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

/* As with socket activation: the process that listens executes another program. */
START_TEST(the_name_is_that_of_the_time)
{
	struct fixture root = fixture_start(0);
	struct fixture_socket socket;
	struct collected opened, event;
	struct collect collect;

	watch(&collect, root.pid, _i);
	socket = fixture_listen(&root, "127.0.0.1", 0);
	opened = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_str_eq(opened.process, "puppet");
	fixture_exec(&root, socket);
	event = collect_wait(&collect, OWNER, NULL, socket.port);
	ck_assert_str_eq(event.process, "exe");
	ck_assert_int_eq(event.pid, root.pid);
	ck_assert_uint_eq(event.id, opened.id);
	/* The new name comes too late for an event of its own. */
	fixture_rename(&root, "renamed");
	fixture_close(&root, socket);
	event = collect_wait(&collect, CLOSE, NULL, socket.port);
	ck_assert_str_eq(event.process, "renamed");
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

START_TEST(owner_events_are_optional)
{
	struct fixture root = fixture_start(0), child;
	struct fixture_socket socket;
	struct collected event;
	struct collect collect;

	collect_watch(&collect, root.pid);
	child = fixture_fork(&root);
	socket = fixture_listen(&child, "127.0.0.1", 0);
	collect_wait(&collect, OPEN, NULL, socket.port);
	fixture_give(&child, socket, &root);
	fixture_end(&child);
	collect_sync(&collect, &root, 3);
	ck_assert_uint_eq(collect_count(&collect, OWNER, NULL, 0), 0);
	fixture_end(&root);
	event = collect_wait(&collect, CLOSE, NULL, socket.port);
	ck_assert_uint_eq(event.inode, socket.inode);
	collect_free(&collect);
}
END_TEST

/* Finds an event of a remote watcher. */
static const struct collected *find_event(const struct remote *remote,
                                          enum portwatch_event_kind kind, uint16_t port)
{
	for (size_t i = 0; i < remote->count; i++)
		if (remote->events[i].kind == kind && remote->events[i].port == port)
			return &remote->events[i];
	ck_abort_msg("no event %d of port %u", (int)kind, port);
}

/* The watcher is stopped during the restart, so the watcher never sees the port closed. */
START_TEST(a_restart_between_two_reads_mixes_nothing)
{
	struct fixture root = fixture_start(0), first = fixture_fork(&root), second;
	struct fixture_socket old = fixture_listen(&first, "127.0.0.1", 0), new;
	const struct collected *event;
	struct remote watcher;
	siginfo_t stopped;

	second = fixture_fork(&root);
	remote_start_for(&watcher, root.pid, 10, COLLECT_KINDS | OWNER);
	remote_wait(&watcher, OPEN, NULL, old.port, 1);
	ck_assert_int_eq(kill(watcher.pid, SIGSTOP), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)watcher.pid, &stopped, WSTOPPED), 0);
	fixture_end(&first);
	new = fixture_listen(&second, "127.0.0.1", old.port);
	ck_assert_int_eq(kill(watcher.pid, SIGCONT), 0);
	remote_wait(&watcher, OWNER, NULL, old.port, 1);
	event = find_event(&watcher, OWNER, old.port);
	ck_assert_int_eq(event->pid, second.pid);
	ck_assert_uint_eq(event->inode, new.inode);
	fixture_close(&second, new);
	remote_wait(&watcher, CLOSE, NULL, old.port, 1);
	event = find_event(&watcher, CLOSE, old.port);
	ck_assert_int_eq(event->pid, second.pid);
	ck_assert_uint_eq(event->inode, new.inode);
	ck_assert_uint_eq(event->id, find_event(&watcher, OPEN, old.port)->id);
	remote_end(&watcher);
	fixture_end(&second);
	fixture_end(&root);
}
END_TEST

/* One port has two sockets and two owners (SO_REUSEPORT): the event describes one of them. */
START_TEST(of_two_sockets_one_is_named)
{
	struct fixture root = fixture_start(0), one = fixture_fork(&root), two;
	struct fixture_socket first, second;
	struct collected event;
	struct collect collect;

	two = fixture_fork(&root);
	watch(&collect, root.pid, _i);
	first = fixture_listen_with(&one, "127.0.0.1", 0, LISTEN_REUSEPORT);
	event = collect_wait(&collect, OPEN, NULL, first.port);
	ck_assert_int_eq(event.pid, one.pid);
	second = fixture_listen_with(&two, "127.0.0.1", first.port, LISTEN_REUSEPORT);
	collect_sync(&collect, &root, 2);
	ck_assert_uint_eq(collect_count(&collect, OWNER, NULL, first.port), 0);
	fixture_end(&one);
	event = await_owner(&collect, first.port, two.pid, 1);
	ck_assert_uint_eq(event.inode, second.inode);
	fixture_end(&two);
	event = collect_wait(&collect, CLOSE, NULL, first.port);
	ck_assert_int_eq(event.pid, two.pid);
	ck_assert_uint_eq(event.inode, second.inode);
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

#define CROWD 20

/* Makes so many processes that the watcher doesn't ask all of them for each new socket if the
 * kernel reports which process to ask. */
static void make_crowd(const struct fixture *root, struct fixture crowd[CROWD])
{
	for (int i = 0; i < CROWD; i++)
		crowd[i] = fixture_fork(root);
}

static void end_crowd(struct fixture crowd[CROWD])
{
	for (int i = 0; i < CROWD; i++)
		fixture_end(&crowd[i]);
}

/* The socket is older than the processes that share it, as in servers with workers. */
START_TEST(all_holders_count_in_a_large_tree)
{
	struct fixture root = fixture_start(0), crowd[CROWD], master, workers[3];
	struct fixture_socket socket;
	struct collected event;
	struct collect collect;

	make_crowd(&root, crowd);
	master = fixture_fork(&root);
	socket = fixture_listen_with(&master, "127.0.0.1", 0, LISTEN_BIND_ONLY);
	for (int i = 0; i < 3; i++)
		workers[i] = fixture_fork(&master);
	watch(&collect, root.pid, _i);
	fixture_begin(&workers[1], socket);
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	ck_assert_int_eq(event.pid, master.pid);
	/* The search among relatives ends after 5 ms of CPU time, which an emulated machine
	 * exceeds: the verification of owners then corrects the number. */
	if (patience_factor() > 1 && event.owners < 4)
		event = await_owner(&collect, socket.port, master.pid, 4);
	ck_assert_uint_eq(event.owners, 4);
	collect_free(&collect);
	for (int i = 0; i < 3; i++)
		fixture_end(&workers[i]);
	fixture_end(&master);
	end_crowd(crowd);
	fixture_end(&root);
}
END_TEST

START_TEST(holders_that_come_and_go_are_counted)
{
	struct fixture root = fixture_start(0), crowd[CROWD], server, workers[3];
	struct fixture_socket socket;
	struct collect collect;

	make_crowd(&root, crowd);
	server = fixture_fork(&root);
	watch(&collect, root.pid, _i);
	socket = fixture_listen(&server, "127.0.0.1", 0);
	ck_assert_uint_eq(collect_wait(&collect, OPEN, NULL, socket.port).owners, 1);
	for (int i = 0; i < 3; i++)
		workers[i] = fixture_fork(&server);
	await_owner(&collect, socket.port, server.pid, 4);
	fixture_end(&workers[0]);
	await_owner(&collect, socket.port, server.pid, 3);
	/* The worker stays alive and has closed the socket. */
	fixture_close(&workers[1], socket);
	await_owner(&collect, socket.port, server.pid, 2);
	fixture_close(&server, socket);
	await_owner(&collect, socket.port, workers[2].pid, 1);
	fixture_end(&workers[2]);
	ck_assert_int_eq(collect_wait(&collect, CLOSE, NULL, socket.port).pid, workers[2].pid);
	collect_free(&collect);
	fixture_end(&workers[1]);
	fixture_end(&server);
	end_crowd(crowd);
	fixture_end(&root);
}
END_TEST

/* Makes more holders than the watcher stores by name. */
START_TEST(a_crowd_of_holders_is_counted)
{
	struct fixture root = fixture_start(0), crowd[CROWD], more[CROWD];
	struct fixture_socket socket = fixture_listen(&root, "127.0.0.1", 0);
	struct collect collect;

	make_crowd(&root, crowd);
	make_crowd(&root, more);
	watch(&collect, root.pid, _i);
	ck_assert_uint_eq(collect_wait(&collect, OPEN, NULL, socket.port).owners, 1 + 2 * CROWD);
	end_crowd(more);
	await_owner(&collect, socket.port, root.pid, 1 + CROWD);
	collect_free(&collect);
	end_crowd(crowd);
	fixture_end(&root);
}
END_TEST

/* The child acts like a program that drops privileges or gains some. The watcher has the same user.
 */
static void watch_one_that_hides(void *unused)
{
	struct fixture root = fixture_start(0), child = fixture_fork(&root);
	struct fixture_socket socket = fixture_listen(&child, "127.0.0.1", 0);
	struct collected event;
	struct collect collect;

	(void)unused;
	watch(&collect, root.pid, 1);
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	fixture_hide(&child);
	/* The watcher has failed to read the descriptors for so long that it logs the failure. */
	collect_wait_message(&collect, "cannot read the descriptors");
	collect_sync(&collect, &root, 4);
	collect_wait_message(&collect, "ports that only it holds are not attributed");
	collect_sync(&collect, &root, 4);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, socket.port), 0);
	ck_assert_uint_eq(collect_count(&collect, OWNER, NULL, socket.port), 0);
	fixture_close(&child, socket);
	event = collect_wait(&collect, CLOSE, NULL, socket.port);
	ck_assert_int_eq(event.pid, child.pid);
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&root);
}

START_TEST(an_unreadable_process_keeps_its_sockets)
{
	if (geteuid() == 0)
		sandbox_run_as_nobody(watch_one_that_hides, NULL);
	else
		watch_one_that_hides(NULL);
}
END_TEST

static void watch_namespace(struct collect *collect, pid_t pid, int notifier)
{
	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_scope(collect->watcher, PORTWATCH_SCOPE_NETNS), 0);
	ck_assert_int_eq(portwatch_set_events(collect->watcher, COLLECT_KINDS | OWNER), 0);
	ck_assert_int_eq(portwatch_set_notifier(collect->watcher, notifier), 0);
	collect_start(collect);
}

/* In a scope that includes every process. */
START_TEST(owners_outside_of_the_tree_are_named)
{
	struct fixture parent = fixture_start(SANDBOX_NETNS), root = fixture_fork(&parent);
	struct fixture launcher = fixture_fork(&parent), daemon, late;
	struct fixture_socket socket = fixture_listen(&launcher, "127.0.0.1", 8001), second;
	struct collected event;
	struct collect collect;

	daemon = fixture_fork(&launcher);
	watch_namespace(&collect, root.pid, _i);
	event = collect_wait(&collect, OPEN, NULL, 8001);
	ck_assert_int_eq(event.pid, launcher.pid);
	ck_assert_uint_eq(event.owners, 2);
	ck_assert(event.initial);
	fixture_exit(&launcher, 0);
	event = await_owner(&collect, 8001, daemon.pid, 1);
	ck_assert_uint_eq(event.inode, socket.inode);
	/* One process that came after the start, and one that is already known. */
	late = fixture_fork(&parent);
	fixture_listen(&late, "127.0.0.1", 8002);
	ck_assert_int_eq(collect_wait(&collect, OPEN, NULL, 8002).pid, late.pid);
	second = fixture_listen(&late, "127.0.0.1", 8003);
	ck_assert_int_eq(collect_wait(&collect, OPEN, NULL, 8003).pid, late.pid);
	fixture_close(&late, second);
	ck_assert_int_eq(collect_wait(&collect, CLOSE, NULL, 8003).pid, late.pid);
	fixture_end(&daemon);
	event = collect_wait(&collect, CLOSE, NULL, 8001);
	ck_assert_int_eq(event.pid, daemon.pid);
	collect_free(&collect);
	fixture_end(&late);
	fixture_end(&root);
	fixture_end(&parent);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("owners");
	TCase *tcase = tcase_create("owners");

	tcase_add_loop_test(tcase, a_daemon_becomes_the_owner, 0, 2);
	tcase_add_loop_test(tcase, a_launcher_that_is_dead_is_no_owner, 0, 2);
	tcase_add_loop_test(tcase, the_name_is_that_of_the_time, 0, 2);
	tcase_add_test(tcase, owner_events_are_optional);
	tcase_add_test(tcase, a_restart_between_two_reads_mixes_nothing);
	tcase_add_loop_test(tcase, of_two_sockets_one_is_named, 0, 2);
	tcase_add_loop_test(tcase, all_holders_count_in_a_large_tree, 0, 2);
	tcase_add_loop_test(tcase, holders_that_come_and_go_are_counted, 0, 2);
	tcase_add_loop_test(tcase, a_crowd_of_holders_is_counted, 0, 2);
	tcase_add_test(tcase, an_unreadable_process_keeps_its_sockets);
	tcase_add_loop_test(tcase, owners_outside_of_the_tree_are_named, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
