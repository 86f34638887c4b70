/* SPDX-License-Identifier: MIT */
/* collect.h - a watcher whose events are collected, to be waited for
 *
 * All waits end after COLLECT_PATIENCE, and then the case fails and shows what came instead. With
 * PORTWATCH_DELIVERY_DISPATCH the waiting thread dispatches, so that a test reads the same for both
 * deliveries. */
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
/* What is reported unless a test sets another choice. */
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

/* Makes a watcher of pid that reports COLLECT_KINDS and all messages to collect. The options
 * can be changed before collect_start(). */
void collect_new(struct collect *collect, pid_t pid);

/* Starts it, asserting success. */
void collect_start(struct collect *collect);

/* Both. */
void collect_watch(struct collect *collect, pid_t pid);

/* Frees the watcher and what was collected. */
void collect_free(struct collect *collect);

/* How to watch, for tests that are run once for each way. */
struct way {
	enum portwatch_reader reader;
	enum portwatch_table table;
	enum portwatch_delivery delivery;
	int notifier; /* may be used where the kernel allows it */
};

/* All ways, numbered from 0. way_count() of them. Those that don't work here make the case skip. */
int way_count(void);
struct way way(int number);

/* A fixture where this way can read, in a namespace of its own for the readers that enter one. */
struct fixture way_fixture(struct way way);
void collect_watch_by(struct collect *collect, pid_t pid, struct way way);

/* Shows on standard error what was collected last. */
void collect_show(struct collect *collect);

/* Waits until there are as many events of this kind, address (NULL: any) and port (0: any) as
 * `count`, and returns the latest; asserts that there aren't more. */
struct collected collect_wait(struct collect *collect, enum portwatch_event_kind kind,
                              const char *address, uint16_t port);
struct collected collect_wait_count(struct collect *collect, enum portwatch_event_kind kind,
                                    const char *address, uint16_t port, size_t count);

/* How many there are, without waiting. */
size_t collect_count(struct collect *collect, enum portwatch_event_kind kind, const char *address,
                     uint16_t port);
size_t collect_total(struct collect *collect);

/* Forgets all events so far. */
void collect_forget(struct collect *collect);

/* Waits for at least `total` events of any kind. */
void collect_wait_total(struct collect *collect, size_t total);

/* Waits until the namespace of the fixture, a member of the tree, has been read `reads` times from
 * begin to end: what happened before has been reported by then, if it ever will be. Three to
 * confirm a close. */
void collect_sync(struct collect *collect, const struct fixture *fixture, int reads);

/* The same for messages that contain a text. */
void collect_wait_message(struct collect *collect, const char *part);
size_t collect_count_messages(struct collect *collect, const char *part);

/* The callbacks, for watchers that a test makes itself, with collect as their user_data. */
void collect_init(struct collect *collect);
void collect_event(struct portwatch *watcher, const struct portwatch_event *event, void *collect);
void collect_message(struct portwatch *watcher, enum portwatch_log_level level, const char *message,
                     void *collect);

#endif
