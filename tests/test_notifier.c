/* SPDX-License-Identifier: MIT */
/* test_notifier.c - the notifier on the running kernel, where other processes cause events as well
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/patience.h"
#include "util/caps.h"
#include "util/clock.h"
#include "notify/notifier.h"
#include "notify/tcp_tracepoint.h"
#include "support/check_main.h"
#include "support/sandbox.h"
#include "support/skip.h"

#define PATIENCE patience(60000) /* ms: only a hang takes longer */
#define HEARD_MAX 1024

/* What the hooks have reported about this process, its children and, if wanted, outsiders. */
static struct {
	struct tcp_change changes[HEARD_MAX];
	size_t change_count;
	unsigned long forks; /* of all processes */
	pid_t parents[HEARD_MAX], children[HEARD_MAX];
	size_t fork_count;
	pid_t execs[HEARD_MAX];
	size_t exec_count;
	pid_t exits[HEARD_MAX];
	size_t exit_count;
	pid_t followed[HEARD_MAX];
	size_t followed_count;
	unsigned int losses;
	uint64_t last_time;
	bool disordered;
} heard;

static pid_t listener_pid; /* the process whose changes are kept */
static struct notifier *notifier;

/* The mechanisms that report sockets, which must all report the same, and the one that reports only
 * processes. A loop test runs once for each. */
static const unsigned int ways[] = {
	NOTIFIER_ONLY(NOTIFIER_BPF) | NOTIFIER_ONLY(NOTIFIER_PERF),
	NOTIFIER_ONLY(NOTIFIER_TRACEPOINT) | NOTIFIER_ONLY(NOTIFIER_PERF),
	NOTIFIER_ONLY(NOTIFIER_PERF),
};
#define SOCKET_WAYS 2
#define PROCESS_WAYS 3
static unsigned int ways_wanted;

static void on_changed(void *data, const struct tcp_change *change)
{
	ck_assert_ptr_eq(data, &heard);
	heard.disordered |= change->time < heard.last_time;
	heard.last_time = change->time;
	if (change->pid == listener_pid && heard.change_count < HEARD_MAX)
		heard.changes[heard.change_count++] = *change;
}

static bool on_forked(void *data, pid_t parent, pid_t child)
{
	(void)data;
	if (parent != getpid())
		return false;
	heard.forks++;
	if (heard.fork_count >= HEARD_MAX)
		return true;
	heard.parents[heard.fork_count] = parent;
	heard.children[heard.fork_count++] = child;
	notifier_follow(notifier, child);
	return true;
}

static bool is_heard_of(pid_t pid)
{
	for (size_t i = 0; i < heard.fork_count; i++)
		if (heard.children[i] == pid)
			return true;
	return false;
}

static bool on_execed(void *data, pid_t pid)
{
	(void)data;
	if (!is_heard_of(pid))
		return false;
	if (heard.exec_count < HEARD_MAX)
		heard.execs[heard.exec_count++] = pid;
	return true;
}

/* Waits for a process once. A sanitizer may have given the process a further thread. */
static bool on_exited(void *data, pid_t pid)
{
	size_t i;

	(void)data;
	for (i = 0; i < heard.exit_count; i++)
		if (heard.exits[i] == pid)
			return true;
	if (!is_heard_of(pid))
		return false;
	if (heard.exit_count < HEARD_MAX)
		heard.exits[heard.exit_count++] = pid;
	return true;
}

static void on_followed(void *data, pid_t pid)
{
	(void)data;
	if (heard.followed_count < HEARD_MAX)
		heard.followed[heard.followed_count++] = pid;
}

static void on_lost(void *data, uint64_t records)
{
	(void)data;
	(void)records;
	heard.losses++;
}

static const struct notifier_hooks hooks = {on_changed, on_forked,   on_execed,
                                            on_exited,  on_followed, on_lost};

/* The kernel lacks the mechanism or refuses it to us. */
static bool is_refusal(int error)
{
	return error == -EACCES || error == -EPERM || error == -ENOSYS || error == -ENODEV ||
	       error == -ENOENT;
}

/* Opens the n-th mechanism. Returns the failure; without a step: success. */
static struct failure try_to_begin(int way)
{
	struct failure failure = {NULL, 0};

	memset(&heard, 0, sizeof(heard));
	listener_pid = getpid();
	ways_wanted = ways[way];
	ck_assert_int_eq(notifier_open(&notifier, &hooks, &heard, ways_wanted, &failure), 0);
	for (int i = NOTIFIER_NONE + 1; i < NOTIFIER_WAYS && !failure.step; i++)
		failure = notifier_failure(notifier, i);
	ck_assert_msg(!failure.step || is_refusal(-failure.error), "cannot %s: %s", failure.step,
	              strerror(failure.error));
	return failure;
}

static void begin(int way)
{
	struct failure failure = try_to_begin(way);

	if (failure.step)
		test_skip("cannot %s: %s", failure.step, strerror(failure.error));
}

/* Other tests on this machine may fill the rings, so that the kernel drops records that a case
 * waits for. The case then begins again. */
#define DISTURBED_MAX 200
#define DISTURBED_STATUS 99
static bool losses_expected;
static bool is_child;
static jmp_buf again;

/* Drains all records, however often the drain stops. */
static void drain(void)
{
	while (notifier_drain(notifier, 64))
		;
	if (heard.losses == 0 || losses_expected)
		return;
	if (is_child)
		_exit(DISTURBED_STATUS);
	longjmp(again, 1);
}

static void end(void)
{
	notifier_close(notifier);
	notifier = NULL;
}

static void undisturbed(void (*body)(int _i), int _i)
{
	volatile int tries = 0;
	cpu_set_t allowed;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	if (setjmp(again)) {
		end();
		sched_setaffinity(0, sizeof(allowed), &allowed);
		ck_assert_int_lt(++tries, DISTURBED_MAX);
	}
	body(_i);
}

#define UNDISTURBED_TEST(name)                                                                     \
	static void name##_body(int _i);                                                           \
	START_TEST(name)                                                                           \
	{                                                                                          \
		undisturbed(name##_body, _i);                                                      \
	}                                                                                          \
	END_TEST                                                                                   \
	static void name##_body(int _i)

/* Waits once, as the monitor does. */
static void wait_once(void)
{
	struct pollfd ready = {.fd = notifier_fd(notifier), .events = POLLIN};
	uint64_t now = clock_now(CLOCK_MONOTONIC), due = notifier_due(notifier);
	int timeout = PATIENCE;

	if (due != UINT64_MAX)
		timeout = due <= now ? 0 : (int)((due - now) / NSEC_PER_MSEC) + 1;
	ck_assert_int_ge(poll(&ready, 1, timeout), 0);
}

/* Waits until this number of changes has been kept. */
static void await_changes(size_t count)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_MSEC;

	drain();
	while (heard.change_count < count) {
		ck_assert_msg(clock_now(CLOCK_MONOTONIC) < deadline, "heard %zu of %zu",
		              heard.change_count, count);
		wait_once();
		drain();
	}
}

static int bound_socket(const char *address, uint16_t *port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	bool is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;
	socklen_t size = sizeof(six);
	int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EAFNOSUPPORT)
		test_skip("no IPv6 here");
	ck_assert_int_ge(fd, 0);
	if (is_six) {
		if (bind(fd, (void *)&six, sizeof(six)) < 0 && errno == EADDRNOTAVAIL)
			test_skip("no %s here", address);
	} else {
		ck_assert_int_eq(inet_pton(AF_INET, address, &four.sin_addr), 1);
		ck_assert_int_eq(bind(fd, (void *)&four, sizeof(four)), 0);
	}
	ck_assert_int_eq(getsockname(fd, (void *)&six, &size), 0);
	*port = ntohs(six.sin6_port); /* at the same place in both */
	return fd;
}

static const struct {
	const char *address;
	int family;
	const char *bytes;
} addresses[] = {
	{"127.0.0.1", AF_INET, "\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0"},
	{"127.9.8.7", AF_INET, "\x7f\x09\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0"},
	{"0.0.0.0", AF_INET, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
	{"::1", AF_INET6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
	{"::", AF_INET6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
	{"::ffff:127.0.0.1", AF_INET6, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1"},
};

UNDISTURBED_TEST(test_listen_and_close)
{
	struct tcp_change *change = heard.changes;
	uint64_t before, after;
	uint16_t port;
	int fd;

	begin(_i % SOCKET_WAYS);
	fd = bound_socket(addresses[_i / SOCKET_WAYS].address, &port);
	before = clock_now(CLOCK_MONOTONIC);
	ck_assert_int_eq(listen(fd, 1), 0);
	after = clock_now(CLOCK_MONOTONIC);
	await_changes(1);
	close(fd);
	await_changes(2);
	ck_assert(change[0].listening);
	ck_assert_int_eq(change[0].pid, getpid());
	ck_assert_int_eq(change[0].tid, gettid());
	ck_assert_int_eq(change[0].family, addresses[_i / SOCKET_WAYS].family);
	ck_assert_uint_eq(change[0].port, port);
	ck_assert_mem_eq(change[0].address, addresses[_i / SOCKET_WAYS].bytes, 16);
	ck_assert_uint_ge(change[0].time, before);
	ck_assert_uint_le(change[0].time, after);
	ck_assert_uint_ne(change[0].socket, 0);
	ck_assert(!change[1].listening);
	ck_assert_uint_eq(change[1].socket, change[0].socket);
	/* The kernel releases a port that the kernel has chosen before it reports the change. */
	ck_assert(change[1].port == port || change[1].port == 0);
	ck_assert_uint_ge(notifier_records(notifier), 2);
	end();
}

UNDISTURBED_TEST(test_autobind)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	begin(_i % SOCKET_WAYS);
	ck_assert_int_eq(listen(fd, 1), 0);
	close(fd);
	await_changes(2);
	ck_assert(heard.changes[0].listening);
	ck_assert_uint_eq(heard.changes[0].port, 0);
	ck_assert(!heard.changes[1].listening);
	ck_assert_uint_eq(heard.changes[1].socket, heard.changes[0].socket);
	end();
}

/* A socket can stop listening without a close, and listen again. */
UNDISTURBED_TEST(test_shutdown)
{
	uint16_t port;
	int fd = bound_socket("127.0.0.1", &port), i;

	begin(_i % SOCKET_WAYS);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(listen(fd, 1), 0);
		ck_assert_int_eq(shutdown(fd, SHUT_RDWR), 0);
	}
	await_changes(4);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(heard.changes[i].listening, i % 2 == 0);
		ck_assert_uint_eq(heard.changes[i].socket, heard.changes[0].socket);
	}
	close(fd);
	end();
}

static void connect_once(int listener)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;

	ck_assert_int_eq(getsockname(listener, (void *)&address, &size), 0);
	ck_assert_int_eq(connect(client, (void *)&address, size), 0);
	server = accept(listener, NULL, NULL);
	ck_assert_int_ge(server, 0);
	close(client);
	close(server);
}

UNDISTURBED_TEST(test_connections_are_silent)
{
	uint16_t port;
	int fd = bound_socket("127.0.0.1", &port), i;

	begin(_i % SOCKET_WAYS);
	ck_assert_int_eq(listen(fd, 8), 0);
	for (i = 0; i < 50; i++)
		connect_once(fd);
	close(fd);
	await_changes(2);
	ck_assert(heard.changes[0].listening);
	ck_assert(!heard.changes[1].listening);
	ck_assert_uint_eq(heard.change_count, 2);
	end();
}

static pid_t fork_and_reap(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	return pid;
}

UNDISTURBED_TEST(test_forks_come_with_the_next_drain)
{
	pid_t pids[20];
	size_t i;

	begin(_i);
	for (i = 0; i < 20; i++)
		pids[i] = fork_and_reap();
	drain();
	ck_assert_uint_eq(heard.fork_count, 20);
	ck_assert_uint_eq(heard.exit_count, 20);
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(heard.children[i], pids[i]);
		ck_assert_int_eq(heard.exits[i], pids[i]);
	}
	end();
}

static void *no_work(void *data)
{
	return data;
}

UNDISTURBED_TEST(test_threads_are_no_forks)
{
	pthread_t thread;

	begin(_i);
	ck_assert_int_eq(pthread_create(&thread, NULL, no_work, NULL), 0);
	pthread_join(thread, NULL);
	fork_and_reap();
	drain();
	ck_assert_uint_eq(heard.fork_count, 1);
	end();
}

UNDISTURBED_TEST(test_execs)
{
	char *const argv[] = {"true", NULL};
	pid_t pid;

	begin(_i);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		/* A new name is not an exec. */
		prctl(PR_SET_NAME, "another");
		execv("/bin/true", argv);
		_exit(1);
	}
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	drain();
	ck_assert_uint_eq(heard.fork_count, 1);
	ck_assert_uint_eq(heard.exec_count, 1);
	ck_assert_int_eq(heard.execs[0], pid);
	end();
}

/* One call does a limited amount of work and returns whether all work is done. */
UNDISTURBED_TEST(test_slices)
{
	size_t slices = 0;

	begin(_i);
	for (int i = 0; i < 50; i++)
		fork_and_reap();
	for (bool more = true; more; slices++) {
		uint64_t before = notifier_records(notifier);

		more = notifier_drain(notifier, 7);
		ck_assert_uint_le(notifier_records(notifier) - before, 7);
	}
	drain();
	/* At least two records for each process. */
	ck_assert_uint_ge(slices, 2 * 50 / 7);
	ck_assert_uint_eq(heard.fork_count, 50);
	ck_assert_uint_eq(heard.exit_count, 50);
	end();
}

/* Pins this thread to one CPU. Returns the previous set of CPUs. */
static cpu_set_t stay_on(int cpu)
{
	cpu_set_t before, one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(before), &before), 0);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	return before;
}

UNDISTURBED_TEST(test_order_across_cpus)
{
	cpu_set_t allowed;
	uint16_t port;
	int fd = bound_socket("127.0.0.1", &port), round, cpu;
	size_t count = 0, i;

	begin(_i % SOCKET_WAYS);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for (round = 0; round < 5; round++) {
		for (cpu = 0; cpu < CPU_SETSIZE && count < 40; cpu++) {
			if (!CPU_ISSET(cpu, &allowed))
				continue;
			stay_on(cpu);
			ck_assert_int_eq(listen(fd, 1), 0);
			ck_assert_int_eq(shutdown(fd, SHUT_RDWR), 0);
			count += 2;
		}
	}
	sched_setaffinity(0, sizeof(allowed), &allowed);
	drain();
	ck_assert_uint_eq(heard.change_count, count);
	for (i = 0; i < count; i++)
		ck_assert_int_eq(heard.changes[i].listening, i % 2 == 0);
	ck_assert(!heard.disordered);
	close(fd);
	end();
}

/* The kernel reports the number of dropped records only with its next record. The drain doesn't
 * wait for this record. */
START_TEST(test_overflow)
{
	cpu_set_t allowed;
	uint16_t port;
	int fd = bound_socket("127.0.0.1", &port), i;

	losses_expected = true;
	begin(_i % SOCKET_WAYS);
	allowed = stay_on(sched_getcpu());
	for (i = 0; i < 20000; i++) {
		ck_assert_int_eq(listen(fd, 1), 0);
		ck_assert_int_eq(shutdown(fd, SHUT_RDWR), 0);
	}
	drain();
	ck_assert_uint_ge(heard.losses, 1);
	ck_assert_uint_ge(heard.change_count, 20);
	close(fd);
	drain();
	heard.change_count = 0;
	fd = bound_socket("127.0.0.1", &port);
	ck_assert_int_eq(listen(fd, 1), 0);
	await_changes(1);
	ck_assert(heard.changes[0].listening);
	ck_assert_uint_eq(heard.changes[0].port, port);
	ck_assert_uint_ge(notifier_lost(notifier), 30000);
	sched_setaffinity(0, sizeof(allowed), &allowed);
	close(fd);
	end();
}
END_TEST

/* Half a ring of fork and exit records wakes the waiter, so that no record is lost while no sample
 * comes. */
UNDISTURBED_TEST(test_many_forks_wake)
{
	struct pollfd ready;
	cpu_set_t allowed;
	int i;

	begin(_i);
	ready = (struct pollfd){.fd = notifier_fd(notifier), .events = POLLIN};
	allowed = stay_on(sched_getcpu());
	for (i = 0; i < 4000 && poll(&ready, 1, 0) == 0; i++)
		fork_and_reap();
	ck_assert_int_lt(i, 4000);
	drain();
	ck_assert_uint_eq(heard.losses, 0);
	sched_setaffinity(0, sizeof(allowed), &allowed);
	end();
}

/* While sockets begin and stop listening without a pause, the notifier reduces its wake-ups and
 * misses nothing. */
UNDISTURBED_TEST(test_silence)
{
	struct pollfd ready;
	uint16_t port;
	int fd = bound_socket("127.0.0.1", &port);
	size_t count;

	begin(_i);
	ready = (struct pollfd){.fd = notifier_fd(notifier), .events = POLLIN};
	ck_assert_uint_eq(notifier_due(notifier), UINT64_MAX);
	for (int i = 0; i < 100000 && notifier_due(notifier) == UINT64_MAX; i++) {
		heard.change_count = 0;
		ck_assert_int_eq(listen(fd, 1), 0);
		ck_assert_int_eq(shutdown(fd, SHUT_RDWR), 0);
		drain();
	}
	ck_assert_uint_ne(notifier_due(notifier), UINT64_MAX);
	count = heard.change_count;
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(poll(&ready, 1, 0), 0);
	while (clock_now(CLOCK_MONOTONIC) < notifier_due(notifier))
		wait_once();
	drain();
	ck_assert_uint_eq(heard.change_count, count + 1);
	ck_assert_int_eq(shutdown(fd, SHUT_RDWR), 0);
	await_changes(count + 2);
	close(fd);
	end();
}

/* A function of its own, so that the caller's variables may be in registers. */
__attribute__((noinline)) static pid_t fork_and_exit(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	return pid;
}

/* Forks three times more processes than a ring holds, and expects each of them.
 * PORTWATCH_TEST_FORKS sets another number. The default is not higher because PIDs wrap around and
 * other tests use this machine as well. */
UNDISTURBED_TEST(test_forks_without_end)
{
	const char *wanted = getenv("PORTWATCH_TEST_FORKS");
	unsigned long count = wanted ? strtoul(wanted, NULL, 10) : 4000;
	struct pollfd ready;
	cpu_set_t allowed;
	unsigned long i;
	pid_t pid;

	begin(_i);
	allowed = stay_on(sched_getcpu());
	ready = (struct pollfd){.fd = notifier_fd(notifier), .events = POLLIN};
	for (i = 0; i < count; i++) {
		pid = fork_and_exit();
		ck_assert_int_gt(pid, 0);
		ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
		if (poll(&ready, 1, 0) > 0)
			drain();
	}
	drain();
	ck_assert_uint_eq(heard.forks, count);
	sched_setaffinity(0, sizeof(allowed), &allowed);
	end();
}

/* As the monitor waits: with the notifier's epoll within another epoll. */
UNDISTURBED_TEST(test_nested_epoll)
{
	int outer = epoll_create1(EPOLL_CLOEXEC), fd, i;
	struct epoll_event event = {.events = EPOLLIN};
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_MSEC;
	uint16_t port;

	begin(_i % SOCKET_WAYS);
	ck_assert_int_eq(epoll_ctl(outer, EPOLL_CTL_ADD, notifier_fd(notifier), &event), 0);
	drain();
	fd = bound_socket("127.0.0.1", &port);
	for (i = 1; i <= 10; i++) {
		ck_assert_int_eq(i % 2 ? listen(fd, 1) : shutdown(fd, SHUT_RDWR), 0);
		while (heard.change_count < (size_t)i) {
			ck_assert_uint_lt(clock_now(CLOCK_MONOTONIC), deadline);
			ck_assert_int_eq(epoll_wait(outer, &event, 1, PATIENCE), 1);
			drain();
		}
	}
	close(fd);
	close(outer);
	end();
}

/* Runs the rest of a case in a child with namespaces of its own. Returns whether the caller is this
 * child. */
static bool in_child(int namespaces)
{
	int status, tries = 0;
	pid_t pid;

	if (geteuid() != 0)
		test_skip("takes root, for namespaces without a user namespace");
	do {
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			is_child = true;
			if (unshare(namespaces) < 0)
				_exit(SKIP_STATUS);
			return true;
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	} while (WIFEXITED(status) && WEXITSTATUS(status) == DISTURBED_STATUS &&
	         ++tries < DISTURBED_MAX);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP_STATUS)
		test_skip("not allowed to make namespaces (in a chroot?), or to open the notifier");
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "in the child: status %#x",
	              (unsigned int)status);
	return false;
}

/* begin() for a child that reports a skip by its exit status. */
static void begin_in_child(int way)
{
	if (try_to_begin(way).step)
		_exit(SKIP_STATUS);
}

static void listen_once(void)
{
	uint16_t port;
	int fd = bound_socket("127.0.0.1", &port);

	ck_assert_int_eq(listen(fd, 1), 0);
	close(fd);
}

/* Runs in a PID namespace of its own. An outsider listens on command, and its PID is unknown in the
 * namespace. */
static void inner_world(int way, int outsider)
{
	pid_t child;
	char word = 'x';

	begin_in_child(way);
	child = fork();
	if (child == 0) {
		listen_once();
		_exit(0);
	}
	ck_assert_int_lt(child, 100); /* numbers begin anew, a sanitizer may have used some */
	listener_pid = child;
	await_changes(2);
	waitpid(child, NULL, 0);
	drain();
	ck_assert_int_eq(heard.changes[0].tid, child);
	ck_assert_uint_eq(heard.fork_count, 1);
	ck_assert_int_eq(heard.children[0], child);
	ck_assert_int_eq(heard.parents[0], 1);
	ck_assert_uint_ge(heard.exit_count, 1);
	listener_pid = 0;
	heard.change_count = 0;
	ck_assert_int_eq(write(outsider, &word, 1), 1);
	await_changes(2);
	ck_assert_int_eq(heard.changes[0].tid, 0);
	end();
	_exit(0);
}

START_TEST(test_pid_namespace)
{
	int ends[2], status;
	char word;
	pid_t init;

	if (!in_child(CLONE_NEWPID))
		return;
	ck_assert_int_eq(pipe(ends), 0);
	init = fork();
	if (init == 0) {
		close(ends[0]);
		inner_world(_i % SOCKET_WAYS, ends[1]);
	}
	close(ends[1]);
	if (read(ends[0], &word, 1) == 1)
		listen_once();
	ck_assert_int_eq(waitpid(init, &status, 0), init);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}
END_TEST

static void write_cpus(int fd, const char *text)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

static size_t count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	size_t count = 0;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "[perf_event]") != NULL;
	fclose(maps);
	return count;
}

/* Waits until the drain has checked the CPUs, which it does at most once a second. */
static void await_rings(size_t count)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_MSEC;

	while (count_mappings() != count) {
		ck_assert_uint_lt(clock_now(CLOCK_MONOTONIC), deadline);
		sched_yield();
		drain();
	}
}

/* Listens again if the activity of others made the notifier lose the event. */
static void hear_on(int cpu)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_MSEC;
	cpu_set_t allowed = stay_on(cpu);

	for (unsigned int losses = ~0U; losses != heard.losses;) {
		losses = heard.losses;
		heard.change_count = 0;
		listen_once();
		drain();
		while (heard.change_count < 2 && heard.losses == losses) {
			ck_assert_uint_lt(clock_now(CLOCK_MONOTONIC), deadline);
			wait_once();
			drain();
		}
	}
	sched_setaffinity(0, sizeof(allowed), &allowed);
}

/* A closed ring must not keep waking the waiter. */
static void await_silence(void)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_MSEC;
	struct pollfd ready = {.fd = notifier_fd(notifier), .events = POLLIN};

	do {
		ck_assert_uint_lt(clock_now(CLOCK_MONOTONIC), deadline);
		drain();
	} while (poll(&ready, 1, 0) != 0);
}

/* The capability is available again. The next check then retries the refused mechanism. While other
 * processes listen, the check of the CPUs may be a tenth of a second late. */
static void wait_for_the_next_look(void)
{
	uint64_t start = clock_now(CLOCK_MONOTONIC);

	while (clock_now(CLOCK_MONOTONIC) - start <= NSEC_PER_SEC + 100 * NSEC_PER_MSEC)
		sched_yield();
}

/* Runs in a thread of its own, because capabilities belong to a thread. */
static void *look_without_privilege(void *unused)
{
	cap_t none = cap_init();

	(void)unused;
	ck_assert_int_eq(cap_set_proc(none), 0);
	cap_free(none);
	drain();
	return NULL;
}

/* Acts as a program with file capabilities, which are permitted but not effective. */
static void look_with_permission(void)
{
	ck_assert_int_eq(seteuid(1), 0);
	wait_for_the_next_look();
	drain();
	ck_assert_int_eq(seteuid(0), 0);
}

/* CPUs come and go in a list of our own, because switching a real CPU off would disturb the
 * machine. */
START_TEST(test_cpus_come_and_go)
{
	char path[] = "test_notifier_cpus_XXXXXX";
	cpu_set_t allowed;
	pthread_t thread;
	int fd;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	if (!CPU_ISSET(0, &allowed) || !CPU_ISSET(1, &allowed))
		test_skip("takes CPUs 0 and 1");
	if (!in_child(0))
		return;
	losses_expected = true;
	if (!sandbox_own_mounts())
		_exit(SKIP_STATUS);
	fd = mkstemp(path);
	if (fd < 0)
		_exit(SKIP_STATUS); /* we may not write to the directory */
	ck_assert_int_eq(fchmod(fd, 0644), 0);
	write_cpus(fd, "0\n");
	if (mount(path, "/sys/devices/system/cpu/online", "", MS_BIND, "") < 0) {
		unlink(path);
		_exit(SKIP_STATUS);
	}
	unlink(path);
	begin_in_child(_i % SOCKET_WAYS);
	ck_assert_uint_eq(count_mappings(), 1);
	hear_on(0);
	write_cpus(fd, "0-1\n");
	wait_for_the_next_look();
	ck_assert_int_eq(pthread_create(&thread, NULL, look_without_privilege, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_uint_eq(count_mappings(), 1);
	look_with_permission();
	ck_assert_uint_eq(count_mappings(), 2);
	ck_assert_uint_ge(heard.losses, 1);
	hear_on(1);
	hear_on(0);
	write_cpus(fd, "1\n");
	await_rings(1);
	await_silence();
	hear_on(1);
	write_cpus(fd, "");
	drain();
	hear_on(1);
	end();
	write_cpus(fd, "\n");
	ck_assert_int_eq(try_to_begin(_i).error, ENODEV);
	ck_assert_int_eq(notifier_way(notifier, NOTIFIER_LISTEN), NOTIFIER_NONE);
	ck_assert_int_eq(notifier_way(notifier, NOTIFIER_PROCESSES), NOTIFIER_NONE);
	end();
	_exit(0);
}
END_TEST

/* Runs in a child with mounts of its own. */
static void unmount_tracefs(void)
{
	if (!sandbox_own_mounts())
		_exit(SKIP_STATUS);
	while (umount2("/sys/kernel/debug/tracing", MNT_DETACH) == 0)
		;
	while (umount2("/sys/kernel/tracing", MNT_DETACH) == 0)
		;
	while (umount2("/sys/kernel/debug", MNT_DETACH) == 0)
		;
	ck_assert_int_ne(access("/sys/kernel/tracing/events", F_OK), 0);
}

/* Linux 7.2 crashes at the end of a mount of tracefs while the kernel is locked down. */
START_TEST(test_tracefs_is_not_mounted_under_lockdown)
{
	static const char said[] = "none integrity [confidentiality]\n";
	char text[TRACEFS_FORMAT_MAX];
	const char *step = NULL;
	int fd;

	if (!in_child(0))
		return;
	unmount_tracefs();
	if (mount("none", "/sys/kernel/security", "tmpfs", 0, "") < 0)
		_exit(SKIP_STATUS);
	fd = open("/sys/kernel/security/lockdown", O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	ck_assert_int_eq(write(fd, said, strlen(said)), (ssize_t)strlen(said));
	close(fd);
	ck_assert_int_eq(tracefs_read_format("sock/inet_sock_set_state", text, sizeof(text), &step),
	                 -EPERM);
	ck_assert_ptr_nonnull(strstr(step, "lockdown"));
	_exit(0);
}
END_TEST

/* tracefs is mounted in its usual place, or nowhere. */
START_TEST(test_tracefs_mounted_or_not)
{
	if (!in_child(0))
		return;
	unmount_tracefs();
	begin_in_child(1);
	ck_assert_int_ne(access("/sys/kernel/tracing/events", F_OK), 0);
	end();
	if (mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, "") == 0) {
		begin_in_child(1);
		end();
	}
	_exit(0);
}
END_TEST

static size_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	ck_assert_ptr_nonnull(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

START_TEST(test_leaves_nothing)
{
	size_t before = count_descriptors();
	int i;

	for (i = 0; i < 3; i++) {
		begin(_i);
		ck_assert_uint_gt(count_descriptors(), before);
		ck_assert_uint_ge(count_mappings(), 1);
		end();
		ck_assert_uint_eq(count_descriptors(), before);
		ck_assert_uint_eq(count_mappings(), 0);
	}
	notifier_close(NULL);
}
END_TEST

/* With standard input open, and closed: no descriptor of the notifier may take its number. */
START_TEST(test_descriptors)
{
	int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100), fd, checked = 0;

	if (_i / PROCESS_WAYS)
		close(STDIN_FILENO);
	begin(_i % PROCESS_WAYS);
	if (_i / PROCESS_WAYS)
		ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFD), -1);
	for (fd = 0; fd < 1024; fd++) {
		char path[64], target[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) > 0 &&
		    (strncmp(target, "anon_inode:bpf", 14) == 0 || strstr(target, "[perf_event]") ||
		     strstr(target, "[eventpoll]"))) {
			ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
			checked++;
		}
	}
	/* No descriptor for each CPU remains: the mappings keep the events alive. */
	ck_assert_int_eq(checked, _i % PROCESS_WAYS == 0 ? 4 : 2);
	end();
	dup2(saved, STDIN_FILENO);
	close(saved);
}
END_TEST

/* All mechanisms that need a privilege, whatever the kernel's release. */
#define PRIVILEGED_WAYS (NOTIFIER_ALL_WAYS & ~NOTIFIER_ONLY(NOTIFIER_CONNECTOR))

static void be_refused(void *data)
{
	size_t before = count_descriptors();
	struct failure failure = {NULL, 0};

	(void)data;
	ck_assert_int_eq(notifier_open(&notifier, &hooks, &heard, PRIVILEGED_WAYS, &failure), 0);
	ck_assert_int_eq(notifier_way(notifier, NOTIFIER_LISTEN), NOTIFIER_NONE);
	ck_assert_int_eq(notifier_way(notifier, NOTIFIER_PROCESSES), NOTIFIER_NONE);
	for (int way = NOTIFIER_NONE + 1; way < NOTIFIER_WAYS; way++) {
		if (!(PRIVILEGED_WAYS & NOTIFIER_ONLY(way)))
			continue;
		failure = notifier_failure(notifier, way);
		ck_assert_ptr_nonnull(failure.step);
		/* ENOSYS: valgrind doesn't support fsopen(2). */
		ck_assert(failure.error == EACCES || failure.error == EPERM ||
		          failure.error == ENOSYS);
	}
	ck_assert(!notifier_drain(notifier, 64));
	notifier_close(notifier);
	ck_assert_uint_eq(count_descriptors(), before);
}

START_TEST(test_refused)
{
	sandbox_run_as_nobody(be_refused, NULL);
}
END_TEST

/* --- privileges ------------------------------------------------------------------------------- */

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif
#define USER 12345

/* The permitted capabilities, and the mechanisms that they allow. */
static const struct privilege {
	cap_value_t permitted[2];
	int count;
	enum notifier_way listen, processes;
} privileges[] = {
	{{CAP_SYS_ADMIN}, 1, NOTIFIER_BPF, NOTIFIER_PERF},
	{{CAP_BPF, CAP_PERFMON}, 2, NOTIFIER_BPF, NOTIFIER_PERF},
	{{CAP_PERFMON, CAP_DAC_READ_SEARCH}, 2, NOTIFIER_TRACEPOINT, NOTIFIER_PERF},
	{{CAP_PERFMON}, 1, NOTIFIER_NONE, NOTIFIER_PERF},
	{{CAP_BPF}, 1, NOTIFIER_NONE, NOTIFIER_NONE},
	{{CAP_DAC_READ_SEARCH}, 1, NOTIFIER_NONE, NOTIFIER_NONE},
	{{0}, 0, NOTIFIER_NONE, NOTIFIER_NONE},
};

/* Acts as another user's program with such file capabilities: permitted, not effective. */
static void become_user(const struct privilege *privilege)
{
	cap_t caps = cap_init();

	ck_assert_int_eq(prctl(PR_SET_KEEPCAPS, 1), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setresgid(USER, USER, USER), 0);
	ck_assert_int_eq(setresuid(USER, USER, USER), 0);
	cap_set_flag(caps, CAP_PERMITTED, privilege->count, privilege->permitted, CAP_SET);
	if (cap_set_proc(caps) < 0)
		_exit(SKIP_STATUS); /* an older kernel, or a bounding set */
	cap_free(caps);
}

static bool all_in_effect(const struct privilege *privilege)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_SET;

	for (int i = 0; i < privilege->count && value == CAP_SET; i++)
		cap_get_flag(caps, privilege->permitted[i], CAP_EFFECTIVE, &value);
	cap_free(caps);
	return value == CAP_SET;
}

/* The capabilities are effective during the opening, and not afterwards. */
static void open_with(const struct privilege *privilege)
{
	struct failure failure;
	caps_set taken = caps_begin(CAPS_NOTIFIER);

	ck_assert(all_in_effect(privilege));
	ck_assert_int_eq(notifier_open(&notifier, &hooks, &heard, PRIVILEGED_WAYS, &failure), 0);
	caps_end(taken);
	ck_assert(privilege->count == 0 || !all_in_effect(privilege));
	listener_pid = getpid();
}

START_TEST(test_privileges)
{
	const struct privilege *privilege = &privileges[_i];

	begin(0); /* if root can't open it, nobody can */
	end();
	if (!in_child(0))
		return;
	if (privilege->listen == NOTIFIER_TRACEPOINT &&
	    (!sandbox_own_mounts() ||
	     /* EBUSY: it is mounted there already. */
	     (mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, "") < 0 && errno != EBUSY)))
		_exit(SKIP_STATUS);
	become_user(privilege);
	open_with(privilege);
	/* Some distributions have an additional perf_event_paranoid level that refuses perf events
	 * to CAP_PERFMON. */
	if (privilege->processes == NOTIFIER_PERF && privilege->permitted[0] != CAP_SYS_ADMIN &&
	    notifier_way(notifier, NOTIFIER_PROCESSES) == NOTIFIER_NONE)
		_exit(SKIP_STATUS);
	ck_assert_int_eq(notifier_way(notifier, NOTIFIER_LISTEN), privilege->listen);
	ck_assert_int_eq(notifier_way(notifier, NOTIFIER_PROCESSES), privilege->processes);
	if (privilege->listen != NOTIFIER_NONE) {
		listen_once();
		await_changes(2);
	}
	if (privilege->processes != NOTIFIER_NONE) {
		fork_and_reap();
		drain();
		ck_assert_uint_eq(heard.fork_count, 1);
	}
	end();
	_exit(0);
}
END_TEST

/* --- the process connector if nothing else reports processes. test_process_events.c tests the
 * connector itself. */

static void begin_with(unsigned int wanted)
{
	struct failure failure = {NULL, 0};

	memset(&heard, 0, sizeof(heard));
	ck_assert_int_eq(notifier_open(&notifier, &hooks, &heard, wanted, &failure), 0);
	if (notifier_way(notifier, NOTIFIER_PROCESSES) != NOTIFIER_CONNECTOR) {
		failure = notifier_failure(notifier, NOTIFIER_CONNECTOR);
		test_skip("cannot %s: %s", failure.step, strerror(failure.error));
	}
	notifier_follow(notifier, getpid());
	notifier_drain(notifier, 1);
	notifier_apply(notifier, 0);
}

/* Waits until the fork of this process and the exit of the child have been reported. */
static void await_child(pid_t pid)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_MSEC;
	struct pollfd ready = {.fd = notifier_fd(notifier), .events = POLLIN};

	while (heard.fork_count == 0 || heard.children[heard.fork_count - 1] != pid) {
		ck_assert(clock_now(CLOCK_MONOTONIC) < deadline);
		poll(&ready, 1, 1);
		notifier_drain(notifier, 1);
	}
}

START_TEST(test_connector)
{
	int ends[2];
	pid_t pid;

	/* The connector is better than perf events without samples. */
	begin_with(NOTIFIER_ONLY(NOTIFIER_CONNECTOR) | NOTIFIER_ONLY(NOTIFIER_PERF));
	ck_assert_int_eq(notifier_way(notifier, NOTIFIER_LISTEN), NOTIFIER_NONE);
	ck_assert_int_eq(notifier_way_kind(NOTIFIER_CONNECTOR), NOTIFIER_PROCESSES);
	ck_assert_ptr_null(notifier_failure(notifier, NOTIFIER_CONNECTOR).step);
	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		char byte;

		close(ends[1]);
		if (read(ends[0], &byte, 1) == 0)
			execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	await_child(pid);
	ck_assert(notifier_is_unapplied(notifier));
	heard.followed_count = 0;
	notifier_apply(notifier, 0);
	ck_assert_uint_eq(heard.followed_count, 1);
	ck_assert_int_eq(heard.followed[0], pid);
	close(ends[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	notifier_drain(notifier, 1);
	ck_assert_uint_eq(heard.exec_count, 1);
	ck_assert_uint_eq(heard.exit_count, 1);
	ck_assert_uint_eq(heard.losses, 0);
	end();
}
END_TEST

static int connector_socket(void)
{
	for (int fd = 3; fd < 1024; fd++) {
		int protocol = 0;
		socklen_t size = sizeof(protocol);

		if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
		    protocol == 11)
			return fd;
	}
	return -1;
}

/* The host closes the socket: the notifier opens another one, or retries later if the kernel
 * refuses. */
START_TEST(test_connector_again)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_MSEC;
	struct rlimit limit, none = {0};

	begin_with(NOTIFIER_ONLY(NOTIFIER_CONNECTOR));
	close(connector_socket());
	notifier_drain(notifier, 1);
	ck_assert_uint_ge(heard.losses, 1);
	ck_assert_int_eq(notifier_way(notifier, NOTIFIER_PROCESSES), NOTIFIER_CONNECTOR);
	notifier_follow(notifier, getpid());
	await_child(fork_and_reap());
	close(connector_socket());
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	notifier_drain(notifier, 1);
	ck_assert_int_eq(notifier_way(notifier, NOTIFIER_PROCESSES), NOTIFIER_NONE);
	ck_assert_int_eq(notifier_failure(notifier, NOTIFIER_CONNECTOR).error, EMFILE);
	setrlimit(RLIMIT_NOFILE, &limit);
	while (notifier_way(notifier, NOTIFIER_PROCESSES) == NOTIFIER_NONE) {
		ck_assert(clock_now(CLOCK_MONOTONIC) < deadline);
		ck_assert_uint_lt(notifier_due(notifier), deadline);
		sched_yield();
		notifier_drain(notifier, 1);
	}
	notifier_follow(notifier, getpid());
	await_child(fork_and_reap());
	end();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("notifier");
	TCase *changes = tcase_create("changes"), *tasks = tcase_create("tasks");
	TCase *losses = tcase_create("losses"), *world = tcase_create("world");
	TCase *rights = tcase_create("privileges");

	tcase_add_loop_test(changes, test_listen_and_close, 0,
	                    SOCKET_WAYS * (int)(sizeof(addresses) / sizeof(addresses[0])));
	tcase_add_loop_test(changes, test_autobind, 0, SOCKET_WAYS);
	tcase_add_loop_test(changes, test_shutdown, 0, SOCKET_WAYS);
	tcase_add_loop_test(changes, test_connections_are_silent, 0, SOCKET_WAYS);
	tcase_add_loop_test(changes, test_order_across_cpus, 0, SOCKET_WAYS);
	tcase_add_loop_test(changes, test_nested_epoll, 0, SOCKET_WAYS);
	tcase_add_loop_test(changes, test_silence, 0, SOCKET_WAYS);
	suite_add_tcase(suite, changes);
	tcase_add_loop_test(tasks, test_forks_come_with_the_next_drain, 0, PROCESS_WAYS);
	tcase_add_loop_test(tasks, test_threads_are_no_forks, 0, PROCESS_WAYS);
	tcase_add_loop_test(tasks, test_execs, 0, PROCESS_WAYS);
	tcase_add_loop_test(tasks, test_slices, 0, PROCESS_WAYS);
	tcase_add_loop_test(tasks, test_many_forks_wake, 0, PROCESS_WAYS);
	tcase_add_loop_test(tasks, test_forks_without_end, 0, PROCESS_WAYS);
	tcase_add_test(tasks, test_connector);
	tcase_add_test(tasks, test_connector_again);
	suite_add_tcase(suite, tasks);
	tcase_add_loop_test(losses, test_overflow, 0, SOCKET_WAYS);
	suite_add_tcase(suite, losses);
	tcase_add_loop_test(world, test_pid_namespace, 0, SOCKET_WAYS);
	tcase_add_loop_test(world, test_cpus_come_and_go, 0, SOCKET_WAYS);
	tcase_add_test(world, test_tracefs_mounted_or_not);
	tcase_add_test(world, test_tracefs_is_not_mounted_under_lockdown);
	tcase_add_loop_test(world, test_leaves_nothing, 0, PROCESS_WAYS);
	tcase_add_loop_test(world, test_descriptors, 0, 2 * PROCESS_WAYS);
	tcase_add_test(world, test_refused);
	suite_add_tcase(suite, world);
	tcase_add_loop_test(rights, test_privileges, 0,
	                    (int)(sizeof(privileges) / sizeof(privileges[0])));
	suite_add_tcase(suite, rights);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
