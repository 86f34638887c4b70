/* SPDX-License-Identifier: MIT */
/* mailbox.h - the way from the threads of the host to the monitor thread
 *
 * A host thread adds a request and waits until the monitor thread has served it, between two slices
 * of its work. The monitor thread exists while a watcher is started: the first start creates it,
 * and it ends when the last watcher has stopped. */
#ifndef MAILBOX_H
#define MAILBOX_H

#include <stdbool.h>

#include "util/list.h"

struct subscription_table;

/* Belongs to the host thread that waits, most often on its stack. */
struct request {
	struct list link;
	/* Called by the monitor thread without the lock. subscriptions is NULL where there was no
	 * memory or descriptor for a monitor, and error says which. */
	void (*serve)(struct request *request, struct subscription_table *subscriptions, int error);
	bool served;
};

/* The host's side, with the lock held and released while it waits. */

/* The body of the monitor thread (monitor.h); the argument is NULL. */
typedef void *mailbox_thread(void *data);
/* A watcher is about to start: creates the monitor thread if there is none. 0 or a negative errno.
 * Each success is undone by mailbox_leave(). */
int mailbox_enter(mailbox_thread *thread);
/* A watcher has stopped, or failed to start. Waits for the end of the thread if it was the last. */
void mailbox_leave(void);
/* Has a request served. The caller is between mailbox_enter() and mailbox_leave(). */
void mailbox_call(struct request *request);
/* Whether the calling thread is the monitor thread, which can't wait for itself: a log function is
 * running. */
bool mailbox_is_own_thread(void);

/* The monitor's side, without the lock. */

/* Readable when there may be a request. */
int mailbox_fd(void);
/* Serves what waits. */
void mailbox_serve(struct subscription_table *subscriptions, int error);

/* Answers what waits by an error, and waits for more. */
void mailbox_refuse(int error);

/* Whether no watcher needs the monitor any more. */
bool mailbox_is_idle(void);
/* The same for the thread. The answer false announces the end of the thread: the thread returns,
 * and the next watcher creates another. */
bool mailbox_is_needed(void);

/* In the child of a fork(2), without the lock: there is no thread. */
void mailbox_forget(void);

#endif
