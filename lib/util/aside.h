/* SPDX-License-Identifier: MIT */
/* aside.h - runs a call that an untrusted process can delay in a separate thread
 *
 * execve(2) closes descriptors while it holds a lock of the process (exec_update_lock in the
 * kernel). The server of a file system in user space (FUSE) can delay the close of a file without
 * limit. kcmp(2) and pidfd_getfd(2) wait for this lock, and only a fatal signal ends the wait.
 * close(2) of a copy of such a file has the same problem. */
#ifndef ASIDE_H
#define ASIDE_H

/* The most calls that run beyond their deadline. Further calls are not started. */
#define ASIDE_MAX 4
/* The pause after a call that has exceeded its deadline, in nanoseconds. */
#define ASIDE_REST (10 * NSEC_PER_SEC)
/* The deadline of a call, in nanoseconds. */
#define ASIDE_TIMEOUT (100 * NSEC_PER_MSEC)

struct aside {
	void (*run)(void *argument);
	/* Frees the argument, with all resources that the call has stored in it. */
	void (*dispose)(void *argument);
};

/* Calls run(argument) in another thread, with the capabilities and the filters of this one. Returns
 * 0 if the call is complete; the argument still belongs to the caller. Otherwise the argument is
 * gone: a negative errno, -ETIMEDOUT if the call still runs, -EBUSY if an earlier call did not end
 * in time. */
int aside_call(const struct aside *aside, void *argument);

#endif
