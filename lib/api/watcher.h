/* SPDX-License-Identifier: MIT */
/* watcher.h - the public object behind struct portwatch */
#ifndef WATCHER_H
#define WATCHER_H

#include <pthread.h>
#include <stdbool.h>

#include "portwatch.h"

struct monitor;
struct subscription;

struct options {
	unsigned int kinds;
	unsigned int interval; /* milliseconds; 0 adapts */
	enum portwatch_addresses addresses;
	enum portwatch_scope scope;
	enum portwatch_reader reader;
	enum portwatch_table table;
	enum portwatch_delivery delivery;
	bool subreaper;
	bool notifier;
	enum portwatch_log_level log_level;
	portwatch_log_callback log;
};

enum watcher_state {
	WATCHER_NEW,
	WATCHER_STARTED, /* portwatch_start() was called, whatever came of it */
	WATCHER_STOPPED,
};

/* After portwatch_start() everything is guarded by the library's lock (lock.h). */
struct portwatch {
	pid_t pid;
	uint64_t start_time;     /* clock ticks since boot; with pid the identity of the root */
	unsigned int generation; /* of forks, and ... */
	pid_t maker; /* the process that made the watcher: in a forked child it is inert */
	portwatch_callback callback;
	void *user_data;
	struct options options;
	enum watcher_state state;
	unsigned int references;           /* the caller's, and one for each running dispatch */
	struct monitor *monitor;           /* while started */
	struct subscription *subscription; /* while started */
	int eventfd;          /* for PORTWATCH_DELIVERY_DISPATCH, from start; else -1 */
	bool starting;        /* a thread is in portwatch_start() ... */
	pthread_t starter;    /* ... namely this one */
	bool dispatching;     /* a thread is in dispatch ... */
	pthread_t dispatcher; /* ... namely this one */
};

/* Whether the watcher is a copy that fork(2) has left in this process. */
bool watcher_is_inert(const struct portwatch *watcher);

/* In the child of a fork(2): forgets what the other threads, which are gone, were doing with it. */
void watcher_forget_threads(struct portwatch *watcher);

/* Drops a reference; the last one frees. With the lock held. */
void watcher_unref(struct portwatch *watcher);

#endif
