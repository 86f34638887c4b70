/* SPDX-License-Identifier: MIT */
/* delivery.h - calls the callbacks: in the delivery thread, in portwatch_dispatch(), and in
 * portwatch_start() for what is open then
 *
 * The delivery thread exists while a started watcher uses PORTWATCH_DELIVERY_THREAD, and serves
 * those watchers in rotation. Everything here is called with the library's lock held. */
#ifndef DELIVERY_H
#define DELIVERY_H

#include <stddef.h>

struct portwatch;
struct outbox;

/* A watcher with PORTWATCH_DELIVERY_THREAD starts: there is a delivery thread after this. 0 or a
 * negative errno; each success is undone by delivery_leave(). */
int delivery_enter(void);
/* It has stopped. The last one ends the thread and waits for its end, unless the thread is in a
 * callback: then it ends when that returns. */
void delivery_leave(void);

/* An outbox's wake: data is the watcher. */
void delivery_wake(struct outbox *outbox, void *data);

/* Calls the callback for what waits, at most so many times; the lock is released around each call.
 * Returns how many. */
int delivery_run(struct portwatch *watcher, size_t most);

/* In the child of a fork(2), without the lock: no thread is left but the calling one. */
void delivery_forget(void);

#endif
