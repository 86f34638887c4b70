/* SPDX-License-Identifier: MIT */
/* subscription.h - what one started watcher wants to know, and what it was told: the dispatcher
 *
 * A subscription has a scope and one view for each network namespace that the scope reads. A view
 * holds the sockets that listen there; the ports are made of those that are in scope. */
#ifndef SUBSCRIPTION_H
#define SUBSCRIPTION_H

#include "proc/fds.h"
#include "util/list.h"
#include "watch/monitor.h"
#include "watch/netns.h"
#include "watch/log.h"
#include "watch/options.h"
#include "watch/outbox.h"
#include "watch/scope.h"
#include "watch/unreadable.h"

#define SKIPPED_MAX 32
#define CANDIDATES_MAX 8

enum socket_state {
	SOCKET_NEW,          /* nobody was asked yet */
	SOCKET_UNATTRIBUTED, /* no member holds it */
	SOCKET_HELD,         /* a member holds it */
	SOCKET_OWNERLESS,    /* the member that held it is gone */
};

/* A listening socket whose address is wanted. */
struct socket {
	struct listener listener;
	enum socket_state state;
	unsigned int looks;   /* at how many complete reads an orphan was looked for in vain */
	uint64_t looked;      /* the number of the last of them */
	uint64_t added;       /* the number of the read that showed it first */
	struct port *port;    /* if it is in scope ... */
	struct list of_port;  /* ... then among its sockets */
	pid_t owner;          /* the oldest process that holds it; 0: not known */
	uint64_t owner_start; /* its start time, clock ticks since boot */
	unsigned int owners;
	struct list link;
};

struct view {
	struct list of_namespace;
	struct list of_subscription;
	struct netns *ns;
	struct subscription *subscription;
	void *tree;          /* tsearch(3): sockets by listener_compare() */
	struct list sockets; /* in the order of their coming */
	struct list dropped; /* those that listen no more, while their ports are still held */
	uint64_t after; /* ready by the first complete read whose request has a higher number */
	bool ready;
	bool joined; /* made when others were waited for already: nobody waits for this one */
	bool late;   /* rows were missing when it was made: they may come back */
	bool marked; /* by topology.c: a member lives there */
	struct process *exit_member; /* by topology.c: one that does */
	uint64_t exit_start;         /* start time of the anchor */
	pid_t watch_exit;            /* a member there whose exit is waited for ... */
	struct source exit;          /* ... with its pidfd */
};

enum subscription_state {
	SUBSCRIPTION_STARTING,
	SUBSCRIPTION_RUNNING,
	SUBSCRIPTION_ENDED,
	SUBSCRIPTION_FAILED,
};

struct subscription {
	struct list link; /* in monitor->subscriptions */
	struct monitor *monitor;
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
	bool placed;          /* the views of the members at its start are made */
	bool unplaced;        /* there was no memory to look into some member's namespace */
	unsigned int pending; /* sockets that are FRESH or ORPHAN */
	int scan_error;       /* why not all members could be asked; 0: they could */
	bool attribute_again; /* some members couldn't be asked: with the next round again */
	bool attribute;       /* there is a question that no member was asked yet */
	pid_t candidates[CANDIDATES_MAX]; /* members that were told to listen: asked first */
	unsigned int candidate_count;
	uint64_t scanned; /* CLOCK_MONOTONIC: members seen later were not asked about strangers */
	uint64_t verify;  /* when all members are asked about all sockets again */
	struct unreadable unreadable;
	bool logged_notifier; /* how it is with the notifier was told, and that was this: */
	int notifier_logged;  /* see monitor_notifier.c */
	struct listener skipped[SKIPPED_MAX]; /* addresses that were told to be skipped */
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

/* Makes a subscription in state STARTING and puts it on the monitor's list. 0 or -ENOMEM. */
int subscription_new(struct subscription **subscription, struct monitor *monitor,
                     const struct subscription_setup *setup);
/* Frees it with its views; workers and processes that nobody else needs go at the monitor's next
 * turn. */
void subscription_free(struct subscription *subscription);

/* Carries a STARTING one on: places it, waits for its first reads, decides. */
void subscription_advance(struct subscription *subscription, uint64_t now);
/* When it has something to do next that nothing else tells of; UINT64_MAX: never. */
uint64_t subscription_due(const struct subscription *subscription);
/* Ends it when no member is left. */
void subscription_check_end(struct subscription *subscription);

/* The view of a namespace; made if there is none. NULL without memory. */
struct view *view_get(struct subscription *subscription, struct netns *ns);
/* Closes all its ports, unless they are left open, and forgets it. */
void view_free(struct view *view, bool close_ports);
/* What has changed in its namespace. */
void view_change(struct view *view, enum snapshot_change change, const struct listener *listener);
/* A socket that the last reads have shown; NULL if there is none. */
struct socket *view_find(const struct view *view, const struct listener *listener);
/* After the owners have been looked for: closes the ports of sockets that listen no more, unless
 * the last read shows others there of which it isn't known yet whether they are in scope. */
void view_resolve(struct view *view);
/* Closes the ports of sockets that listen no more. */
void view_drop_closed(struct view *view);
/* A complete read has been taken in. */
void view_completed(struct view *view);
/* A process has left the tree: what it held has no known holder. */
void view_lost_owner(struct view *view, pid_t pid);

/* A socket is found to be held, or it is in scope without a known owner (pid 0): opens its port,
 * or changes its owner. */
void socket_hold(struct view *view, struct socket *socket, const struct fds_holder *holder);
/* It is in scope no longer: closes its port. */
void socket_release(struct view *view, struct socket *socket, enum socket_state state);

/* The member that held it is gone or has let go: others are to be asked, after the next reads. */
void socket_lose_owner(struct view *view, struct socket *socket);

/* Whether all namespaces that it began with have been read, or can't be; and whether any was. */
bool subscription_is_read(const struct subscription *subscription, bool *any_ready);

/* Finds the owners of all sockets that need one (attribution.c). False where some members couldn't
 * be asked. */
bool owners_resolve(struct subscription *subscription, uint64_t now);

/* A member was told to listen: it is asked first. */
void owners_add_candidate(struct subscription *subscription, const struct process *process);
/* fds_scan_process(), first without and then with the privilege that there is for it. */
ssize_t owners_scan_process(int directory, pid_t pid, uint64_t start_time,
                            struct fds_holder *sockets, size_t count);

/* Places workers and views where the members are (topology.c). */
void placement_update(struct monitor *monitor);
/* Looks where some of the members are now. */
void placement_locate(struct monitor *monitor, uint64_t now);

#endif
