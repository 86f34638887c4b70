/* SPDX-License-Identifier: MIT */
/* delivery.h - calls the callbacks: from the library's thread, or from portwatch_dispatch() */
#ifndef DELIVERY_H
#define DELIVERY_H

struct portwatch;
struct subscription;

/* The body of the library's own delivery thread; its argument is the monitor. */
void *delivery_run(void *monitor);

/* Makes the thread, or the host's loop, look at a subscription. Lock held. */
void delivery_wake(struct subscription *subscription);

/* Delivers what waits, in the calling thread; the lock is released around each callback. Returns
 * how many. */
int delivery_drain(struct portwatch *watcher);

#endif
