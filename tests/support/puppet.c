/* SPDX-License-Identifier: MIT */
/* puppet.c - processes that fork, exit and open sockets on command */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "patience.h"
#include "proc/procfs.h"
#include "puppet.h"

#define PATIENCE patience(60) /* seconds */

struct order {
	int what;   /* an int, so that the struct has no padding: all of the struct is sent */
	int puppet; /* the other puppet that the command refers to */
	pid_t pid;
};

/* Pairs of sockets: the caller's end, the puppet's end. */
static int strings[PUPPETS][2];
static pid_t pids[PUPPETS];

static void *serve(void *data);

static pid_t start(int puppet)
{
	pid_t pid = fork();

	if (pid == 0) {
		serve(&strings[puppet][1]);
		_exit(0);
	}
	return pid;
}

static long open_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat status;

	return fd >= 0 && fstat(fd, &status) == 0 ? (long)status.st_ino : -errno;
}

static long enter_netns(void)
{
	if (unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0)
		return 0;
	return -errno;
}

/* Continues the rest of the loop in a new thread. */
static void lose_leader(int *string)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, serve, string) == 0)
		syscall(SYS_exit, 0);
}

static void *serve(void *data)
{
	int *string = data;
	struct order order;

	while (recv(*string, &order, sizeof(order), 0) == (ssize_t)sizeof(order)) {
		long result = 0;

		if (order.what == 'x')
			_exit(0);
		else if (order.what == 'f')
			result = start(order.puppet);
		else if (order.what == 'w')
			result = waitpid(order.pid, NULL, 0);
		else if (order.what == 's')
			result = open_socket();
		else if (order.what == 'n')
			result = enter_netns();
		else if (order.what == 't')
			lose_leader(string);
		send(*string, &result, sizeof(result), MSG_NOSIGNAL);
	}
	_exit(1);
}

void puppets_setup(void)
{
	for (int i = 0; i < PUPPETS; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, strings[i]),
		                 0);
		pids[i] = 0;
	}
}

void puppets_teardown(void)
{
	const struct order order = {.what = 'x'};

	for (int i = 0; i < PUPPETS; i++) {
		send(strings[i][0], &order, sizeof(order), MSG_NOSIGNAL);
		close(strings[i][0]);
		close(strings[i][1]);
	}
	while (waitpid(-1, NULL, 0) > 0)
		continue;
}

bool wait_until(bool (*done)(void *data), void *data)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	time_t end = time(NULL) + PATIENCE;

	while (!done(data)) {
		if (time(NULL) > end)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

void wait_tick(uint64_t tick)
{
	struct timespec now, pause = {.tv_nsec = 1000000};
	uint64_t rate = (uint64_t)sysconf(_SC_CLK_TCK);

	do {
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_BOOTTIME, &now);
	} while ((uint64_t)now.tv_sec * rate + (uint64_t)now.tv_nsec / (1000000000 / rate) <= tick);
}

static void send_order(int puppet, const struct order *order)
{
	ck_assert_int_eq(send(strings[puppet][0], order, sizeof(*order), MSG_NOSIGNAL),
	                 (ssize_t)sizeof(*order));
}

static long ask(int puppet, char what, int other)
{
	const struct timeval longest = {.tv_sec = PATIENCE};
	struct order order = {.what = what, .puppet = other, .pid = pids[other]};
	long result;

	send_order(puppet, &order);
	setsockopt(strings[puppet][0], SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof(longest));
	ck_assert_int_eq(recv(strings[puppet][0], &result, sizeof(result), 0),
	                 (ssize_t)sizeof(result));
	return result;
}

pid_t puppet_start(int puppet)
{
	pids[puppet] = start(puppet);
	ck_assert_int_gt(pids[puppet], 0);
	return pids[puppet];
}

pid_t puppet_fork(int puppet, int other)
{
	pids[other] = (pid_t)ask(puppet, 'f', other);
	ck_assert_int_gt(pids[other], 0);
	return pids[other];
}

static int read_stat(pid_t pid, struct process_stat *stat)
{
	struct procfs procfs;
	int directory, result;

	ck_assert_int_eq(procfs_open(&procfs, "/proc"), 0);
	directory = procfs_open_process(&procfs, pid);
	result = directory < 0 ? directory : procfs_read_stat(directory, stat);
	if (directory >= 0)
		close(directory);
	procfs_close(&procfs);
	return result;
}

static bool is_dead(void *data)
{
	struct process_stat stat;
	int result = read_stat(*(pid_t *)data, &stat);

	return result == -ESRCH || (result == 0 && procfs_is_dead(&stat));
}

static bool has_lost_leader(void *data)
{
	struct process_stat stat;

	return read_stat(*(pid_t *)data, &stat) == 0 && stat.state == 'Z';
}

void puppet_exit(int puppet)
{
	const struct order order = {.what = 'x'};

	send_order(puppet, &order);
	ck_assert(wait_until(is_dead, &pids[puppet]));
}

void puppet_reap(int puppet, int other)
{
	ck_assert_int_eq(ask(puppet, 'w', other), pids[other]);
}

void puppet_lose_leader(int puppet)
{
	const struct order order = {.what = 't'};

	send_order(puppet, &order);
	ck_assert(wait_until(has_lost_leader, &pids[puppet]));
}

uint64_t puppet_socket(int puppet)
{
	long inode = ask(puppet, 's', puppet);

	ck_assert_int_gt(inode, 0);
	return (uint64_t)inode;
}

int puppet_unshare_net(int puppet)
{
	return (int)ask(puppet, 'n', puppet);
}
