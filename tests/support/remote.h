/* SPDX-License-Identifier: MIT */
/* remote.h - a watcher in a process of its own: a test can change its own process without any
 * effect on the watcher, and can stop the watcher
 *
 * A test has to start the watcher before the test has threads (for example those of a watcher of
 * its own). Each wait ends after COLLECT_PATIENCE, and the case then fails. */
#ifndef REMOTE_H
#define REMOTE_H

#include "collect.h"

struct remote {
	pid_t pid;
	int link;
	bool notifier; /* whether the watcher uses a notifier */
	struct collected *events;
	size_t count;
};

/* Starts a watcher of pid, with an interval in ms (0: adapts) and with a notifier if the watcher
 * may use one. When the function returns, the initial ports are among the events. */
void remote_start(struct remote *remote, pid_t pid, unsigned int interval);
/* Does the same for kinds of events other than COLLECT_KINDS. */
void remote_start_for(struct remote *remote, pid_t pid, unsigned int interval, unsigned int kinds);
/* Ends the watcher and forgets its events. */
void remote_end(struct remote *remote);

/* Receives events until `count` events of this kind, address (NULL: any) and port (0: any) have
 * come. Asserts that no more than `count` have come. */
void remote_wait(struct remote *remote, enum portwatch_event_kind kind, const char *address,
                 uint16_t port, size_t count);
/* Returns the number of such events that have come. */
size_t remote_count(const struct remote *remote, enum portwatch_event_kind kind,
                    const char *address, uint16_t port);
/* Calls portwatch_get_stat() in the watcher's process, and receives events while waiting. */
uint64_t remote_stat(struct remote *remote, enum portwatch_stat stat);

#endif
