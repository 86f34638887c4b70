/* SPDX-License-Identifier: MIT */
/* test_probe.c - the network namespace in which a socket was made */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/fixture.h"
#include "support/patience.h"
#include "support/sandbox.h"
#include "support/skip.h"
#include "table/probe.h"
#include "table/source.h"
#include "util/spawn.h"

#define MANY 15000

static struct procfs procfs;
static struct fixture fixture;
static uint64_t known_inode;

static void setup(void)
{
	sigset_t all;

	/* As in the library's threads. */
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

/* Waits for the answer. */
static int await_answer(struct probe *probe, struct probe_result *result)
{
	struct pollfd ready = {.fd = probe_fd(probe), .events = POLLIN};
	struct child child;
	int error;

	do {
		ck_assert_int_eq(poll(&ready, 1, patience(60000)), 1);
		error = probe_take(probe, result);
	} while (error == -EAGAIN);
	if (error == -EPERM || error == -ENOSYS)
		test_skip("may not copy a socket of the process: %s", strerror(-error));
	probe_close(probe, &child);
	waitpid(child.pid, NULL, __WALL);
	return error;
}

static unsigned int calls;

/* Asks for the sockets of a process until the end, in any number of calls. */
static int ask_process(pid_t pid, uint16_t port, struct probe_result *result)
{
	unsigned int next = 0;
	struct probe_target target = {
		.procfs = &procfs,
		.pid = pid,
		.port = port,
		.known = is_known,
		.next = &next,
	};
	struct process_stat stat;
	struct probe *probe;
	int process = procfs_open_process(&procfs, pid), error;

	ck_assert_int_eq(procfs_read_stat(process, &stat), 0);
	close(process);
	target.start_time = stat.start_time;
	calls = 0;
	do {
		calls++;
		target.first = next;
		next = 0;
		error = probe_start(&probe, &target);
		if (error == -EACCES || error == -EPERM || error == -ENOSYS)
			test_skip("may not look into the process: %s", strerror(-error));
		if (error == 0)
			error = await_answer(probe, result);
	} while (error == -ENOENT && next > 0);
	return error;
}

static int ask(uint16_t port, struct probe_result *result)
{
	return ask_process(fixture.pid, port, result);
}

START_TEST(a_socket_in_the_former_namespace_of_a_process)
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

static uint64_t own_cookie(void)
{
	struct table_source source = {.diag = -1};

	return table_source_cookie(&source);
}

/* The kernel may refuse to open the process. */
START_TEST(a_socket_in_the_present_namespace)
{
	struct fixture_socket socket;
	struct probe_result result;

	fixture = fixture_start(geteuid() == 0 ? 0 : SANDBOX_USERNS);
	socket = fixture_listen(&fixture, "::1", 0);
	fixture_unshare(&fixture);
	ck_assert_int_eq(ask(socket.port, &result), 0);
	assert_same(result.id, netns_of(getpid()));
	/* Without the cookie of a namespace (before Linux 5.14) the library's own is opened, too.
	 */
	ck_assert(result.netns == -1 || own_cookie() == 0);
	if (result.netns >= 0)
		close(result.netns);
	fixture_end(&fixture);
}
END_TEST

START_TEST(sockets_that_do_not_listen_are_skipped)
{
	struct fixture_socket bound, socket;
	struct probe_result result;

	fixture = fixture_start(SANDBOX_NETNS);
	bound = fixture_listen_with(&fixture, "127.0.0.1", 8001, LISTEN_BIND_ONLY);
	socket = fixture_listen(&fixture, "127.0.0.1", 8002);
	ck_assert_int_eq(ask(bound.port, &result), -ENOENT);
	ck_assert_int_eq(ask(8003, &result), -ENOENT);
	/* The known socket is not asked for. */
	known_inode = socket.inode;
	ck_assert_int_eq(ask(socket.port, &result), -ENOENT);
	known_inode = 0;
	ck_assert_int_eq(ask(socket.port, &result), 0);
	close(result.netns);
	fixture_end(&fixture);
}
END_TEST

START_TEST(a_process_with_another_start_time_is_not_probed)
{
	struct probe_target target = {
		.procfs = &procfs, .pid = getpid(), .start_time = 1, .port = 80, .known = is_known};
	struct probe *probe;
	int ends[2];

	/* A socket to ask for. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	ck_assert_int_eq(probe_start(&probe, &target), -ESRCH);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* Opens as many descriptors as allowed, and a socket after them. Returns the socket's port. */
static uint16_t fill_descriptors(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0), last = fd;
	struct rlimit files;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return 0;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 0; i < MANY && last >= 0; i++)
		last = fcntl(STDERR_FILENO, F_DUPFD, fd);
	last = fcntl(fd, F_DUPFD, fd);
	close(fd);
	if (last < 0 || bind(last, (const void *)&address, size) < 0 || listen(last, 1) < 0 ||
	    getsockname(last, (void *)&address, &size) < 0)
		return 0;
	return ntohs(address.sin_port);
}

/* A process with many descriptors is scanned in several pieces. */
START_TEST(the_last_of_many_descriptors_is_found)
{
	struct probe_result result;
	uint16_t port = 0;
	int ends[2];
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(ends[0]);
		port = fill_descriptors();
		if (write(ends[1], &port, sizeof(port)) != sizeof(port))
			_exit(1);
		_exit(read(ends[1], &port, 1) < 0);
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &port, sizeof(port)), sizeof(port));
	if (port == 0)
		test_skip("a process may not have so many descriptors");
	ck_assert_int_eq(ask_process(pid, port, &result), 0);
	ck_assert_uint_gt(calls, 1);
	assert_same(result.id, netns_of(pid));
	if (result.netns >= 0)
		close(result.netns);
	close(ends[0]);
	waitpid(pid, NULL, 0);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("probe");
	TCase *all = tcase_create("probe");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, a_socket_in_the_former_namespace_of_a_process);
	tcase_add_test(all, a_socket_in_the_present_namespace);
	tcase_add_test(all, sockets_that_do_not_listen_are_skipped);
	tcase_add_test(all, a_process_with_another_start_time_is_not_probed);
	tcase_add_test(all, the_last_of_many_descriptors_is_found);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
