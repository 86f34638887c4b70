/* SPDX-License-Identifier: MIT */
/* spawn.c - child processes that the host program never notices */
#include "util/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/fd.h"
#include "util/sys.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef __WALL
#define __WALL 0x40000000
#endif
/* Not in the headers of every libc that has waitid(2). */
#define SPAWN_P_PIDFD 3
/* 5 s in all. */
#define REAP_ROUNDS 500
#define REAP_ROUND_MSEC 10

/* Like fork(2): no new stack, no shared memory. The order of the arguments depends on the
 * architecture (clone(2), "C library/kernel differences"). */
static long clone_process(unsigned long flags, int *pidfd)
{
	void *none = NULL;

#if defined(__sparc__) || defined(__ia64__)
	/* On this architecture the result of the raw call does not identify the child, or its
	 * arguments differ. */
	(void)flags, (void)pidfd, (void)none;
	return -ENOSYS;
#elif defined(__s390__) || defined(__CRIS__)
	return raw_call(SYS_clone, none, flags, pidfd, none, none);
#elif defined(__microblaze__)
	return raw_call(SYS_clone, flags, none, 0, pidfd, none, none);
#else
	return raw_call(SYS_clone, flags, none, pidfd, none, none);
#endif
}

/* fork(2) without the handlers of pthread_atfork(3): the library's own handler would abandon the
 * monitor. */
static long fork_without_handlers(void)
{
#if defined(__sparc__) && defined(HAVE__FORK)
	/* The raw call returns the PID of the other process to both, and identifies the child in a
	 * second register. */
	pid_t pid = _Fork();

	return pid < 0 ? -errno : pid;
#elif defined(__sparc__)
	return -ENOSYS;
#elif defined(SYS_fork)
	return raw_call(SYS_fork);
#else
	return clone_process(SIGCHLD, NULL);
#endif
}

/* Used if clone with a pidfd does not work: fork, which the host program may notice.
 */
static long fork_process(int *pidfd)
{
	long pid = fork_without_handlers();

	if (pid > 0) {
		*pidfd = (int)raw_call(SYS_pidfd_open, pid, 0);
		if (*pidfd < 0)
			*pidfd = -1;
	}
	return pid;
}

int spawn_child(struct child *child, child_body body, void *arg)
{
	long pid;

	child->pid = 0;
	child->pidfd = -1;
	/* Kernels before 5.2 ignore the flag and leave -1 unchanged. */
	pid = clone_process(CLONE_PIDFD, &child->pidfd);
	if (pid == -EINVAL || pid == -ENOSYS || pid == -EPERM) {
		child->pidfd = -1;
		pid = fork_process(&child->pidfd);
	}
	if (pid < 0)
		return (int)pid;
	if (pid == 0) {
		int status = body(arg);

		for (;;)
			syscall(SYS_exit_group, status);
	}
	child->pid = (pid_t)pid;
	if (child->pidfd >= 0) {
		child->pidfd = fd_own(child->pidfd);
		if (child->pidfd < 0)
			child->pidfd = -1;
	}
	return 0;
}

void spawn_kill(const struct child *child)
{
	if (child->pid <= 0)
		return;
	if (child->pidfd >= 0 &&
	    raw_call(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0) != -ENOSYS)
		return;
	kill(child->pid, SIGKILL);
}

/* Returns 1: reaped or gone; 0: still running; a negative errno: pidfds do not work here. */
static int reap_by_pidfd(const struct child *child)
{
	siginfo_t info;

	if (child->pidfd < 0)
		return -EBADF;
	memset(&info, 0, sizeof(info));
	if (waitid((idtype_t)SPAWN_P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG | __WALL) <
	    0)
		return errno == ECHILD ? 1 : -errno;
	return info.si_pid != 0;
}

static int reap_by_pid(const struct child *child)
{
	pid_t pid = waitpid(child->pid, NULL, WNOHANG | __WALL);

	if (pid < 0)
		return errno == ECHILD ? 1 : -errno;
	return pid != 0;
}

int spawn_reap(struct child *child)
{
	int gone;

	if (child->pid <= 0)
		return 0;
	gone = reap_by_pidfd(child);
	if (gone < 0)
		gone = reap_by_pid(child);
	if (gone <= 0)
		return -EAGAIN;
	fd_close(child->pidfd);
	child->pidfd = -1;
	child->pid = 0;
	return 0;
}

void spawn_give_up(struct child *child)
{
	fd_close(child->pidfd);
	*child = (struct child){0, -1};
}

bool spawn_reap_soon(struct child *child)
{
	struct pollfd exited = {.fd = child->pidfd, .events = POLLIN};

	for (int i = 0; i < REAP_ROUNDS; i++) {
		if (spawn_reap(child) == 0)
			return true;
		/* Without a pidfd it only waits. */
		poll(&exited, 1, REAP_ROUND_MSEC);
	}
	spawn_give_up(child);
	return false;
}

uint64_t spawn_cpu_time(pid_t pid)
{
	/* The number that the kernel gives the clock (linux/posix-timers.h). clock_getcpuclockid(3)
	 * makes the same, and a system call that checks whether there is such a process. */
	clockid_t clock = ~(clockid_t)pid * 8 + 2;

	return pid <= 0 ? 0 : clock_now(clock);
}
