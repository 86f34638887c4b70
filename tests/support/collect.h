/* SPDX-License-Identifier: MIT */
/* collect.h - a watcher that collects its events, with functions that wait for events
 *
 * Each wait ends after COLLECT_PATIENCE. The case then fails and shows the events that were
 * collected. With PORTWATCH_DELIVERY_DISPATCH the waiting thread dispatches, so a test has the same
 * code for both deliveries. */
#ifndef COLLECT_H
#define COLLECT_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fixture.h"
#include "patience.h"
#include "portwatch.h"

#define COLLECT_PATIENCE patience(60) /* seconds */
/* The kinds of events that are reported unless a test chooses others. */
#define COLLECT_KINDS (PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE | PORTWATCH_EVENT_END)

struct collected {
	enum portwatch_event_kind kind;
	uint64_t id;
	int family;
	char address[INET6_ADDRSTRLEN];
	uint16_t port;
	int v6only;
	pid_t pid;
	char process[64];
	unsigned int owners;
	uint64_t netns;
	uint64_t cookie;
	uint64_t inode;
	uint64_t realtime;
	uint64_t monotonic;
	bool initial;
};

struct collect {
	struct portwatch *watcher;
	bool dispatches;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct collected *events;
	size_t count;
	char (*messages)[400];
	size_t message_count;
};

/* Makes a watcher of pid that reports COLLECT_KINDS and all messages to collect. The caller can
 * change the options before collect_start(). */
void collect_new(struct collect *collect, pid_t pid);

/* Starts the watcher and asserts success. */
void collect_start(struct collect *collect);

/* Calls collect_new() and collect_start(). */
void collect_watch(struct collect *collect, pid_t pid);

/* Frees the watcher and the collected events. */
void collect_free(struct collect *collect);

/* One way to watch. Some tests run once for each way. */
struct way {
	enum portwatch_reader reader;
	enum portwatch_table table;
	enum portwatch_delivery delivery;
	int notifier; /* a notifier is allowed, where the kernel supports one */
};

/* way_count() returns the number of ways; ways are numbered from 0. way() skips the case if the way
 * does not work on this machine. */
int way_count(void);
struct way way(int number);

/* Starts a fixture whose namespace this way can read. If the readers of this way enter namespaces,
 * the fixture gets a namespace of its own. */
struct fixture way_fixture(struct way way);
void collect_watch_by(struct collect *collect, pid_t pid, struct way way);

/* Prints the events that were collected last to standard error. */
void collect_show(struct collect *collect);

/* Waits until `count` events of this kind, address (NULL: any) and port (0: any) have been
 * collected. Returns the latest event. Asserts that no more than `count` have been collected. */
struct collected collect_wait(struct collect *collect, enum portwatch_event_kind kind,
                              const char *address, uint16_t port);
struct collected collect_wait_count(struct collect *collect, enum portwatch_event_kind kind,
                                    const char *address, uint16_t port, size_t count);

/* Returns the number of such events without waiting. */
size_t collect_count(struct collect *collect, enum portwatch_event_kind kind, const char *address,
                     uint16_t port);
size_t collect_total(struct collect *collect);

/* Forgets all events that have been collected. */
void collect_forget(struct collect *collect);

/* Waits for at least `total` events of any kind. */
void collect_wait_total(struct collect *collect, size_t total);

/* Waits until the namespace of the fixture, a member of the tree, has been read `reads` times from
 * beginning to end. After one read, a watcher has reported every earlier change that it can see.
 * The confirmation of a close takes three reads. */
void collect_sync(struct collect *collect, const struct fixture *fixture, int reads);

/* Do the same for messages that contain a text. */
void collect_wait_message(struct collect *collect, const char *part);
size_t collect_count_messages(struct collect *collect, const char *part);

/* The callbacks for watchers that a test makes itself. Their user_data is the collect. */
void collect_init(struct collect *collect);
void collect_event(struct portwatch *watcher, const struct portwatch_event *event, void *collect);
void collect_message(struct portwatch *watcher, enum portwatch_log_level level, const char *message,
                     void *collect);

#endif
