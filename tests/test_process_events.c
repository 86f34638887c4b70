/* SPDX-License-Identifier: MIT */
/* test_process_events.c - the process connector of the running kernel, on which other processes
 * fork as well */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "notify/process_events.h"
#include "proc/procfs.h"
#include "support/check_main.h"
#include "support/deny.h"
#include "support/patience.h"
#include "support/skip.h"
#include "util/clock.h"
#include "util/fd.h"

#define PATIENCE (60 * NSEC_PER_SEC) /* only a hang takes longer */
#define KEPT_MAX 4096
#define CONNECTOR 11

static struct process_events *events;
static struct procfs procfs;

/* What the hooks have reported about the followed processes, and about one outsider. */
static struct {
	pid_t family[KEPT_MAX];
	size_t family_count;
	struct process_event events[KEPT_MAX];
	size_t count;
	pid_t followed[KEPT_MAX];
	size_t followed_count;
	unsigned int losses;
	pid_t outsider;
	unsigned int by_outsider;
} reported;

static bool is_family(pid_t pid)
{
	for (size_t i = 0; i < reported.family_count; i++)
		if (reported.family[i] == pid)
			return true;
	return false;
}

static void adopt(pid_t pid)
{
	if (is_family(pid) || reported.family_count == KEPT_MAX)
		return;
	reported.family[reported.family_count++] = pid;
	process_events_follow(events, pid);
}

static bool on_happened(void *data, const struct process_event *event)
{
	ck_assert_ptr_eq(data, &reported);
	reported.by_outsider += event->pid == reported.outsider && event->what == PROCESS_FORK;
	if (!is_family(event->pid))
		return false;
	if (reported.count < KEPT_MAX)
		reported.events[reported.count++] = *event;
	if (event->what == PROCESS_FORK)
		adopt(event->child);
	return true;
}

static void on_followed(void *data, pid_t pid)
{
	ck_assert_ptr_eq(data, &reported);
	if (reported.followed_count < KEPT_MAX)
		reported.followed[reported.followed_count++] = pid;
}

static void on_lost(void *data)
{
	ck_assert_ptr_eq(data, &reported);
	reported.losses++;
}

static const struct process_events_hooks hooks = {on_happened, on_followed, on_lost};

static void settle(void)
{
	process_events_apply(events, procfs_last_pid(&procfs));
}

/* The kernel lacks the connector or refuses it to us. */
static bool is_refusal(int error)
{
	return error == -EPERM || error == -EACCES || error == -ECONNREFUSED ||
	       error == -EPROTONOSUPPORT || error == -EAFNOSUPPORT;
}

/* Follows only this process. */
static void begin_events(void)
{
	struct failure failure = {NULL, 0};
	int error;

	memset(&reported, 0, sizeof(reported));
	error = process_events_open(&events, &hooks, &reported, &failure);
	if (is_refusal(error))
		test_skip("cannot %s: %s", failure.step, strerror(failure.error));
	ck_assert_msg(error == 0, "cannot %s: %s", failure.step, strerror(failure.error));
	adopt(getpid());
	ck_assert(process_events_drain(events));
	settle();
}

static void begin(void)
{
	ck_assert_int_eq(procfs_open(&procfs, "/proc"), 0);
	begin_events();
}

static void end(void)
{
	process_events_close(events);
	events = NULL;
	procfs_close(&procfs);
}

static uint64_t deadline(void)
{
	return clock_now(CLOCK_MONOTONIC) + PATIENCE;
}

/* Drains all messages, because nothing is settled before. */
static void drain_all(void)
{
	uint64_t until = deadline();

	do {
		ck_assert(clock_now(CLOCK_MONOTONIC) < until);
		ck_assert(process_events_drain(events));
	} while (!process_events_is_empty(events));
}

/* Waits as the monitor does. */
static void wait_once(uint64_t until)
{
	struct pollfd ready = {.fd = process_events_fd(events), .events = POLLIN};
	uint64_t now = clock_now(CLOCK_MONOTONIC), due = process_events_due(events);

	ck_assert_msg(now < until, "%zu events, %u losses", reported.count, reported.losses);
	if (due > until)
		due = until;
	poll(&ready, 1, due > now ? (int)((due - now) / NSEC_PER_MSEC) + 1 : 0);
	ck_assert(process_events_drain(events));
}

static bool was_told(enum process_what what, pid_t pid, pid_t child)
{
	for (size_t i = 0; i < reported.count; i++)
		if (reported.events[i].what == what && reported.events[i].pid == pid &&
		    reported.events[i].child == child)
			return true;
	return false;
}

static void await(enum process_what what, pid_t pid, pid_t child)
{
	uint64_t until = deadline();

	while (!was_told(what, pid, child))
		wait_once(until);
}

/* A child that obeys commands from a pipe: one letter for each action. */
struct actor {
	pid_t pid;
	int orders;
	int answers;
};

static void reap(pid_t pid)
{
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static pid_t fork_once(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(0);
	reap(pid);
	return pid;
}

/* Like a daemon: the middle process exits before anything can read it. Returns the grandchild,
 * which is then a child of init. */
static pid_t fork_twice(void)
{
	int ends[2];
	pid_t pid, grandchild = 0;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		setsid();
		grandchild = fork();
		if (grandchild == 0) {
			setsid();
			grandchild = getpid();
			if (write(ends[1], &grandchild, sizeof(grandchild)) < 0)
				_exit(1);
		}
		_exit(0);
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	close(ends[0]);
	reap(pid);
	return grandchild;
}

static void *no_work(void *data)
{
	return data;
}

static void act(char order)
{
	pthread_t thread;

	switch (order) {
	case 'f':
		fork_once();
		break;
	case 'd':
		fork_twice();
		break;
	case 't':
		pthread_create(&thread, NULL, no_work, NULL);
		pthread_join(thread, NULL);
		break;
	case 'x':
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	default:
		_exit(0);
	}
}

static struct actor actor_start(void)
{
	int orders[2], answers[2];
	struct actor actor;

	ck_assert_int_eq(pipe(orders), 0);
	ck_assert_int_eq(pipe(answers), 0);
	actor = (struct actor){fork(), orders[1], answers[0]};
	ck_assert_int_ge(actor.pid, 0);
	if (actor.pid == 0) {
		char order;

		close(orders[1]);
		while (read(orders[0], &order, 1) == 1) {
			act(order);
			if (write(answers[1], &order, 1) != 1)
				break;
		}
		_exit(0);
	}
	close(orders[0]);
	close(answers[1]);
	return actor;
}

static void actor_order(struct actor *actor, char order)
{
	ck_assert_int_eq(write(actor->orders, &order, 1), 1);
}

static void actor_do(struct actor *actor, char order)
{
	actor_order(actor, order);
	ck_assert_int_eq(read(actor->answers, &order, 1), 1);
}

static void actor_end(struct actor *actor)
{
	close(actor->orders);
	close(actor->answers);
	reap(actor->pid);
}

START_TEST(a_fork_an_exec_and_an_exit)
{
	struct actor actor;
	uint64_t before, after;

	begin();
	before = clock_now(CLOCK_MONOTONIC);
	actor = actor_start();
	after = clock_now(CLOCK_MONOTONIC);
	await(PROCESS_FORK, getpid(), actor.pid);
	ck_assert_uint_ge(reported.events[0].time, before);
	ck_assert_uint_le(reported.events[0].time, after);
	ck_assert(process_events_is_unapplied(events));
	reported.followed_count = 0;
	drain_all();
	settle();
	ck_assert(!process_events_is_unapplied(events));
	ck_assert_uint_eq(reported.followed_count, 1);
	ck_assert_int_eq(reported.followed[0], actor.pid);
	actor_order(&actor, 'x');
	await(PROCESS_EXEC, actor.pid, 0);
	await(PROCESS_EXIT, actor.pid, 0);
	actor_end(&actor);
	ck_assert_uint_eq(reported.losses, 0);
	ck_assert_uint_ge(process_events_counts(events).followed, 3);
	end();
}
END_TEST

static pid_t pid_max(void)
{
	char text[16];

	ck_assert_int_gt(procfs_read(procfs.fd, "sys/kernel/pid_max", text, sizeof(text)), 0);
	return (pid_t)atol(text);
}

/* A fork of a program with sanitizers takes 25 ms, as long as a thousand of these. */
__attribute__((noinline)) static void use_up_pid(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* Whether fewer than `room` PIDs are left before the last eighth, where the filter stays wide
 * because PIDs will wrap around. */
static bool is_near_the_end(pid_t room)
{
	return procfs_last_pid(&procfs) > pid_max() - pid_max() / 8 - room;
}

/* Uses PIDs up until they have wrapped around, if there is no room. */
static void make_room(pid_t room)
{
	while (is_near_the_end(room))
		use_up_pid();
}

/* Waits until the filter drops the forks of outsiders: until an outsider's fork doesn't arrive.
 * Returns false if the filter cannot become narrow: after a loss the filter is wide again, shortly
 * before PIDs wrap around it stays wide, and after that the older outsider appears to be young. */
static bool narrow(struct actor *outsider)
{
	uint64_t until = deadline();
	unsigned int before;

	reported.outsider = outsider->pid;
	do {
		if (reported.losses > 0 || procfs_last_pid(&procfs) < outsider->pid ||
		    is_near_the_end(0))
			return false;
		ck_assert(clock_now(CLOCK_MONOTONIC) < until);
		settle();
		before = reported.by_outsider;
		actor_do(outsider, 'f');
		/* Then one fork of our own arrives. */
		fork_once();
		do {
			ck_assert(process_events_drain(events));
		} while (clock_now(CLOCK_MONOTONIC) < process_events_due(events) &&
		         process_events_due(events) != UINT64_MAX);
	} while (reported.by_outsider > before);
	return true;
}

/* If other processes fork so much that the kernel drops records, the connector correctly reports a
 * loss and the trees are read. The case is then tried again. */
#define ATTEMPTS 5
/* The most PIDs that one attempt, and the other tests during the attempt, may take. */
#define ROOM 2000

/* Runs the test with an outsider that is older than the followed processes, until an attempt was
 * not disturbed. */
static void attempt(bool (*one)(struct actor *outsider))
{
	bool done = false;

	for (int i = 0; i < ATTEMPTS && !done; i++) {
		struct actor outsider;

		ck_assert_int_eq(procfs_open(&procfs, "/proc"), 0);
		make_room(ROOM);
		outsider = actor_start();
		begin_events();
		done = one(&outsider) && reported.losses == 0;
		end();
		actor_end(&outsider);
	}
}

static bool follow_daemons(struct actor *outsider)
{
	pid_t pids[50];

	if (!narrow(outsider))
		return false;
	/* All forks at once, so that nothing is settled in between. */
	for (size_t i = 0; i < 50; i++)
		pids[i] = fork_twice();
	for (size_t i = 0; i < 50; i++) {
		uint64_t until = deadline();

		while (reported.losses == 0 && !is_family(pids[i]))
			wait_once(until);
	}
	return true;
}

START_TEST(daemons_are_followed)
{
	attempt(follow_daemons);
}
END_TEST

static bool ignore_outsider(struct actor *outsider)
{
	unsigned int before;

	if (!narrow(outsider))
		return false;
	before = reported.by_outsider;
	for (int i = 0; i < 100 && reported.losses == 0; i++)
		actor_do(outsider, 'f');
	if (reported.losses == 0)
		await(PROCESS_FORK, getpid(), fork_once());
	if (reported.losses == 0)
		ck_assert_uint_eq(reported.by_outsider, before);
	return true;
}

START_TEST(outsiders_are_silent)
{
	attempt(ignore_outsider);
}
END_TEST

/* The forks of young outsiders arrive, but soon no longer wake the waiter. */
START_TEST(outsiders_that_fork_much_no_longer_wake)
{
	struct actor outsider;
	uint64_t until = deadline();
	unsigned int before;

	begin();
	/* The test follows no process, so it ignores the outsider's own fork. */
	reported.family_count = 0;
	outsider = actor_start();
	reported.outsider = outsider.pid;
	while (reported.by_outsider == 0 || process_events_due(events) == UINT64_MAX) {
		actor_do(&outsider, 'f');
		wait_once(until);
	}
	before = reported.by_outsider;
	actor_do(&outsider, 'f');
	while (reported.by_outsider == before)
		wait_once(until);
	ck_assert_uint_ge(process_events_counts(events).others, 2);
	actor_end(&outsider);
	end();
}
END_TEST

START_TEST(threads_are_no_forks)
{
	struct actor actor;
	size_t before;

	begin();
	actor = actor_start();
	await(PROCESS_FORK, getpid(), actor.pid);
	settle();
	before = reported.count;
	actor_do(&actor, 't');
	actor_do(&actor, 'f');
	while (reported.count == before)
		wait_once(deadline());
	ck_assert_int_eq(reported.events[before].what, PROCESS_FORK);
	ck_assert_int_eq(reported.events[before].pid, actor.pid);
	ck_assert_uint_eq(reported.count, before + 1);
	actor_end(&actor);
	end();
}
END_TEST

/* --- losses */

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
	ck_abort_msg("no socket of the connector");
}

START_TEST(an_overrun_is_reported_after_its_end)
{
	int smallest = 1, large = 1000000, fd;
	unsigned int losses;
	pid_t last;

	begin();
	fd = find_socket();
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)), 0);
	for (int i = 0; i < 100; i++)
		fork_once();
	while (reported.losses == 0)
		wait_once(deadline());
	ck_assert_uint_eq(process_events_counts(events).losses, reported.losses);
	ck_assert_uint_lt(reported.count, 100);
	/* Further messages arrive. Outsiders fork as well, so the buffer must be large enough for
	 * their messages. */
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large)), 0);
	do {
		ck_assert(process_events_drain(events));
	} while (!process_events_is_empty(events));
	losses = reported.losses;
	last = fork_once();
	await(PROCESS_FORK, getpid(), last);
	ck_assert_uint_eq(reported.losses, losses);
	end();
}
END_TEST

START_TEST(a_closed_socket_is_the_end)
{
	struct pollfd ready;

	begin();
	close(find_socket());
	ck_assert(!process_events_drain(events));
	ck_assert_uint_eq(reported.losses, 1);
	ck_assert(!process_events_drain(events));
	ck_assert_uint_eq(reported.losses, 1);
	/* None of these messages does any harm. */
	settle();
	process_events_widen(events);
	process_events_reset(events);
	ready = (struct pollfd){.fd = process_events_fd(events), .events = POLLIN};
	ck_assert_int_eq(poll(&ready, 1, 0), 0);
	ck_assert_uint_eq(process_events_due(events), UINT64_MAX);
	end();
}
END_TEST

/* The host has closed the descriptor, and its number is now that of a socket of the host. */
START_TEST(a_socket_of_the_host_with_its_number_stays_open)
{
	int ends[2], fd;

	begin();
	fd = find_socket();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	ck_assert_int_eq(dup2(ends[1], fd), fd);
	ck_assert_int_eq(send(ends[0], "1", 1, 0), 1);
	ck_assert_int_eq(send(ends[0], "2", 1, 0), 1);
	ck_assert(!process_events_drain(events));
	ck_assert(!process_events_drain(events));
	end();
	/* Neither does the child of a fork(2) close it. */
	fd_close_all();
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	/* The library has read at most one message. */
	ck_assert_int_eq(recv(ends[1], &ends, 1, MSG_DONTWAIT), 1);
	close(fd);
}
END_TEST

/* The same if the host's socket is also a connector, which receives nothing. */
START_TEST(another_connector_with_the_same_number_is_not_read)
{
	int fd, other;

	begin();
	fd = find_socket();
	other = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, CONNECTOR);
	ck_assert_int_ge(other, 0);
	ck_assert_int_eq(dup2(other, fd), fd);
	close(other);
	ck_assert(!process_events_drain(events));
	ck_assert_uint_eq(reported.losses, 1);
	end();
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	fd_close_all();
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	close(fd);
}
END_TEST

START_TEST(too_many_new_processes_are_a_loss)
{
	begin();
	for (pid_t pid = 1; pid < 100; pid++)
		process_events_follow(events, 2 * pid);
	reported.followed_count = 0;
	settle();
	ck_assert_uint_eq(reported.losses, 1);
	ck_assert_uint_eq(reported.followed_count, 0);
	end();
}
END_TEST

/* --- PIDs wrap around */

/* More than the number of forks that happen meanwhile, even on a loaded machine. */
#define YOUNGER 5000

/* Settles with this last PID until it has become the mark: a PID that was seen twice, at times so
 * far apart that the PID is old. */
static void settle_with(pid_t last)
{
	const struct timespec pause = {.tv_nsec = 30 * 1000 * 1000};

	for (int i = 0; i < 4; i++) {
		process_events_follow(events, getpid());
		drain_all();
		process_events_apply(events, last);
		nanosleep(&pause, NULL);
	}
}

/* Returns the PID of a child that was made while the mark was above all given PIDs. If so many
 * other processes were made that PIDs have passed the mark or wrapped around, the function tries
 * again. */
static pid_t fork_below_mark(void)
{
	uint64_t until = deadline();
	pid_t last, child;

	for (;;) {
		ck_assert(clock_now(CLOCK_MONOTONIC) < until);
		/* There must be room above the last PID. */
		make_room(2 * YOUNGER);
		last = procfs_last_pid(&procfs);
		begin_events();
		settle_with(last + YOUNGER);
		child = fork_once();
		if (reported.losses == 0 && child > last && child <= last + YOUNGER)
			return child;
		process_events_close(events);
	}
}

START_TEST(a_child_that_seems_old_means_a_loss)
{
	pid_t child;

	ck_assert_int_eq(procfs_open(&procfs, "/proc"), 0);
	child = fork_below_mark();
	await(PROCESS_FORK, getpid(), child);
	ck_assert_uint_ge(reported.losses, 1);
	ck_assert(process_events_is_unapplied(events));
	end();
}
END_TEST

START_TEST(wrapped_pids_are_a_loss)
{
	unsigned int losses = 1;

	/* A real loss would also count. */
	for (int i = 0; i < ATTEMPTS && losses > 0; i++) {
		begin();
		settle_with(2000);
		losses = reported.losses;
		drain_all();
		process_events_apply(events, 300);
		ck_assert_uint_ge(reported.losses, losses + 1);
		end();
	}
}
END_TEST

/* --- processes without permission */

static void expect_refusal(int expected)
{
	struct failure failure = {NULL, 0};
	struct process_events *refused = NULL;
	int error = process_events_open(&refused, &hooks, &reported, &failure);

	if (error != expected)
		fprintf(stderr, "%s: %s\n", failure.step ? failure.step : "no failure",
		        strerror(-error));
	_exit(error == expected && failure.error == -expected && failure.step && !refused ? 0 : 1);
}

static void expect_success_of(pid_t child)
{
	int status;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP_STATUS)
		test_skip("no such namespace here");
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The kernel sends nothing to processes in other namespaces. Events that arrive because another
 * process has asked for them are not an acknowledgement. */
START_TEST(another_namespace_is_refused)
{
	static const struct {
		int flags, error;
	} namespaces[] = {
		{CLONE_NEWUSER, -EPERM},
		{CLONE_NEWPID, -EPERM},
		{CLONE_NEWNET, -ECONNREFUSED},
	};
	pid_t child;
	int status;

	begin();
	child = fork();
	if (child == 0) {
		if (unshare(namespaces[_i].flags) < 0)
			_exit(SKIP_STATUS);
		child = fork();
		if (child == 0)
			expect_refusal(namespaces[_i].error);
		_exit(waitpid(child, &status, 0) == child && status == 0 ? 0 : 1);
	}
	expect_success_of(child);
	end();
}
END_TEST

static const struct {
	int call, error;
} denied[] = {
	{SYS_socket, EPERM},     {SYS_socket, EACCES}, {SYS_bind, EPERM},
	{SYS_setsockopt, EPERM}, {SYS_sendto, EPERM},  {SYS_recvfrom, EPERM},
};

START_TEST(a_filter_refuses)
{
	pid_t child;

	begin();
	child = fork();
	if (child == 0) {
		if (deny_call(denied[_i].call, denied[_i].error) < 0)
			_exit(SKIP_STATUS);
		expect_refusal(-denied[_i].error);
	}
	expect_success_of(child);
	end();
}
END_TEST

/* --- compatibility with the host */

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

START_TEST(leaves_nothing)
{
	size_t before = count_descriptors();

	for (int i = 0; i < 3; i++) {
		begin();
		ck_assert_int_gt(find_socket(), 2);
		ck_assert_int_eq(fcntl(find_socket(), F_GETFD), FD_CLOEXEC);
		ck_assert_int_eq(fcntl(process_events_fd(events), F_GETFD), FD_CLOEXEC);
		end();
		ck_assert_uint_eq(count_descriptors(), before);
	}
	process_events_close(NULL);
}
END_TEST

/* If standard input is closed, its number stays free. */
START_TEST(stays_above_stdio)
{
	int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100);

	close(STDIN_FILENO);
	begin();
	ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFD), -1);
	end();
	dup2(saved, STDIN_FILENO);
	close(saved);
}
END_TEST

/* As the library does in the child of a fork(2): the parent loses nothing. */
START_TEST(a_forked_child_closes_its_copies)
{
	pid_t child;

	begin();
	child = fork();
	if (child == 0) {
		fd_close_all();
		_exit(0);
	}
	reap(child);
	await(PROCESS_FORK, getpid(), fork_once());
	end();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("process_events");
	TCase *happens = tcase_create("happens"), *losses = tcase_create("losses");
	TCase *refusals = tcase_create("refusals"), *host = tcase_create("host");

	tcase_add_test(happens, a_fork_an_exec_and_an_exit);
	tcase_add_test(happens, daemons_are_followed);
	tcase_add_test(happens, outsiders_are_silent);
	tcase_add_test(happens, outsiders_that_fork_much_no_longer_wake);
	tcase_add_test(happens, threads_are_no_forks);
	suite_add_tcase(suite, happens);
	tcase_add_test(losses, an_overrun_is_reported_after_its_end);
	tcase_add_test(losses, a_closed_socket_is_the_end);
	tcase_add_test(losses, a_socket_of_the_host_with_its_number_stays_open);
	tcase_add_test(losses, another_connector_with_the_same_number_is_not_read);
	tcase_add_test(losses, too_many_new_processes_are_a_loss);
	tcase_add_test(losses, a_child_that_seems_old_means_a_loss);
	tcase_add_test(losses, wrapped_pids_are_a_loss);
	suite_add_tcase(suite, losses);
	tcase_add_loop_test(refusals, another_namespace_is_refused, 0, 3);
	tcase_add_loop_test(refusals, a_filter_refuses, 0,
	                    (int)(sizeof(denied) / sizeof(denied[0])));
	suite_add_tcase(suite, refusals);
	tcase_add_test(host, leaves_nothing);
	tcase_add_test(host, stays_above_stdio);
	tcase_add_test(host, a_forked_child_closes_its_copies);
	suite_add_tcase(suite, host);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
