/* SPDX-License-Identifier: MIT */
/* lock.h - the lock between the host's threads and the monitor, and its state after fork(2)
 *
 * The lock guards the mailbox (watch/mailbox.h), the outboxes (watch/outbox.h) and the life cycles
 * of watchers and threads. It is held for microseconds: never across a callback, a read of /proc or
 * of a kernel table, or a scan. The objects of the monitor need no lock. */
#ifndef LOCK_H
#define LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Takes and releases the lock within a function of the library. */
void library_lock(void);
void library_unlock(void);

/* The same for a whole public function. It also disables the cancellation of the thread
 * (pthread_cancel(3)), because a thread that ended inside would leave the lock or its request
 * behind. Returns the former state for library_leave(). */
int library_enter(void);
void library_leave(int cancel_state);

/* Waits for library_notify() with the lock released. May return without a reason. */
void library_wait(void);
/* Wakes all who wait, when the lock is released that the caller holds. */
void library_notify(void);

/* How often this process and its ancestors have forked since the handlers were registered, as seen
 * in the child. The number identifies a copy even if it has the same PID as the original in another
 * PID namespace. */
unsigned int library_generation(void);

/* Registers the fork handlers; called before the lock is first taken. forked runs in the child of a
 * fork(2), without the lock. 0 or a negative errno. */
int library_prepare(void (*forked)(void));

#endif
