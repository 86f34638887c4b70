/* SPDX-License-Identifier: MIT */
/* lock.h - the one lock of the library, and what fork(2) does to it
 *
 * It guards the monitor and every started watcher. No callback runs with it held, but the log
 * callback. */
#ifndef LOCK_H
#define LOCK_H

#include <stdbool.h>
#include <stdint.h>

void library_lock(void);
void library_unlock(void);

/* Waits for library_notify() with the lock released meanwhile, at most until deadline
 * (CLOCK_MONOTONIC, ns; UINT64_MAX: for ever). False when the deadline has passed. */
bool library_wait(uint64_t deadline);
void library_notify(void);

/* How often this process and its ancestors have forked since the handlers were registered, as seen
 * in the child: tells a copy from its original even where both have the same PID, in two PID
 * namespaces. */
unsigned int library_generation(void);

/* Registers the fork handlers; called by whatever takes the lock first. forked runs in the child of
 * a fork(2), with the lock held. */
int library_prepare(void (*forked)(void));

#endif
