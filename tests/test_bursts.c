/* SPDX-License-Identifier: MIT */
/* test_bursts.c - if nothing reports listen(2), reads follow soon after each fork and exec */
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
#include "support/loopback.h"
#include "support/skip.h"
#include "util/clock.h"

#define OPEN PORTWATCH_EVENT_OPEN
/* The library at rest reads every 50 ms and not sooner. If other processes close listeners in the
 * same namespace, such a read is followed by another one. */
#define AT_REST (20 * NSEC_PER_MSEC)
/* How long a server takes to start, in ms. */
#define STARTS "30"
/* Reads during one start, beyond those at rest, that only a burst can make. */
#define READS_MORE 4
/* Starts with such a burst that are enough. On a loaded machine a read takes more CPU time, and the
 * allowance ends before there are many bursts. */
#define BURSTS 2

static _Noreturn void serve(int report, unsigned int delay)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct timespec left = {.tv_nsec = (long)(delay * NSEC_PER_MSEC)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint16_t port;

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		continue;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (void *)&address, size) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (void *)&address, &size) < 0)
		_exit(1);
	port = ntohs(address.sin_port);
	if (write(report, &port, sizeof(port)) != sizeof(port))
		_exit(1);
	for (;;)
		pause();
}

/* Commands to a process, one byte each: start a server, or end it. */
#define START 's'
#define END 'e'

struct root {
	pid_t pid;
	int orders, reports;
};

static pid_t start(int report)
{
	char out[16];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	snprintf(out, sizeof(out), "%d", report);
	execl("/proc/self/exe", "exe", "serve", out, STARTS, (char *)NULL);
	_exit(1);
}

static void end(pid_t server)
{
	if (server > 0 && kill(server, SIGKILL) == 0)
		waitpid(server, NULL, 0);
}

static struct root root_start(void)
{
	int orders[2], reports[2];
	struct root root;
	pid_t server = 0;
	char byte;

	ck_assert_int_eq(pipe(orders), 0);
	ck_assert_int_eq(pipe(reports), 0);
	root = (struct root){fork(), orders[1], reports[0]};
	ck_assert_int_ge(root.pid, 0);
	if (root.pid > 0) {
		close(orders[0]);
		close(reports[1]);
		ck_assert_int_eq(read(root.reports, &byte, 1), 1);
		return root;
	}
	close(orders[1]);
	/* If possible, the test runs in a namespace without the sockets of other processes. */
	if (unshare(CLONE_NEWNET) == 0)
		loopback_up();
	if (write(reports[1], "", 1) != 1)
		_exit(1);
	while (read(orders[0], &byte, 1) == 1) {
		end(server);
		server = byte == START ? start(reports[1]) : 0;
	}
	end(server);
	_exit(0);
}

static void root_order(const struct root *root, char what)
{
	ck_assert_int_eq(write(root->orders, &what, 1), 1);
}

static void root_end(struct root *root)
{
	close(root->orders);
	ck_assert_int_eq(waitpid(root->pid, NULL, 0), root->pid);
	close(root->reports);
}

/* Starts servers until a few starts have seen more reads, between the start and the port that it
 * opens, than polling at rest makes. */
static void expect_bursts(struct collect *collect, struct root *root)
{
	time_t deadline = time(NULL) + COLLECT_PATIENCE;
	uint64_t before, reads, elapsed;
	unsigned int bursts = 0;
	uint16_t port;

	while (bursts < BURSTS) {
		ck_assert_msg(time(NULL) < deadline, "%u bursts", bursts);
		elapsed = clock_now(CLOCK_MONOTONIC);
		before = portwatch_get_stat(collect->watcher, PORTWATCH_STAT_READS);
		root_order(root, START);
		ck_assert_int_eq(read(root->reports, &port, sizeof(port)), sizeof(port));
		collect_wait(collect, OPEN, NULL, port);
		elapsed = clock_now(CLOCK_MONOTONIC) - elapsed;
		reads = portwatch_get_stat(collect->watcher, PORTWATCH_STAT_READS) - before;
		if (reads > elapsed / AT_REST + READS_MORE)
			bursts++;
		/* The end of a server causes reads, too. */
		root_order(root, END);
		collect_wait_count(collect, PORTWATCH_EVENT_CLOSE, NULL, 0,
		                   collect_count(collect, OPEN, NULL, 0));
	}
}

static void watch(struct collect *collect, struct root *root, int notifier)
{
	collect_new(collect, root->pid);
	ck_assert_int_eq(portwatch_set_interval(collect->watcher, 0), 0);
	ck_assert_int_eq(portwatch_set_notifier(collect->watcher, notifier), 0);
	collect_start(collect);
}

START_TEST(after_an_exec_that_is_reported)
{
	struct root root = root_start();
	struct collect collect;

	deny(DENY_BPF | DENY_PERF | DENY_CLOSES);
	watch(&collect, &root, 1);
	if (portwatch_get_notifier(collect.watcher, PORTWATCH_NOTICE_PROCESS, NULL, 0) !=
	    PORTWATCH_NOTIFIER_CONNECTOR)
		test_skip("no process connector here");
	expect_bursts(&collect, &root);
	collect_free(&collect);
	root_end(&root);
}
END_TEST

/* The library itself finds the new process at one of its reads. */
START_TEST(after_a_fork_that_is_found)
{
	struct root root = root_start();
	struct collect collect;

	deny(DENY_CLOSES);
	watch(&collect, &root, 0);
	expect_bursts(&collect, &root);
	collect_free(&collect);
	root_end(&root);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bursts");
	TCase *all = tcase_create("bursts");

	tcase_add_test(all, after_an_exec_that_is_reported);
	tcase_add_test(all, after_a_fork_that_is_found);
	suite_add_tcase(suite, all);
	return suite;
}

/* The test program is also the server that is executed. */
int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		serve(atoi(argv[2]), (unsigned int)atoi(argv[3]));
	return check_main(argc, argv, make_suite);
}
