/* SPDX-License-Identifier: MIT */
/* kernel_events.h - from a kernel event to the namespace that is read and the tree that grows
 *
 * Opens the notifier while some subscription wants one, and gives its events to those whom they
 * concern. */
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

struct kernel_events {
	struct context *context; /* has the notifier */
	struct netns_table *namespaces;
	struct subscription_table *subscriptions;
	struct placement *placement;
	struct unseen *unseen;
	struct elsewhere *elsewhere;
	struct source source;  /* of the notifier */
	bool more;             /* not all that it holds was handled */
	bool refollow;         /* what it follows is set anew after the next scan ... */
	uint64_t refollow_due; /* ... and in any case then, CLOCK_MONOTONIC */
	unsigned int wanted;   /* by so many subscriptions */
	int ways;              /* those in use when it was logged, as one number */
	bool everybody_counts; /* in the scope of some subscription: non-members matter */
	void *known_sockets;   /* tsearch(3): sockets of members, by the kernel's address */
	size_t known_socket_count;
};

void kernel_events_init(struct kernel_events *events, struct subscription_table *subscriptions,
                        struct placement *placement, struct unseen *unseen);
void kernel_events_clear(struct kernel_events *events);
/* Opens the notifier where some subscription wants it, closes it where none does. 0, or a negative
 * errno if the trees must be read again. */
int kernel_events_update(struct kernel_events *events);
/* Why the kernel does not report that, or not by a better way, in words; or "". */
#define NOTIFIER_TEXT 1024
void kernel_events_reason(const struct context *context, enum notifier_kind kind,
                          char text[NOTIFIER_TEXT]);
/* Takes in what the notifier has. */
void kernel_events_drain(struct kernel_events *events);
/* Whether it has more than was taken in. */
bool kernel_events_is_behind(const struct kernel_events *events);
/* Around a scan of the trees, so that nothing is missed between finding a process and following it:
 * before it, and when it is complete. */
void kernel_events_before_scan(struct kernel_events *events);
void kernel_events_after_scan(struct kernel_events *events);
/* What is followed takes effect. With each poll, whether anything was followed or not; not while
 * the trees are scanned. */
void kernel_events_settle(struct kernel_events *events, bool poll);

#endif
