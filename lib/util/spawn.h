/* SPDX-License-Identifier: MIT */
/* spawn.h - child processes that the host program never notices
 *
 * clone(2) with exit signal 0 and CLONE_PIDFD: no SIGCHLD, invisible to wait(2) without __WALL.
 * Where that is refused, fork(2). The child runs a body that makes nothing but raw system calls on
 * memory set up before. */
#ifndef SPAWN_H
#define SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	int pidfd; /* readable when it has exited; -1 where the kernel has none */
};

/* Runs in the child, on a copy of the caller's memory, with all signals blocked; the value returned
 * is its exit status. */
typedef int (*child_body)(void *arg);

/* Starts a child. Returns 0 or a negative errno. All signals must be blocked in the calling thread
 * (they are in the library's). */
int spawn_child(struct child *child, child_body body, void *arg);

/* SIGKILL, through the pidfd where there is one. */
void spawn_kill(const struct child *child);

/* Reaps without waiting: 0 when it is gone (also where the host program has taken its status) and
 * the pidfd closed, -EAGAIN while it still runs. */
int spawn_reap(struct child *child);

/* fd, moved to a number above 2 if need be (closing the old one), CLOEXEC: a host may run with 0 to
 * 2 closed, and then would write its output into our descriptor. Takes a negative errno or -1 with
 * errno set through unchanged (as a negative errno). */
int spawn_above_stdio(int fd);

/* Two descriptors of pipe2(O_CLOEXEC), both above 2. 0 or a negative errno. */
int spawn_pipe(int ends[2]);

#endif
