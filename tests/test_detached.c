/* SPDX-License-Identifier: MIT */
/* test_detached.c - servers that detach from their launcher, with every mechanism that reports
 * forks */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/deny.h"
#include "support/skip.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define OWNER PORTWATCH_EVENT_OWNER
#define CONNECTOR 11 /* NETLINK_CONNECTOR */
#define TIMES 20
#define FORKS 3000

/* --- the servers. Each reports its PID and its port, and ends with the test in any case. */

struct report {
	pid_t pid;
	uint16_t port;
};

static int reports[2], life[2], orders_in;

static uint16_t listen_anywhere(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (void *)&address, size) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (void *)&address, &size) < 0)
		_exit(1);
	return ntohs(address.sin_port);
}

static void say(uint16_t port)
{
	struct report report = {getpid(), port};

	if (write(reports[1], &report, sizeof(report)) != sizeof(report))
		_exit(1);
}

static _Noreturn void outlive(void)
{
	char byte;

	while (read(life[0], &byte, 1) < 0)
		continue;
	_exit(0);
}

static _Noreturn void serve(void)
{
	say(listen_anywhere());
	outlive();
}

/* Continues in a child; the calling process exits. */
static void detach(void)
{
	pid_t pid = fork();

	if (pid != 0)
		_exit(pid < 0);
}

/* Continues in a child and returns true there. The calling process waits for the child and gets
 * false. */
static bool branch(void)
{
	pid_t pid = fork();

	if (pid == 0)
		return true;
	waitpid(pid, NULL, 0);
	return false;
}

/* ( server & ) */
static void in_the_background(void)
{
	if (branch()) {
		detach();
		serve();
	}
}

/* setsid setsid server */
static void setsid_twice(void)
{
	if (branch()) {
		detach();
		setsid();
		detach();
		setsid();
		serve();
	}
}

/* As redis --daemonize does. */
static void fork_setsid(void)
{
	if (branch()) {
		detach();
		setsid();
		serve();
	}
}

/* As nginx does: listens first, and has workers that share the socket. */
static void listen_first(void)
{
	uint16_t port;

	if (branch()) {
		port = listen_anywhere();
		detach();
		setsid();
		if (fork() == 0)
			outlive();
		say(port);
		outlive();
	}
}

/* As gunicorn -D does. */
static void fork_setsid_fork(void)
{
	uint16_t port;

	if (branch()) {
		detach();
		setsid();
		detach();
		port = listen_anywhere();
		for (int i = 0; i < 2; i++)
			if (fork() == 0)
				outlive();
		say(port);
		outlive();
	}
}

/* As in tmux: a daemon starts a shell in a session of its own, and the shell starts the server. */
static void under_a_daemon(void)
{
	if (branch()) {
		detach();
		setsid();
		detach();
		if (branch()) {
			setsid();
			if (branch())
				serve();
			outlive();
		}
		outlive();
	}
}

static int serve_at_once(void *data)
{
	(void)data;
	serve();
}

/* Starts a process that is a child of the caller's parent. */
static void start_sibling(void)
{
	static char stack[64 * 1024] __attribute__((aligned(64)));

	if (clone(serve_at_once, stack + sizeof(stack), CLONE_PARENT | SIGCHLD, NULL) < 0)
		_exit(1);
}

static void as_a_sibling(void)
{
	if (branch()) {
		start_sibling();
		_exit(0);
	}
}

/* As a build does that starts a daemon at its end. */
static void after_many_forks(void)
{
	if (branch()) {
		for (int i = 0; i < FORKS; i++)
			if (branch())
				_exit(0);
		detach();
		serve();
	}
}

/* Listens, and on command leaves the socket to a child and exits at once. */
static void hand_on(void)
{
	uint16_t port;
	char byte;

	if (branch()) {
		port = listen_anywhere();
		say(port);
		if (read(orders_in, &byte, 1) != 1)
			_exit(1);
		detach();
		say(port);
		outlive();
	}
}

/* The root itself listens first and then executes another program. */
static void listen_then_exec(void)
{
	static bool listens;
	char out[16], in[16];

	if (!listens) {
		listens = true;
		say(listen_anywhere());
		return;
	}
	snprintf(out, sizeof(out), "%d", reports[1]);
	snprintf(in, sizeof(in), "%d", life[0]);
	execl("/proc/self/exe", "exe", "serve", out, in, (char *)NULL);
	_exit(1);
}

static const struct {
	const char *name;
	void (*start)(void);
} kinds[] = {
	{"in the background", in_the_background},
	{"setsid twice", setsid_twice},
	{"fork, setsid", fork_setsid},
	{"listen first", listen_first},
	{"fork, setsid, fork", fork_setsid_fork},
	{"under a daemon", under_a_daemon},
	{"as a sibling", as_a_sibling},
};
#define KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

/* The root starts one server for each byte. */
struct root {
	pid_t pid;
	int orders;
	void (*start)(void);
};

static struct root root_start(void (*start)(void), bool leads_session)
{
	struct root root;
	int orders[2];
	char byte;

	ck_assert_int_eq(pipe(orders), 0);
	ck_assert_int_eq(pipe(reports), 0);
	ck_assert_int_eq(pipe(life), 0);
	root = (struct root){fork(), orders[1], start};
	ck_assert_int_ge(root.pid, 0);
	if (root.pid > 0) {
		close(orders[0]);
		/* Waits until the root has a session of its own, before the root is watched. */
		ck_assert_int_eq(read(reports[0], &byte, 1), 1);
		return root;
	}
	close(orders[1]);
	close(life[1]);
	orders_in = orders[0];
	if (leads_session)
		setsid();
	if (write(reports[1], "", 1) != 1)
		_exit(1);
	while (read(orders[0], &byte, 1) == 1)
		start();
	_exit(0);
}

static struct report root_order(struct root *root)
{
	struct report report;

	ck_assert_int_eq(write(root->orders, "", 1), 1);
	ck_assert_int_eq(read(reports[0], &report, sizeof(report)), sizeof(report));
	return report;
}

/* Ends the root with everything that it has started. */
static void root_end(struct root *root)
{
	close(life[1]);
	close(root->orders);
	ck_assert_int_eq(waitpid(root->pid, NULL, 0), root->pid);
	close(reports[1]);
	/* All other processes also have the pipe open, so the read ends when they all have exited.
	 */
	ck_assert_int_eq(read(reports[0], &life, 1), 0);
	close(reports[0]);
	close(life[0]);
}

/* --- the ways to start a server */

static int reported_by(struct collect *collect)
{
	return portwatch_get_notifier(collect->watcher, PORTWATCH_NOTICE_PROCESS, NULL, 0);
}

/* --- the tests */

/* If other processes fork so much that the kernel drops fork records, the watcher no longer follows
 * a process that made a session of its own. The test then tries again. */
#define ATTEMPTS 20

static uint64_t losses(const struct collect *collect)
{
	return portwatch_get_stat(collect->watcher, PORTWATCH_STAT_NOTIFIER_LOST);
}

/* Waits for the port of the report. Returns false if records were lost before the port was
 * reported. */
static bool await_port(struct collect *collect, const struct report *report, uint64_t lost)
{
	time_t deadline = time(NULL) + COLLECT_PATIENCE;

	while (collect_count(collect, OPEN, NULL, report->port) == 0) {
		if (losses(collect) > lost)
			return false;
		if (time(NULL) >= deadline)
			collect_show(collect);
		ck_assert(time(NULL) < deadline);
		usleep(1000);
	}
	return true;
}

static bool expect_once(struct collect *collect, struct root *root)
{
	uint64_t lost = losses(collect);
	struct report started[TIMES];

	for (int i = 0; i < TIMES; i++)
		started[i] = root_order(root);
	for (int i = 0; i < TIMES; i++) {
		pid_t pid;

		if (!await_port(collect, &started[i], lost))
			return false;
		pid = collect_wait(collect, OPEN, NULL, started[i].port).pid;
		/* If the server listens first, the launcher may still be the owner. If the server
		 * has workers, the watcher may find a worker first. */
		ck_assert(pid == started[i].pid || root->start == listen_first ||
		          root->start == fork_setsid_fork);
	}
	return true;
}

static void expect_all(struct collect *collect, struct root *root)
{
	for (int i = 0; i < ATTEMPTS; i++)
		if (expect_once(collect, root))
			return;
	test_skip("the kernel drops records all the time");
}

static void end_all(struct collect *collect, struct root *root)
{
	root_end(root);
	collect_wait(collect, PORTWATCH_EVENT_END, NULL, 0);
	ck_assert_uint_ge(collect_count(collect, OPEN, NULL, 0), TIMES);
	ck_assert_uint_eq(collect_count(collect, OPEN, NULL, 0),
	                  collect_count(collect, CLOSE, NULL, 0));
	collect_free(collect);
}

START_TEST(by_what_there_is)
{
	struct root root = root_start(kinds[_i].start, false);
	struct collect collect;

	collect_watch(&collect, root.pid);
	if (reported_by(&collect) == PORTWATCH_NOTIFIER_NONE)
		test_skip("nothing reports forks here");
	expect_all(&collect, &root);
	end_all(&collect, &root);
}
END_TEST

/* The root makes children of its parent, which is not a member. The connector reports the parent;
 * perf records report the process that called clone(2). */
START_TEST(by_who_has_made_them)
{
	struct root root = root_start(start_sibling, false);
	struct collect collect;

	collect_watch(&collect, root.pid);
	if (reported_by(&collect) != PORTWATCH_NOTIFIER_PERF)
		test_skip("no perf records here");
	expect_all(&collect, &root);
	end_all(&collect, &root);
}
END_TEST

START_TEST(by_the_connector)
{
	struct root root = root_start(kinds[_i].start, false);
	struct collect collect;

	deny(DENY_BPF | DENY_PERF);
	collect_watch(&collect, root.pid);
	if (reported_by(&collect) != PORTWATCH_NOTIFIER_CONNECTOR)
		test_skip("no process connector here");
	expect_all(&collect, &root);
	end_all(&collect, &root);
}
END_TEST

/* No mechanism reports forks. The watcher still follows processes that stay in the root's session.
 */
START_TEST(by_their_session)
{
	struct root root = root_start(in_the_background, true);
	struct collect collect;

	deny(DENY_BPF | DENY_PERF | DENY_CONNECTOR);
	collect_watch(&collect, root.pid);
	ck_assert_int_eq(reported_by(&collect), PORTWATCH_NOTIFIER_NONE);
	collect_wait_message(&collect, "session or process group");
	ck_assert_uint_eq(collect_count_messages(&collect, "session or process group"), 1);
	expect_all(&collect, &root);
	end_all(&collect, &root);
}
END_TEST

/* The same when the host has switched the notifier off. */
START_TEST(by_their_session_without_notifier)
{
	struct root root = root_start(in_the_background, true);
	struct collect collect;

	collect_new(&collect, root.pid);
	ck_assert_int_eq(portwatch_set_notifier(collect.watcher, 0), 0);
	collect_start(&collect);
	expect_all(&collect, &root);
	end_all(&collect, &root);
}
END_TEST

/* Whichever mechanism reports the forks, no record is lost, and no data of processes that have
 * exited remains. */
START_TEST(many_forks)
{
	static const unsigned int denied[] = {0, DENY_BPF | DENY_PERF,
	                                      DENY_BPF | DENY_PERF | DENY_CONNECTOR};
	struct root root = root_start(after_many_forks, true);
	time_t deadline = time(NULL) + COLLECT_PATIENCE;
	struct collect collect;
	struct report report;

	if (denied[_i])
		deny(denied[_i]);
	collect_watch(&collect, root.pid);
	report = root_order(&root);
	ck_assert_int_eq(collect_wait(&collect, OPEN, NULL, report.port).pid, report.pid);
	/* Only the root and the server remain. */
	while (portwatch_get_stat(collect.watcher, PORTWATCH_STAT_MEMBERS) > 2) {
		ck_assert(time(NULL) < deadline);
		usleep(1000);
	}
	root_end(&root);
	collect_wait(&collect, CLOSE, NULL, report.port);
	collect_wait(&collect, PORTWATCH_EVENT_END, NULL, 0);
	collect_free(&collect);
}
END_TEST

/* Returns the owner of a port according to the last event. */
static pid_t named_owner(struct collect *collect, uint16_t port)
{
	pid_t pid = 0;

	pthread_mutex_lock(&collect->lock);
	for (size_t i = 0; i < collect->count; i++)
		if (collect->events[i].port == port)
			pid = collect->events[i].pid;
	pthread_mutex_unlock(&collect->lock);
	return pid;
}

/* The owner exits as soon as it has forked the next owner. The watcher finds the next owner before
 * the port counts as one without a holder. */
START_TEST(a_port_that_is_handed_on_stays_open)
{
	struct root root = root_start(hand_on, true);
	time_t deadline = time(NULL) + COLLECT_PATIENCE;
	struct report before, after[TIMES];
	struct collect collect;

	deny(DENY_BPF | DENY_PERF | DENY_CONNECTOR);
	collect_new(&collect, root.pid);
	ck_assert_int_eq(portwatch_set_events(collect.watcher, COLLECT_KINDS | OWNER), 0);
	collect_start(&collect);
	for (int i = 0; i < TIMES; i++) {
		before = root_order(&root);
		collect_wait(&collect, OPEN, NULL, before.port);
		after[i] = root_order(&root);
		ck_assert_uint_eq(after[i].port, before.port);
	}
	/* The last event may have reported either process, because both held the port for a moment.
	 */
	for (int i = 0; i < TIMES; i++)
		while (named_owner(&collect, after[i].port) != after[i].pid) {
			if (time(NULL) >= deadline)
				collect_show(&collect);
			ck_assert(time(NULL) < deadline);
			usleep(1000);
		}
	if (collect_count(&collect, CLOSE, NULL, 0) > 0)
		collect_show(&collect);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 0), 0);
	end_all(&collect, &root);
}
END_TEST

/* Returns the library's connector socket, or -1 if there is none. */
static int find_socket(void)
{
	for (int fd = 3; fd < 1024; fd++) {
		int protocol = 0, domain = 0;
		socklen_t size = sizeof(protocol);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
		    domain == AF_NETLINK &&
		    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
		    protocol == CONNECTOR)
			return fd;
	}
	return -1;
}

static void set_buffer(int size)
{
	ck_assert_int_eq(setsockopt(find_socket(), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
}

/* Makes many more forks than the socket's buffer has room for, of processes that are young enough
 * to matter. */
START_TEST(after_an_overrun)
{
	struct root root = root_start(under_a_daemon, false);
	struct collect collect;
	time_t deadline;
	pid_t child;

	deny(DENY_BPF | DENY_PERF);
	collect_watch(&collect, root.pid);
	if (reported_by(&collect) != PORTWATCH_NOTIFIER_CONNECTOR)
		test_skip("no process connector here");
	set_buffer(1);
	deadline = time(NULL) + COLLECT_PATIENCE;
	while (portwatch_get_stat(collect.watcher, PORTWATCH_STAT_NOTIFIER_LOST) == 0) {
		ck_assert(time(NULL) < deadline);
		child = fork();
		if (child == 0) {
			for (int i = 0; i < 100; i++)
				if (branch())
					_exit(0);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(child, NULL, 0), child);
	}
	set_buffer(1000000);
	expect_all(&collect, &root);
	end_all(&collect, &root);
}
END_TEST

/* The fork records of some of the servers are lost. The servers' session shows to which tree they
 * belong. */
START_TEST(by_their_session_after_an_overrun)
{
	struct root root = root_start(in_the_background, true);
	struct report started[TIMES];
	struct collect collect;
	time_t deadline;

	deny(DENY_BPF | DENY_PERF);
	collect_watch(&collect, root.pid);
	if (reported_by(&collect) != PORTWATCH_NOTIFIER_CONNECTOR)
		test_skip("no process connector here");
	set_buffer(1);
	deadline = time(NULL) + COLLECT_PATIENCE;
	do {
		for (int i = 0; i < TIMES; i++)
			started[i] = root_order(&root);
		ck_assert(time(NULL) < deadline);
	} while (losses(&collect) == 0);
	set_buffer(1000000);
	for (int i = 0; i < TIMES; i++)
		collect_wait(&collect, OPEN, NULL, started[i].port);
	end_all(&collect, &root);
}
END_TEST

/* The host closes the library's descriptor: the library opens another one. */
START_TEST(after_the_socket_was_closed)
{
	struct root root = root_start(setsid_twice, false);
	struct collect collect;
	time_t deadline;

	deny(DENY_BPF | DENY_PERF);
	collect_watch(&collect, root.pid);
	if (reported_by(&collect) != PORTWATCH_NOTIFIER_CONNECTOR)
		test_skip("no process connector here");
	close(find_socket());
	deadline = time(NULL) + COLLECT_PATIENCE;
	while (find_socket() < 0) {
		ck_assert(time(NULL) < deadline);
		sched_yield();
	}
	/* The mechanism is only checked after the socket has been set up. */
	ck_assert_int_eq(reported_by(&collect), PORTWATCH_NOTIFIER_CONNECTOR);
	expect_all(&collect, &root);
	end_all(&collect, &root);
}
END_TEST

/* The reported name is that of the program which listens, not of the program which was forked. */
START_TEST(under_its_new_name)
{
	struct root root = root_start(listen_then_exec, false);
	struct collect collect;
	struct report before, after;

	deny(DENY_BPF | DENY_PERF);
	collect_watch(&collect, root.pid);
	if (reported_by(&collect) != PORTWATCH_NOTIFIER_CONNECTOR)
		test_skip("no process connector here");
	before = root_order(&root);
	ck_assert_str_ne(collect_wait(&collect, OPEN, NULL, before.port).process, "exe");
	after = root_order(&root);
	ck_assert_int_eq(after.pid, before.pid);
	ck_assert_str_eq(collect_wait(&collect, OPEN, NULL, after.port).process, "exe");
	collect_free(&collect);
	root_end(&root);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("detached");
	TCase *events = tcase_create("events"), *none = tcase_create("none");
	TCase *handed = tcase_create("handed"), *many = tcase_create("many");
	TCase *lost = tcase_create("losses"), *names = tcase_create("names");

	tcase_add_loop_test(events, by_what_there_is, 0, KINDS);
	tcase_add_loop_test(events, by_the_connector, 0, KINDS);
	tcase_add_test(events, by_who_has_made_them);
	suite_add_tcase(suite, events);
	tcase_add_test(none, by_their_session);
	tcase_add_test(none, by_their_session_without_notifier);
	tcase_add_test(handed, a_port_that_is_handed_on_stays_open);
	suite_add_tcase(suite, none);
	suite_add_tcase(suite, handed);
	tcase_add_loop_test(many, many_forks, 0, 3);
	suite_add_tcase(suite, many);
	tcase_add_test(names, under_its_new_name);
	suite_add_tcase(suite, names);
	tcase_add_test(lost, after_an_overrun);
	tcase_add_test(lost, by_their_session_after_an_overrun);
	tcase_add_test(lost, after_the_socket_was_closed);
	suite_add_tcase(suite, lost);
	return suite;
}

/* This program is also the one that is executed. It then uses what it has inherited. */
int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0) {
		reports[1] = atoi(argv[2]);
		life[0] = atoi(argv[3]);
		serve();
	}
	return check_main(argc, argv, make_suite);
}
