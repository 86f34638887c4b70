/* SPDX-License-Identifier: MIT */
/* sockets.h - the listening sockets of one namespace in one subscription, and their ports
 *
 * A socket is pending while its holder is unknown: when it is new, and when all its known holders
 * are gone. The search then finds a holder (held), or finds none in scope (unattributed). */
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
	SOCKET_NEW,          /* pending: no process was scanned for it yet */
	SOCKET_OWNERLESS,    /* pending: all its holders are gone or have closed it */
	SOCKET_HELD,         /* a process in scope holds it */
	SOCKET_UNATTRIBUTED, /* no process in scope is known to hold it */
};

/* A listening socket on an address that the subscription reports. */
struct socket {
	struct listener listener;
	enum socket_state state;
	bool dropped;        /* has stopped listening */
	unsigned int misses; /* number of reads that showed it ownerless */
	uint64_t last_miss;  /* the number of the last such read */
	uint64_t scan;       /* the last scan of the trees that had begun when it became pending */
	uint64_t seen;       /* when the first read that showed it was requested, CLOCK_MONOTONIC */
	uint64_t pending_read; /* the number of the last read that was requested while it was
	                          pending */
	uint64_t since;        /* the last search that had begun when it became pending */
	unsigned int chases;   /* how often all its holders had exited before the report */
	struct port *port;     /* its port, if it is in scope ... */
	struct list of_port;   /* ... and its position among the sockets of the port */
	struct holder_set holders;
	bool hidden; /* its port is not reported, because too many are open */
	struct view *view;
	struct list link;          /* in view->sockets or view->dropped */
	struct list of_work;       /* in pending_sockets or changed_sockets of the subscription */
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
	struct list sockets; /* in the order of their appearance */
	struct list
		dropped; /* sockets that have stopped listening, while their ports are undecided */
	struct burst burst;
	uint64_t after; /* ready after the first complete read whose request has a higher number */
	bool ready;
	bool joined;    /* created during the start: the start does not wait for it */
	bool late;      /* rows were missing when it was created, which may appear again */
	bool marked;    /* set by placement.c: a member lives there ... */
	size_t members; /* ... and how many do */
	struct process *exit_member; /* set by placement.c: one of these members */
	uint64_t exit_start;         /* start time of exit_member */
	pid_t watch_exit;            /* a member there whose exit is watched ... */
	struct source exit;          /* ... with its pidfd */
};

/* The view of a namespace; NULL if there is none. */
struct view *view_find_netns(const struct subscription *subscription, const struct netns_id *id);
/* The view of a namespace, which is created if there is none. NULL without memory. */
struct view *view_get(struct subscription *subscription, struct netns *ns);
/* Frees a view, and with close_ports closes its ports. */
void view_free(struct view *view, bool close_ports);
/* A member there was found, or has called exec: its namespace is read often for a while. */
void view_started(const struct subscription *subscription, const struct process *process);
/* A change in the namespace of the view. */
void view_change(struct view *view, enum snapshot_change change, const struct listener *listener);
/* The evaluation of a large table begins: the changes follow in slices. */
void view_begins(struct view *view);
/* A complete read was evaluated. */
void view_completed(struct view *view);
/* A socket that the last reads show; NULL if there is none. */
struct socket *view_find(const struct view *view, const struct listener *listener);
/* Called after a search for owners: closes the ports of dropped sockets, unless the last read shows
 * pending sockets on the same ports. */
void view_resolve(struct view *view);
/* Whether a port of the namespace is in scope. This is possible even if no member lives there any
 * more, because the owner may have moved. */
bool view_holds_ports(const struct view *view);

static inline bool socket_is_pending(const struct socket *socket)
{
	return socket->state == SOCKET_NEW || socket->state == SOCKET_OWNERLESS;
}

/* Makes a socket pending. */
void socket_set_pending(struct socket *socket, enum socket_state state);
/* The holders of a socket are known: opens its port, or reports a change of its owner. */
void socket_hold(struct socket *socket);
/* All known holders of a socket are gone or have closed it: the other processes are scanned after
 * the next reads. */
void socket_lose_owner(struct socket *socket);
/* No holder of a socket is known, but the scope counts it: opens its port without an owner. */
void socket_show(struct socket *socket);
/* A socket is not in scope, or no longer: closes its port. */
void socket_release(struct socket *socket);
/* Whether a socket alone holds its port, and the last read shows another, pending socket on the
 * port. */
bool socket_has_heir(const struct socket *socket);
/* Whether a socket represents its port: the next event names its owner. */
bool socket_is_named(const struct socket *socket);

#endif
