/* SPDX-License-Identifier: MIT */
/* subscription.h - one started watcher in the monitor: the dispatcher
 *
 * A subscription has a scope and one view for each network namespace that the scope reads. A view
 * contains the listening sockets of the namespace. The sockets in scope open the ports. */
#ifndef SUBSCRIPTION_H
#define SUBSCRIPTION_H

#include "util/hash.h"
#include "util/heap.h"
#include "util/list.h"
#include "watch/complete.h"
#include "watch/context.h"
#include "watch/log.h"
#include "watch/netns.h"
#include "watch/options.h"
#include "watch/outbox.h"
#include "watch/owners.h"
#include "watch/scope.h"
#include "watch/sockets.h"
#include "watch/turns.h"

#define SKIPPED_MAX 32

enum subscription_state {
	SUBSCRIPTION_STARTING,
	SUBSCRIPTION_RUNNING,
	SUBSCRIPTION_ENDED,
	SUBSCRIPTION_FAILED,
};

/* All subscriptions. */
struct subscription_table {
	struct context *context;
	struct netns_table *namespaces;
	struct list list;
	struct hash by_tree; /* subscriptions that have a scope, by the address of its tree */
	struct list busy;    /* subscriptions that have work now */
	struct heap due;     /* all subscriptions, by subscription_due() */
	/* Subscriptions whose members have joined, left or moved, for placement.c. */
	struct list moved;
	bool changed; /* a subscription was added or removed, got its scope or ended: the notifier
	                 is updated */
};

struct subscription {
	struct subscription_table *table;
	struct context *context;
	struct list link;
	struct hash_link by_tree;
	struct list busy;
	struct list moved;
	struct heap_link due;
	struct outbox *outbox; /* a reference of its own */
	struct options options;
	struct log log;
	pid_t pid;           /* of the root */
	uint64_t start_time; /* of the root */
	enum subscription_state state;
	uint64_t created;
	uint64_t deadline;   /* while STARTING */
	uint64_t refused;    /* since when the root cannot be read; 0: it can */
	uint64_t retry;      /* when the read is tried again */
	struct scope *scope; /* NULL until the monitor has created it */
	struct list views;
	struct hash views_by_netns;  /* the same by the inode number of netns_id */
	struct list dropping;        /* views with dropped sockets */
	unsigned int young;          /* members that were young when members were located last */
	bool placed;                 /* the views for the members at the start exist */
	bool exit_unwatched;         /* no pidfd reports the exit of the last member */
	bool unplaced;               /* there was no memory for the view of a member */
	struct hash sockets;         /* by inode number */
	struct list pending_sockets; /* sockets whose holder the search has not found yet ... */
	unsigned int pending;        /* ... and their number */
	struct list changed_sockets; /* sockets whose holders have changed */
	struct owners owners;
	struct share share;   /* of the CPU time for bursts of reads */
	struct turn turn;     /* the queue of its namespaces that must be read */
	int scan_error;       /* why some member could not be scanned; 0: all could */
	bool attribute_again; /* some members could not be scanned: repeat the search with the next
	                         poll cycle */
	bool attribute;       /* a search is necessary */
	uint64_t verify;      /* time of the next full check */
	struct unreadable unreadable;
	struct unnamed unnamed;
	unsigned int port_count; /* open ports */
	unsigned int hidden; /* sockets whose ports are not reported, because there are too many */
	bool logged_members; /* logged that there are too many members */
	bool logged_ports;
	uint64_t probed;        /* when elsewhere.c examined the descriptors of a member last */
	bool logged_unfollowed; /* logged that a member listens in an unreadable namespace */
	bool logged_notifier;   /* the mechanisms of the notifier were logged */
	int notifier_logged;    /* the mechanisms that were logged, see kernel_events.c */
	struct listener skipped[SKIPPED_MAX]; /* addresses that were logged as skipped */
	size_t skipped_count;
};

/* The arguments of subscription_new(). */
struct subscription_setup {
	pid_t pid; /* of the root, which is identified by PID and start time */
	uint64_t start_time;
	struct options options;
	struct log log;
	struct outbox *outbox; /* the subscription takes over a reference if it is created */
};

void subscription_table_init(struct subscription_table *table, struct context *context,
                             struct netns_table *namespaces);
void subscription_table_clear(struct subscription_table *table);
/* The first subscription whose scope follows the tree, and the next; NULL after the last. */
struct subscription *subscription_find(const struct subscription_table *table,
                                       const struct process_tree *tree);
struct subscription *subscription_find_next(const struct subscription *subscription);
/* The subscriptions whose scopes contain a process; NULL after the last. */
struct subscription *subscription_of(const struct subscription_table *table,
                                     const struct process *process,
                                     const struct subscription *previous);

/* Requests that the next pass serves the subscription. */
static inline void subscription_touch(struct subscription *subscription)
{
	list_move(&subscription->table->busy, &subscription->busy);
}

/* Requests that the views of the subscription are placed again. */
static inline void subscription_move(struct subscription *subscription)
{
	list_move(&subscription->table->moved, &subscription->moved);
}

/* The same for all whose scopes contain the process. */
void subscription_move_all(const struct subscription_table *table, const struct process *process);

/* Requests a search for owners. */
static inline void subscription_ask(struct subscription *subscription)
{
	subscription->attribute = true;
	subscription_touch(subscription);
}

/* Creates a subscription in state STARTING. Returns 0 or -ENOMEM. */
int subscription_new(struct subscription **subscription, struct subscription_table *table,
                     const struct subscription_setup *setup);
/* Frees a subscription and its views. The monitor's next pass frees workers and processes that no
 * other subscription needs. */
void subscription_free(struct subscription *subscription);

/* Advances a STARTING subscription: places its views, waits for the first reads, and decides the
 * start. */
void subscription_advance(struct subscription *subscription, uint64_t now);
/* When the subscription has work that no event announces; UINT64_MAX: never. */
uint64_t subscription_due(const struct subscription *subscription);
/* Ends the subscription if no member is left. */
void subscription_check_end(struct subscription *subscription);

/* Whether all namespaces of the start were read or cannot be read; any_ready receives whether any
 * was read. */
bool subscription_is_read(const struct subscription *subscription, bool *any_ready);

#endif
