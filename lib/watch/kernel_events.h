/* SPDX-License-Identifier: MIT */
/* kernel_events.h - assigns kernel events to namespaces and trees
 *
 * Opens the notifier while a subscription wants one, and passes each event to the workers, trees
 * and subscriptions that it concerns. */
#ifndef KERNEL_EVENTS_H
#define KERNEL_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify/notifier.h"
#include "util/loop.h"

struct context;
struct elsewhere;
struct netns_table;
struct placement;
struct subscription_table;
struct unseen;

/* A thread of a member that was located during the present or an earlier drain. */
struct located {
	pid_t tid;
	uint64_t start_time; /* of the process */
	uint64_t drain;      /* the number of kernel_events_drain() */
};

#define LOCATED_MAX 64

struct kernel_events {
	struct context *context; /* has the notifier */
	struct netns_table *namespaces;
	struct subscription_table *subscriptions;
	struct placement *placement;
	struct unseen *unseen;
	struct elsewhere *elsewhere;
	struct source source; /* of the notifier */
	bool more;            /* some records of the notifier are not handled yet */
	bool refollow;        /* the set of followed processes is rebuilt after the next scan ... */
	uint64_t refollow_due; /* ... and at this time at the latest, CLOCK_MONOTONIC */
	unsigned int wanted;   /* the number of subscriptions that want a notifier */
	int ways;              /* the mechanisms in use when they were logged, as one number */
	bool everybody_counts; /* the scope of a subscription counts every process: non-members
	                          matter */
	void *known_sockets;   /* tsearch(3): sockets of members, by the kernel's address */
	size_t known_socket_count;
	uint64_t drains;                     /* number of kernel_events_drain() calls */
	struct located located[LOCATED_MAX]; /* by thread ID */
};

void kernel_events_init(struct kernel_events *events, struct subscription_table *subscriptions,
                        struct placement *placement, struct unseen *unseen);
void kernel_events_clear(struct kernel_events *events);
/* Opens the notifier if a subscription wants it, and closes it otherwise. Returns 0, or a negative
 * errno if the trees must be read again. */
int kernel_events_update(struct kernel_events *events);
/* Writes why the kernel does not report events of a kind, or not by a better mechanism; or "". */
#define NOTIFIER_TEXT 1024
void kernel_events_reason(const struct context *context, enum notifier_kind kind,
                          char text[NOTIFIER_TEXT]);
/* Handles the records of the notifier. */
void kernel_events_drain(struct kernel_events *events);
/* Whether the notifier has records that are not handled yet. */
bool kernel_events_is_behind(const struct kernel_events *events);
/* Called before a scan of the trees, and after it is complete, so that no event is missed between
 * finding a process and following it. */
void kernel_events_before_scan(struct kernel_events *events);
void kernel_events_after_scan(struct kernel_events *events);
/* Makes the set of followed processes effective. Called with each poll, even if nothing was
 * followed, and not while the trees are scanned. */
void kernel_events_apply(struct kernel_events *events, bool poll);

#endif
