/* SPDX-License-Identifier: MIT */
/* watcher.h - the public object behind struct portwatch
 *
 * The layer api has the functions of portwatch.h. watcher.c creates, starts, stops and frees a
 * watcher; options.c has the setters; delivery.c calls the callbacks; event.c and owner.c have the
 * getters of an event; info.c has the queries. unsupported.c replaces all of them on other systems
 * than Linux.
 *
 * A public function takes the library's lock (util/lock.h) for microseconds, and disables the
 * cancellation of its thread. watcher_ask() runs a query in the monitor thread, which copies the
 * data. */
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
	WATCHER_STARTED, /* portwatch_start() was called, successfully or not */
	WATCHER_STOPPED,
};

/* The library's lock guards the members that change after portwatch_start(). */
struct portwatch {
	pid_t pid;
	uint64_t start_time;     /* clock ticks since boot; identifies the root together with pid */
	unsigned int generation; /* of the process that created it: in a forked child the watcher is
	                            inert */
	portwatch_callback callback;
	void *user_data;
	struct options options;
	enum watcher_state state;
	/* Frees the watcher when the last reference is released (watcher_unref()). A pointer,
	 * because delivery.c releases references and must not depend on watcher.c. */
	void (*release)(struct portwatch *watcher);
	unsigned int references; /* of the caller, and one for each running delivery and start */
	struct list link;        /* in the list of started watchers */
	struct list waiting;     /* in the list of watchers that the delivery thread serves next */
	struct outbox *outbox;   /* from portwatch_start() on */
	int failure;             /* of portwatch_start(): a negative errno, or 0 */
	/* Owned by the monitor; only a token for requests here. NULL before the start and after the
	 * stop. */
	struct subscription *subscription;
	struct portwatch_event *event; /* the last delivered event; NULL: none yet */
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

/* Releases a reference; the last one frees the watcher. Called with the lock held, which is
 * released meanwhile if the watcher is freed. */
static inline void watcher_unref(struct portwatch *watcher)
{
	if (--watcher->references == 0)
		watcher->release(watcher);
}

/* Queries the monitor's data: `serve` runs in the monitor thread. Returns -ENOTCONN if the watcher
 * is not running, -EDEADLK in a log callback. Called with the lock held. */
int watcher_ask(struct portwatch *watcher,
                void (*serve)(struct subscription *subscription, void *data), void *data);

#endif
