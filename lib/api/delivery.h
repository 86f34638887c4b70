/* SPDX-License-Identifier: MIT */
/* delivery.h - calls the callbacks: in the delivery thread, in portwatch_dispatch(), and in
 * portwatch_start() for ports that are already open
 *
 * The delivery thread exists while a started watcher uses PORTWATCH_DELIVERY_THREAD, and serves
 * those watchers in rotation. Everything here is called with the library's lock held. */
#ifndef DELIVERY_H
#define DELIVERY_H

#include <stddef.h>

struct portwatch;
struct outbox;

/* Called when a watcher with PORTWATCH_DELIVERY_THREAD starts: creates the delivery thread if there
 * is none. Returns 0 or a negative errno. Each successful call requires one delivery_leave(). */
int delivery_enter(void);
/* Called when such a watcher has stopped. The last call ends the thread and waits for its end,
 * unless the thread is in a callback: then the thread ends when the callback returns. */
void delivery_leave(void);

/* The `wake` function of an outbox: data is the watcher. */
void delivery_wake(struct outbox *outbox, void *data);

/* Calls the callback for the waiting events, at most `most` times. The lock is released around each
 * call. Returns the number of calls. */
int delivery_run(struct portwatch *watcher, size_t most);

/* Resets the delivery in the child of a fork(2), which has only the calling thread. Called without
 * the lock. */
void delivery_forget(void);

#endif
