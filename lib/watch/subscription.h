/* SPDX-License-Identifier: MIT */
/* subscription.h - what one started watcher wants to know, and what it knows: the dispatcher
 *
 * A subscription has a scope and one view for each network namespace that the scope reads. A view
 * holds the sockets that listen there; the ports are made of those that are in scope. */
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
	struct hash by_tree; /* those that have a scope, by the address of its tree */
	struct list busy;    /* those that have something to do now */
	struct heap due;     /* all, by subscription_due() */
	struct list moved;   /* those whose members have come, gone or moved, for placement.c */
	bool changed; /* some have come, gone, got their scope or ended: the notifier looks again */
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
	uint64_t refused;    /* since when the root has refused to be read; 0: it has not */
	uint64_t retry;      /* when it is asked again */
	struct scope *scope; /* NULL until the monitor has made it */
	struct list views;
	struct hash views_by_netns;  /* the same by the inode number of netns_id */
	struct list dropping;        /* views with sockets that listen no more */
	bool placed;                 /* the views of the members at its start are made */
	bool exit_unwatched;         /* no pidfd reports the end of the last member */
	bool unplaced;               /* there was no memory to look into some member's namespace */
	struct hash sockets;         /* by inode number */
	struct list pending_sockets; /* who holds them is to be found out ... */
	unsigned int pending;        /* ... and their number */
	struct list changed_sockets; /* others hold them than before */
	struct owners owners;
	struct share share;   /* of what bursts of reads may take */
	int scan_error;       /* why not all members could be asked; 0: they could */
	bool attribute_again; /* some members couldn't be asked: with the next round again */
	bool attribute;       /* there is a question that no member was asked yet */
	uint64_t verify;      /* when all members are asked about all sockets again */
	struct unreadable unreadable;
	struct unnamed unnamed;
	unsigned int port_count; /* open ports */
	unsigned int hidden;     /* sockets whose ports are not reported: there are too many */
	bool logged_members;     /* that there are too many */
	bool logged_ports;
	uint64_t probed; /* when the descriptors of a member were asked last, by elsewhere.c */
	bool logged_unfollowed; /* that a member listens where it can't be followed */
	bool logged_notifier; /* how the kernel reports events was logged, and these were the ways:
	                       */
	int notifier_logged;  /* see kernel_events.c */
	struct listener skipped[SKIPPED_MAX]; /* addresses that were logged as skipped */
	size_t skipped_count;
};

/* What a watcher wants: for subscription_new(). */
struct subscription_setup {
	pid_t pid; /* of the root; with its start time it is one process */
	uint64_t start_time;
	struct options options;
	struct log log;
	struct outbox *outbox; /* the subscription takes over a reference, if it is made */
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

/* It has something to do at the next turn. */
static inline void subscription_touch(struct subscription *subscription)
{
	list_remove(&subscription->busy);
	list_append(&subscription->table->busy, &subscription->busy);
}

/* Its views are to be placed again. */
static inline void subscription_move(struct subscription *subscription)
{
	list_remove(&subscription->moved);
	list_append(&subscription->table->moved, &subscription->moved);
}

/* The same for all whose scopes contain the process. */
void subscription_move_all(const struct subscription_table *table, const struct process *process);

/* There is a question for the owners. */
static inline void subscription_ask(struct subscription *subscription)
{
	subscription->attribute = true;
	subscription_touch(subscription);
}

/* Makes a subscription in state STARTING. 0 or -ENOMEM. */
int subscription_new(struct subscription **subscription, struct subscription_table *table,
                     const struct subscription_setup *setup);
/* Frees it with its views; workers and processes that nobody else needs go at the monitor's next
 * turn. */
void subscription_free(struct subscription *subscription);

/* Carries a STARTING one on: places it, waits for its first reads, decides. */
void subscription_advance(struct subscription *subscription, uint64_t now);
/* When it has something to do next that nothing else announces; UINT64_MAX: never. */
uint64_t subscription_due(const struct subscription *subscription);
/* Ends it when no member is left. */
void subscription_check_end(struct subscription *subscription);

/* Whether all namespaces that it began with have been read, or can't be; and whether any was. */
bool subscription_is_read(const struct subscription *subscription, bool *any_ready);

#endif
