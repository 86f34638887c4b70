/* SPDX-License-Identifier: MIT */
/* aside.h - a call that a stranger can make last, in a thread of its own
 *
 * execve(2) closes descriptors while it holds a lock of the process (exec_update_lock in the
 * kernel). A file of a file system in user space (FUSE) is closed when its server likes. kcmp(2)
 * and pidfd_getfd(2) wait for this lock, and only a fatal signal ends the wait. So does close(2) of
 * a copy of such a file. */
#ifndef ASIDE_H
#define ASIDE_H

/* Calls of strangers' processes that go on. Further ones are not begun. */
#define ASIDE_MAX 4
/* After a call that lasted there is none for so long, in nanoseconds. */
#define ASIDE_REST (10 * NSEC_PER_SEC)
/* How long the monitor waits, in nanoseconds. */
#define ASIDE_TIMEOUT (100 * NSEC_PER_MSEC)

struct aside {
	void (*run)(void *argument);
	/* Frees the argument, and what the call has left in it. */
	void (*dispose)(void *argument);
};

/* Calls run(argument) in another thread, with the capabilities and the filters of this one. 0: it
 * is done, and the argument remains the caller's. Otherwise the argument is gone: a negative errno,
 * -ETIMEDOUT where the call goes on, -EBUSY where an earlier one has lasted. */
int aside_call(const struct aside *aside, void *argument);

#endif
