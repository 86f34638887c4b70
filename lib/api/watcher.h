/* SPDX-License-Identifier: MIT */
/* watcher.h - the public object behind struct portwatch
 *
 * The layer api has the functions of portwatch.h. watcher.c makes, starts, stops and frees a
 * watcher; options.c sets what may be set before the start; delivery.c calls the callbacks; event.c
 * and owner.c have the getters of an event; info.c answers what a host may ask. unsupported.c
 * stands in for all of them where the system is not Linux.
 *
 * A public function takes the library's lock (util/lock.h) for microseconds, and disables the
 * cancellation of its thread. What belongs to the monitor is asked for by watcher_ask(), and
 * copied. */
#ifndef WATCHER_H
#define WATCHER_H

#include <pthread.h>
#include <stdbool.h>

#include "portwatch.h"
#include "util/list.h"
#include "watch/options.h"
#include "watch/outbox.h"

struct subscription;

enum watcher_state {
	WATCHER_NEW,
	WATCHER_STARTED, /* portwatch_start() was called, whatever came of it */
	WATCHER_STOPPED,
};

/* The library's lock guards what changes after portwatch_start(). */
struct portwatch {
	pid_t pid;
	uint64_t start_time;     /* clock ticks since boot; with pid the identity of the root */
	unsigned int generation; /* of the process that made it: in a forked child it is inert */
	portwatch_callback callback;
	void *user_data;
	struct options options;
	enum watcher_state state;
	/* Frees it when the last reference is given back (watcher_unref()): delivery.c gives back
	 * references, and knows nothing of how a watcher is made. */
	void (*release)(struct portwatch *watcher);
	unsigned int references; /* the caller's, one for each running delivery and start */
	struct list link;        /* among the started ones (delivery.h) */
	struct list waiting;     /* among those that the delivery thread is to serve */
	struct outbox *outbox;   /* from portwatch_start() on */
	int failure;             /* of portwatch_start(): a negative errno, or 0 */
	/* The monitor's: a token for requests alone, NULL before the start and after the stop. */
	struct subscription *subscription;
	struct portwatch_event *event; /* the one delivered last; NULL: none yet */
	uint64_t events;               /* calls of the callback */
	int eventfd;                   /* for PORTWATCH_DELIVERY_DISPATCH, from start; else -1 */
	bool starting;                 /* a thread is in portwatch_start() ... */
	pthread_t starter;             /* ... namely this one */
	bool dispatching;              /* a thread calls the callback ... */
	pthread_t dispatcher;          /* ... namely this one */
};

/* Whether the watcher is a copy that fork(2) has left in this process. */
bool watcher_is_inert(const struct portwatch *watcher);

/* The level of the messages, where the host has chosen one: the environment may ask for all. */
enum portwatch_log_level watcher_log_level(enum portwatch_log_level level);

/* Drops a reference; the last one frees. With the lock held, which is released and taken again
 * where it frees. */
static inline void watcher_unref(struct portwatch *watcher)
{
	if (--watcher->references == 0)
		watcher->release(watcher);
}

/* What the monitor's data is asked for: serve runs in the monitor thread. -ENOTCONN where the
 * watcher isn't running, -EDEADLK in a log callback. The lock is held. */
int watcher_ask(struct portwatch *watcher,
                void (*serve)(struct subscription *subscription, void *data), void *data);

#endif
