/* SPDX-License-Identifier: MIT */
/* lock.h - the lock between the host's threads and the monitor, and what fork(2) does to it
 *
 * The lock guards the mailbox (watch/mailbox.h), the outboxes (watch/outbox.h) and the life of
 * watchers and threads. It is held for microseconds: never across a callback, a read of /proc or of
 * a kernel table, or a scan. What the monitor owns needs no lock, and has none. */
#ifndef LOCK_H
#define LOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Takes and releases the lock within a function of the library. */
void library_lock(void);
void library_unlock(void);

/* The same around a whole public function. Cancellation of the thread (pthread_cancel(3)) is held
 * off meanwhile: a thread that ended inside would leave the lock, or its request, behind. Returns
 * the former state for library_leave(). */
int library_enter(void);
void library_leave(int cancel_state);

/* Waits for library_notify() with the lock released meanwhile. Wakes without reason, too. */
void library_wait(void);
/* Wakes all who wait, when the lock is released that the caller holds. */
void library_notify(void);

/* How often this process and its ancestors have forked since the handlers were registered, as seen
 * in the child. Tells a copy from its original, also where both have the same PID in two PID
 * namespaces. */
unsigned int library_generation(void);

/* Registers the fork handlers; called before the lock is first taken. forked runs in the child of a
 * fork(2), without the lock. 0 or a negative errno. */
int library_prepare(void (*forked)(void));

#endif
