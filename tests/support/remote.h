/* SPDX-License-Identifier: MIT */
/* remote.h - a watcher in a process of its own: untouched by what a test does to its own process,
 * or to be stopped
 *
 * To be started before the test has threads, a watcher of its own for example. All waits end after
 * COLLECT_PATIENCE, and then the case fails. */
#ifndef REMOTE_H
#define REMOTE_H

#include "collect.h"

struct remote {
	pid_t pid;
	int link;
	bool notifier; /* the kernel rings for it */
	struct collected *events;
	size_t count;
};

/* Starts one that watches pid, with an interval in ms (0: adapts) and a notifier where it may have
 * one. What is open already is among its events when this returns. */
void remote_start(struct remote *remote, pid_t pid, unsigned int interval);
/* The same for other kinds of events than COLLECT_KINDS. */
void remote_start_for(struct remote *remote, pid_t pid, unsigned int interval, unsigned int kinds);
/* Ends it and forgets its events. */
void remote_end(struct remote *remote);

/* Takes in events until there are as many of this kind, address (NULL: any) and port (0: any) as
 * `count`; asserts that there aren't more. */
void remote_wait(struct remote *remote, enum portwatch_event_kind kind, const char *address,
                 uint16_t port, size_t count);
/* How many came so far. */
size_t remote_count(const struct remote *remote, enum portwatch_event_kind kind,
                    const char *address, uint16_t port);
/* portwatch_get_stat(). Takes in events meanwhile. */
uint64_t remote_stat(struct remote *remote, enum portwatch_stat stat);

#endif
