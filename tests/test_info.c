/* SPDX-License-Identifier: MIT */
/* test_info.c - a host's questions: which ports are open, in which namespaces, whether everything
 * is seen, and which errors have occurred */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/sandbox.h"
#include "support/skip.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define END PORTWATCH_EVENT_END
#define TEXT_MAX 512

static void ignore(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	(void)watcher;
	(void)event;
	(void)data;
}

/* --- ports */

struct listed {
	const struct portwatch_event *ports[16];
	int count;
	int most; /* the listing ends after this number of ports */
	struct portwatch *watcher;
};

static int note_port(const struct portwatch_event *port, void *data)
{
	struct listed *listed = data;
	struct listed inner = {.most = 1};

	ck_assert_int_eq(portwatch_event_get_kind(port), OPEN);
	listed->ports[listed->count++] = portwatch_event_ref(port);
	/* The library holds no lock during the callback, so the callback may ask, too. */
	if (listed->watcher && listed->count == 1) {
		inner.most = 1;
		ck_assert_int_eq(portwatch_each_port(listed->watcher, note_port, &inner), 1);
		portwatch_event_unref(inner.ports[0]);
	}
	return listed->count == listed->most;
}

static int find(const struct listed *listed, uint16_t port)
{
	for (int i = 0; i < listed->count; i++)
		if (portwatch_event_get_port(listed->ports[i]) == port)
			return i;
	return -1;
}

static void forget(struct listed *listed)
{
	while (listed->count > 0)
		portwatch_event_unref(listed->ports[--listed->count]);
}

START_TEST(open_ports_are_listed)
{
	struct fixture server = fixture_start(0);
	struct fixture_socket sockets[3], twin;
	struct listed listed = {.most = 16};
	struct collect collect;
	struct collected opened;

	for (int i = 0; i < 3; i++)
		sockets[i] = fixture_listen_with(&server, "127.0.0.1", 0, LISTEN_REUSEPORT);
	/* Two sockets share one port. */
	twin = fixture_listen_with(&server, "127.0.0.1", sockets[0].port, LISTEN_REUSEPORT);
	collect_watch(&collect, server.pid);
	listed.watcher = collect.watcher;
	ck_assert_int_eq(portwatch_each_port(collect.watcher, note_port, &listed), 3);
	for (int i = 0; i < 3; i++) {
		const struct portwatch_event *port = listed.ports[find(&listed, sockets[i].port)];

		opened = collect_wait(&collect, OPEN, NULL, sockets[i].port);
		ck_assert_uint_eq(portwatch_event_get_id(port), opened.id);
		ck_assert_int_eq(portwatch_event_get_pid(port), server.pid);
		ck_assert_str_eq(portwatch_event_get_address_text(port), "127.0.0.1");
		ck_assert_str_ne(portwatch_event_get_command_line(port), "");
	}
	forget(&listed);
	/* The listing ends early if the callback asks for the end. */
	listed.most = 2;
	ck_assert_int_eq(portwatch_each_port(collect.watcher, note_port, &listed), 2);
	forget(&listed);
	listed.most = 16;
	fixture_close(&server, twin);
	fixture_close(&server, sockets[1]);
	collect_wait(&collect, CLOSE, NULL, sockets[1].port);
	ck_assert_int_eq(portwatch_each_port(collect.watcher, note_port, &listed), 2);
	ck_assert_int_eq(find(&listed, sockets[1].port), -1);
	forget(&listed);
	portwatch_stop(collect.watcher);
	ck_assert_int_eq(portwatch_each_port(collect.watcher, note_port, &listed), -ENOTCONN);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* With dispatch the events wait, but the ports are already listed. */
START_TEST(ports_are_listed_before_their_events)
{
	struct fixture server = fixture_start(0);
	struct fixture_socket socket = fixture_listen(&server, "127.0.0.1", 0);
	struct listed listed = {.most = 16};
	struct portwatch *watcher;

	ck_assert_int_eq(portwatch_each_port(NULL, note_port, &listed), -EINVAL);
	ck_assert_int_eq(portwatch_new(&watcher, server.pid, ignore, NULL), 0);
	ck_assert_int_eq(portwatch_each_port(watcher, NULL, &listed), -EINVAL);
	ck_assert_int_eq(portwatch_each_port(watcher, note_port, &listed), -ENOTCONN);
	ck_assert_int_eq(portwatch_set_delivery(watcher, PORTWATCH_DELIVERY_DISPATCH), 0);
	ck_assert_int_eq(portwatch_start(watcher), 0);
	ck_assert_int_eq(portwatch_each_port(watcher, note_port, &listed), 1);
	ck_assert_int_eq(find(&listed, socket.port), 0);
	ck_assert_int_eq(portwatch_dispatch(watcher), 1);
	portwatch_free(watcher);
	forget(&listed);
	fixture_end(&server);
}
END_TEST

/* --- namespaces */

static int open_first(const struct portwatch_namespace *ns, void *data)
{
	int *descriptor = data;

	*descriptor = portwatch_namespace_open(ns);
	return 1;
}

START_TEST(namespaces_are_opened)
{
	struct fixture server = fixture_start(SANDBOX_NETNS), other = fixture_fork(&server);
	uint64_t inode = sandbox_netns(server.pid);
	struct listed listed = {.most = 1};
	const struct portwatch_event *port;
	struct collect collect;
	int descriptor, status;

	fixture_unshare(&other);
	fixture_listen(&server, "127.0.0.1", 8000);
	collect_watch(&collect, server.pid);
	/* The listing ends with the first of two namespaces. */
	ck_assert_int_eq(portwatch_each_namespace(collect.watcher, open_first, &descriptor), 1);
	sandbox_expect_netns(descriptor, inode);
	close(descriptor);
	ck_assert_int_eq(portwatch_each_port(collect.watcher, note_port, &listed), 1);
	port = listed.ports[0];
	descriptor = portwatch_event_open_netns(port);
	sandbox_expect_netns(descriptor, inode);
	/* The caller owns the descriptor: a forked child has a copy of it. */
	status = fork();
	if (status == 0)
		_exit(fcntl(descriptor, F_GETFD) < 0);
	ck_assert_int_eq(waitpid(status, &status, 0) > 0 && status == 0, 1);
	close(descriptor);
	collect_free(&collect);
	fixture_end(&other);
	fixture_end(&server);
	ck_assert_int_eq(portwatch_event_open_netns(port), -ESRCH);
	forget(&listed);
	ck_assert_int_eq(portwatch_event_open_netns(NULL), -EINVAL);
	ck_assert_int_eq(portwatch_namespace_open(NULL), -EINVAL);
}
END_TEST

/* --- pidfds */

START_TEST(a_pidfd_is_watched)
{
	struct fixture root = fixture_start(0), server = fixture_fork(&root);
	int pidfd = (int)syscall(SYS_pidfd_open, server.pid, 0), file = open("/dev/null", O_RDONLY);
	struct fixture_socket socket;
	struct collect collect;

	if (pidfd < 0)
		test_skip("no pidfd_open: %s", strerror(errno));
	collect_init(&collect);
	ck_assert_int_eq(portwatch_new_pidfd(NULL, pidfd, collect_event, &collect), -EINVAL);
	ck_assert_int_eq(portwatch_new_pidfd(&collect.watcher, pidfd, NULL, NULL), -EINVAL);
	ck_assert_int_eq(portwatch_new_pidfd(&collect.watcher, -1, collect_event, NULL), -EINVAL);
	ck_assert_int_eq(portwatch_new_pidfd(&collect.watcher, 999999, collect_event, NULL),
	                 -EBADF);
	ck_assert_int_eq(portwatch_new_pidfd(&collect.watcher, file, collect_event, NULL), -EINVAL);
	ck_assert_int_eq(portwatch_new_pidfd(&collect.watcher, pidfd, collect_event, &collect), 0);
	ck_assert_int_eq(portwatch_get_pid(collect.watcher), server.pid);
	ck_assert_int_eq(portwatch_start(collect.watcher), 0);
	socket = fixture_listen(&server, "127.0.0.1", 0);
	collect_wait(&collect, OPEN, NULL, socket.port);
	collect_free(&collect);
	/* The process is a zombie of the root. */
	fixture_exit(&server, 0);
	ck_assert_int_eq(portwatch_new_pidfd(&collect.watcher, pidfd, collect_event, NULL), -ESRCH);
	fixture_end(&root);
	ck_assert_int_eq(portwatch_new_pidfd(&collect.watcher, pidfd, collect_event, NULL), -ESRCH);
	close(pidfd);
	close(file);
}
END_TEST

/* --- errors */

START_TEST(the_last_failure_is_known_without_a_log)
{
	struct fixture server = fixture_start(0);
	struct portwatch *watcher;
	char text[TEXT_MAX], cut[8];

	ck_assert_int_eq(portwatch_new(&watcher, server.pid, ignore, NULL), 0);
	ck_assert_int_eq(portwatch_get_error(watcher, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(portwatch_get_error(NULL, text, sizeof(text)), -EINVAL);
	ck_assert_int_eq(portwatch_get_error(watcher, NULL, 1), -EINVAL);
	fixture_end(&server);
	ck_assert_int_eq(portwatch_start(watcher), -ESRCH);
	ck_assert_int_eq(portwatch_get_error(watcher, text, sizeof(text)), 1);
	ck_assert_ptr_nonnull(strstr(text, "no such process"));
	ck_assert_int_eq(portwatch_get_error(watcher, NULL, 0), 1);
	ck_assert_int_eq(portwatch_get_error(watcher, cut, sizeof(cut)), 1);
	ck_assert_int_eq(strncmp(cut, text, sizeof(cut) - 1), 0);
	portwatch_free(watcher);
}
END_TEST

/* --- whether everything is seen */

START_TEST(a_readable_tree_is_complete)
{
	struct fixture server = fixture_start(_i ? SANDBOX_NETNS : 0);
	char reason[TEXT_MAX] = "?";
	struct collect collect;

	collect_new(&collect, server.pid);
	ck_assert_int_eq(portwatch_get_complete(NULL, NULL, 0), -EINVAL);
	ck_assert_int_eq(portwatch_get_complete(collect.watcher, NULL, 1), -EINVAL);
	ck_assert_int_eq(portwatch_get_complete(collect.watcher, NULL, 0), -ENOTCONN);
	collect_start(&collect);
	collect_sync(&collect, &server, 1);
	ck_assert_msg(portwatch_get_complete(collect.watcher, reason, sizeof(reason)) == 1, "%s",
	              reason);
	ck_assert_str_eq(reason, "");
	fixture_end(&server);
	collect_wait(&collect, END, NULL, 0);
	ck_assert_int_eq(portwatch_get_complete(collect.watcher, NULL, 0), 1);
	portwatch_stop(collect.watcher);
	ck_assert_int_eq(portwatch_get_complete(collect.watcher, NULL, 0), -ENOTCONN);
	collect_free(&collect);
}
END_TEST

/* Waits for the answer, which comes with the next search. */
static void await_complete(struct collect *collect, const struct fixture *fixture, int complete,
                           char reason[TEXT_MAX])
{
	for (int i = 0; i < 1000; i++) {
		if (portwatch_get_complete(collect->watcher, reason, TEXT_MAX) == complete)
			return;
		collect_sync(collect, fixture, 1);
	}
	ck_abort_msg("complete is not %d: %s", complete, reason);
}

static void watch_one_that_hides(void *unused)
{
	struct fixture root = fixture_start(0), child = fixture_fork(&root);
	char reason[TEXT_MAX], pid[32];
	struct collect collect;

	(void)unused;
	collect_watch(&collect, root.pid);
	await_complete(&collect, &root, 1, reason);
	fixture_hide(&child);
	/* For a new socket, the library asks all members. */
	fixture_listen(&root, "127.0.0.1", 0);
	await_complete(&collect, &root, 0, reason);
	snprintf(pid, sizeof(pid), "PID %d ", (int)child.pid);
	ck_assert_ptr_nonnull(strstr(reason, pid));
	fixture_end(&child);
	await_complete(&collect, &root, 1, reason);
	collect_free(&collect);
	fixture_end(&root);
}

START_TEST(an_unreadable_member_is_reported)
{
	if (geteuid() == 0)
		sandbox_run_as_nobody(watch_one_that_hides, NULL);
	else
		watch_one_that_hides(NULL);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("info");
	TCase *ports = tcase_create("ports"), *namespaces = tcase_create("namespaces"),
	      *pidfds = tcase_create("pidfds"), *reports = tcase_create("reports");

	tcase_add_test(ports, open_ports_are_listed);
	tcase_add_test(ports, ports_are_listed_before_their_events);
	suite_add_tcase(suite, ports);
	tcase_add_test(namespaces, namespaces_are_opened);
	suite_add_tcase(suite, namespaces);
	tcase_add_test(pidfds, a_pidfd_is_watched);
	suite_add_tcase(suite, pidfds);
	tcase_add_test(reports, the_last_failure_is_known_without_a_log);
	tcase_add_loop_test(reports, a_readable_tree_is_complete, 0, 2);
	tcase_add_test(reports, an_unreadable_member_is_reported);
	suite_add_tcase(suite, reports);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
