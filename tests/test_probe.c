/* SPDX-License-Identifier: MIT */
/* test_probe.c - sockets tell in which network namespace they were made */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/fixture.h"
#include "support/patience.h"
#include "support/sandbox.h"
#include "support/skip.h"
#include "table/probe.h"
#include "util/spawn.h"

static struct procfs procfs;
static struct fixture fixture;
static uint64_t known_inode;

static void setup(void)
{
	sigset_t all;

	/* As in the threads of the library. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	ck_assert_int_eq(procfs_open(&procfs, "/proc"), 0);
	known_inode = 0;
}

static void teardown(void)
{
	procfs_close(&procfs);
}

static bool is_known(void *data, uint64_t inode)
{
	(void)data;
	return inode == known_inode;
}

static struct netns_id netns_of(pid_t pid)
{
	struct netns_id id;

	ck_assert_int_eq(procfs_netns_of(&procfs, pid, &id), 0);
	return id;
}

static void assert_same(struct netns_id id, struct netns_id expected)
{
	ck_assert_uint_eq(id.dev, expected.dev);
	ck_assert_uint_eq(id.ino, expected.ino);
}

/* Asks the sockets of the fixture to the end. */
static int ask(uint16_t port, struct probe_result *result)
{
	struct probe_target target = {
		.procfs = &procfs,
		.pid = fixture.pid,
		.port = port,
		.known = is_known,
	};
	struct pollfd ready = {.events = POLLIN};
	struct process_stat stat;
	struct probe *probe;
	struct child child;
	int process = procfs_open_process(&procfs, fixture.pid), error;

	ck_assert_int_eq(procfs_read_stat(process, &stat), 0);
	close(process);
	target.start_time = stat.start_time;
	error = probe_start(&probe, &target);
	if (error == -EACCES || error == -EPERM || error == -ENOSYS)
		test_skip("may not look into the fixture: %s", strerror(-error));
	if (error < 0)
		return error;
	ready.fd = probe_fd(probe);
	do {
		ck_assert_int_eq(poll(&ready, 1, patience(60000)), 1);
		error = probe_take(probe, result);
	} while (error == -EAGAIN);
	if (error == -EPERM || error == -ENOSYS)
		test_skip("may not copy a socket of the fixture: %s", strerror(-error));
	probe_close(probe, &child);
	waitpid(child.pid, NULL, __WALL);
	return error;
}

START_TEST(where_the_process_has_left_it)
{
	struct fixture_socket socket;
	struct probe_result result;
	struct netns_id before;

	fixture = fixture_start(SANDBOX_NETNS);
	before = netns_of(fixture.pid);
	fixture_listen(&fixture, "127.0.0.1", 8001);
	socket = fixture_listen(&fixture, "127.0.0.1", 8002);
	fixture_unshare(&fixture);
	fixture_listen(&fixture, "127.0.0.1", 8003);
	ck_assert_int_eq(ask(socket.port, &result), 0);
	assert_same(result.id, before);
	ck_assert_int_ge(result.netns, 0);
	close(result.netns);
	ck_assert_int_eq(ask(8003, &result), 0);
	assert_same(result.id, netns_of(fixture.pid));
	close(result.netns);
	fixture_end(&fixture);
}
END_TEST

/* The kernel need not let us open it. */
START_TEST(where_we_are_ourselves)
{
	struct fixture_socket socket;
	struct probe_result result;

	fixture = fixture_start(geteuid() == 0 ? 0 : SANDBOX_USERNS);
	socket = fixture_listen(&fixture, "::1", 0);
	fixture_unshare(&fixture);
	ck_assert_int_eq(ask(socket.port, &result), 0);
	assert_same(result.id, netns_of(getpid()));
	ck_assert_int_eq(result.netns, -1);
	fixture_end(&fixture);
}
END_TEST

START_TEST(what_does_not_listen_there_is_passed_over)
{
	struct fixture_socket bound, socket;
	struct probe_result result;

	fixture = fixture_start(SANDBOX_NETNS);
	bound = fixture_listen_with(&fixture, "127.0.0.1", 8001, LISTEN_BIND_ONLY);
	socket = fixture_listen(&fixture, "127.0.0.1", 8002);
	ck_assert_int_eq(ask(bound.port, &result), -ENOENT);
	ck_assert_int_eq(ask(8003, &result), -ENOENT);
	/* Nobody asks the one that is known. */
	known_inode = socket.inode;
	ck_assert_int_eq(ask(socket.port, &result), -ENOENT);
	known_inode = 0;
	ck_assert_int_eq(ask(socket.port, &result), 0);
	close(result.netns);
	fixture_end(&fixture);
}
END_TEST

START_TEST(a_process_of_another_time_is_not_asked)
{
	struct probe_target target = {
		.procfs = &procfs, .pid = getpid(), .start_time = 1, .port = 80, .known = is_known};
	struct probe *probe;
	int ends[2];

	/* One to ask. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(probe_start(&probe, &target), -ESRCH);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("probe");
	TCase *all = tcase_create("probe");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, where_the_process_has_left_it);
	tcase_add_test(all, where_we_are_ourselves);
	tcase_add_test(all, what_does_not_listen_there_is_passed_over);
	tcase_add_test(all, a_process_of_another_time_is_not_asked);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
