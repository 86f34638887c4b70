/* SPDX-License-Identifier: MIT */
/* spawn.h - child processes that the host program never notices
 *
 * clone(2) with exit signal 0 and CLONE_PIDFD: no SIGCHLD, invisible to wait(2) without __WALL.
 * If the kernel refuses this, fork(2). The child runs a body that makes only raw system calls, on
 * memory that was prepared before. */
#ifndef SPAWN_H
#define SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	int pidfd; /* readable when it has exited; -1 where the kernel has none */
};

/* Runs in the child, on a copy of the caller's memory, with all signals blocked. The return value
 * is the exit status. */
typedef int (*child_body)(void *arg);

/* Starts a child. Returns 0 or a negative errno. All signals must be blocked in the calling thread
 * (they are in the library's). */
int spawn_child(struct child *child, child_body body, void *arg);

/* Sends SIGKILL, through the pidfd if there is one. */
void spawn_kill(const struct child *child);

/* Reaps without waiting. Returns 0 if the child is gone (also if the host program has taken its
 * status) and the pidfd is closed; -EAGAIN while it still runs. */
int spawn_reap(struct child *child);
/* Waits some seconds for a killed child, and closes its pidfd in any case. A killed child usually
 * ends at once. On an overloaded machine it takes longer. A child that is traced, or that closes a
 * FUSE file, may never end. Returns false if the child has not ended and is abandoned. */
bool spawn_reap_soon(struct child *child);
/* Abandons a child. */
void spawn_give_up(struct child *child);

/* CPU time of a child so far, in nanoseconds; 0 for pid 0, or if it cannot be read. */
uint64_t spawn_cpu_time(pid_t pid);

#endif
