/* SPDX-License-Identifier: MIT */
/* sockets.h - the listening sockets of one namespace as one subscription sees them, and the ports
 * that they hold open
 *
 * A socket is pending while it is not known who holds it: a new one, and one whose known holders
 * are all gone. Then it is found to be held, or that nobody in scope holds it. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "util/hash.h"
#include "util/list.h"
#include "watch/holders.h"
#include "watch/netns.h"
#include "watch/ports.h"

struct process;
struct subscription;

enum socket_state {
	SOCKET_NEW,          /* pending: nobody was asked yet */
	SOCKET_OWNERLESS,    /* pending: those who held it are gone, or have let go */
	SOCKET_HELD,         /* some process in scope holds it */
	SOCKET_UNATTRIBUTED, /* none is known to */
};

/* A listening socket whose address is wanted. */
struct socket {
	struct listener listener;
	enum socket_state state;
	bool dropped;       /* listens no more */
	unsigned int looks; /* in how many reads an ownerless one was looked for in vain */
	uint64_t looked;    /* the number of the last of them */
	uint64_t scan;      /* the scan of the trees that had begun when it became pending */
	uint64_t seen;      /* when the read was requested that showed it first, CLOCK_MONOTONIC */
	uint64_t settled;   /* the number of the last read that was requested when it was pending */
	uint64_t since;     /* pending since that search for owners was the last to begin */
	unsigned int chases; /* how often all its holders had exited when it was to be reported */
	struct port *port;   /* if it is in scope ... */
	struct list of_port; /* ... then among its sockets */
	struct holder_set holders;
	bool hidden; /* its port is not reported: too many are open */
	struct view *view;
	struct list link;          /* in the order of their coming, or among the dropped */
	struct list of_work;       /* among those pending, or those whose holders have changed */
	struct hash_link by_inode; /* in subscription->sockets, unless dropped */
};

struct view {
	struct list of_namespace;
	struct list of_subscription;
	struct hash_link by_netns; /* in subscription->views_by_netns */
	struct list of_dropping;   /* in subscription->dropping, while `dropped` is not empty */
	struct netns *ns;
	struct subscription *subscription;
	void *tree;          /* tsearch(3): sockets by listener_compare() */
	struct list sockets; /* in the order of their coming */
	struct list dropped; /* those that listen no more, while their ports are still held */
	struct burst burst;
	uint64_t after; /* ready by the first complete read whose request has a higher number */
	bool ready;
	bool joined;    /* made when others were waited for already: nobody waits for this one */
	bool late;      /* rows were missing when it was made: they may come back */
	bool marked;    /* by placement.c: a member lives there ... */
	size_t members; /* ... and so many do */
	struct process *exit_member; /* by placement.c: one that does */
	uint64_t exit_start;         /* start time of the anchor */
	pid_t watch_exit;            /* a member there whose exit is waited for ... */
	struct source exit;          /* ... with its pidfd */
};

/* The view of a namespace; NULL if there is none. */
struct view *view_find_netns(const struct subscription *subscription, const struct netns_id *id);
/* The view of a namespace; made if there is none. NULL without memory. */
struct view *view_get(struct subscription *subscription, struct netns *ns);
/* Closes all its ports, unless they are left open, and forgets it. */
void view_free(struct view *view, bool close_ports);
/* A member there was found, or has called exec: its namespace is read often for a while. */
void view_started(const struct subscription *subscription, const struct process *process);
/* What has changed in its namespace. */
void view_change(struct view *view, enum snapshot_change change, const struct listener *listener);
/* A complete read has been taken in. */
void view_completed(struct view *view);
/* A socket that the last reads have shown; NULL if there is none. */
struct socket *view_find(const struct view *view, const struct listener *listener);
/* After the owners have been looked for: closes the ports of sockets that listen no more, unless
 * the last read shows others there of which it isn't known yet whether they are in scope. */
void view_resolve(struct view *view);
/* Whether some port there is in scope, as far as is known: also where no member lives there any
 * more, since its owner may have moved on. */
bool view_holds_ports(const struct view *view);

static inline bool socket_is_pending(const struct socket *socket)
{
	return socket->state == SOCKET_NEW || socket->state == SOCKET_OWNERLESS;
}

/* Who holds it is to be found out. */
void socket_set_pending(struct socket *socket, enum socket_state state);
/* Its holders are known: opens its port, or reports a change of its owner. */
void socket_hold(struct socket *socket);
/* Its known holders are gone, or have let go: others are asked, after the next reads. */
void socket_lose_owner(struct socket *socket);
/* Nobody is known to hold it. In scope all the same: opens its port, without an owner. */
void socket_show(struct socket *socket);
/* Not in scope, or no longer: closes its port. */
void socket_release(struct socket *socket);
/* Whether it alone holds its port, and the last read shows another socket there of which it isn't
 * known yet whether it is in scope. */
bool socket_has_heir(const struct socket *socket);
/* Whether it is the one of the sockets that hold its port that stands for the port: the next event
 * names its owner. */
bool socket_is_named(const struct socket *socket);

#endif
