/* SPDX-License-Identifier: MIT */
/* mailbox.h - requests of host threads to the monitor thread
 *
 * A host thread adds a request and waits until the monitor thread has served it, between two slices
 * of its work. The monitor thread exists while a watcher is started: the first start creates it,
 * and it ends when the last watcher has stopped. */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <stdbool.h>

#include "util/list.h"

struct subscription_table;

/* Owned by the waiting host thread, usually on its stack. */
struct request {
	struct list link;
	/* Called by the monitor thread without the lock. If there was no memory or descriptor for a
	 * monitor, `subscriptions` is NULL and `error` is the reason. */
	void (*serve)(struct request *request, struct subscription_table *subscriptions, int error);
	bool served;
};

/* For host threads, with the lock held. The lock is released while they wait. */

/* The body of the monitor thread (monitor.h); the argument is NULL. */
typedef void *mailbox_thread(void *data);
/* Called before a watcher starts: creates the monitor thread if there is none. Returns 0 or a
 * negative errno. Each successful call requires one mailbox_leave(). */
int mailbox_enter(mailbox_thread *thread);
/* Called after a watcher has stopped or has failed to start. If it was the last one, waits for the
 * end of the thread. */
void mailbox_leave(void);
/* Adds a request and waits until it is served. Called between mailbox_enter() and
 * mailbox_leave(). */
void mailbox_call(struct request *request);
/* The same for the last request of a watcher, followed by mailbox_leave(): the thread serves it and
 * ends without a pause in between. */
void mailbox_call_and_leave(struct request *request);
/* Whether the calling thread is the monitor thread, which cannot wait for itself: a log function
 * has called the library. */
bool mailbox_is_own_thread(void);

/* For the monitor thread, without the lock. */

/* A descriptor that is readable when there may be a request. */
int mailbox_fd(void);
/* Serves the waiting requests. */
void mailbox_serve(struct subscription_table *subscriptions, int error);

/* Waits for requests, and answers all that wait with an error. Also returns when the last watcher
 * has stopped. */
void mailbox_refuse(int error);

/* Whether no watcher needs the monitor. */
bool mailbox_is_idle(void);
/* Whether a watcher needs the thread. If this returns false, the thread must return, and the next
 * watcher creates another thread. */
bool mailbox_is_needed(void);

/* Resets the mailbox in the child of a fork(2), which has no monitor thread. Called without the
 * lock. */
void mailbox_forget(void);

#endif
