/* SPDX-License-Identifier: MIT */
/* ports.h - the ports of one subscription: what is open, and what was delivered
 *
 * Pure bookkeeping: no I/O, no locks. A port is kept while it is open, or while the callback's last
 * word of it isn't "closed" yet. */
#ifndef PORTS_H
#define PORTS_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "portwatch.h"
#include "table/snapshot.h"
#include "util/list.h"

/* --- one event, and the queue in which events wait for delivery --- */

/* More events than this don't wait: the watcher resynchronises from state (see subscription.h). */
#define EVENT_QUEUE_MAX 16384

struct port;
struct event_life;

struct portwatch_event {
	enum portwatch_event_kind kind;
	struct listener listener; /* family 0 for the end */
	struct port *port;        /* what it is about; NULL for the end. Not for the callback. */
	uint64_t id;              /* of the port, from its open to its close; 0 for the end */
	uint64_t owner; /* tells apart the owners that a port had. Not for the callback. */
	char address[INET6_ADDRSTRLEN];
	pid_t pid;
	uint64_t start_time; /* of that process, clock ticks since boot; 0: not known */
	char process[64];
	unsigned int owners;
	uint64_t netns;
	uint64_t cookie;
	uint64_t realtime;
	uint64_t monotonic;
	bool initial;
	/* What makes it an object that the host can keep, see api/event.c; NULL while it waits. */
	struct event_life *life;
};

/* Sets the times to now and the text of the address. */
void event_stamp(struct portwatch_event *event);

/* A ring that grows up to EVENT_QUEUE_MAX. A zeroed one is empty. */
struct event_queue {
	struct portwatch_event *ring;
	size_t capacity; /* zero or a power of two */
	size_t head;
	size_t count;
};

/* Returns 0, -ENOMEM or -ENOBUFS (full). */
int event_queue_push(struct event_queue *queue, const struct portwatch_event *event);
/* Takes the oldest. False if there is none. */
bool event_queue_pop(struct event_queue *queue, struct portwatch_event *event);

/* --- ports --- */

struct port {
	uint64_t netns;               /* serial number of the namespace worker */
	struct portwatch_event event; /* the latest: its listener's address is the key */
	unsigned int sockets;         /* in scope that hold it; open while not 0 */
	unsigned int queued;          /* events about it in the queue; of no meaning in a resync */
	struct list waiting;          /* in ports->waiting, while the callback may know otherwise */
	bool delivered;               /* it was delivered that the port is open ... */
	uint64_t delivered_id;        /* ... with this id ... */
	uint64_t delivered_owner;     /* ... and with this owner */
	struct list link;
	/* The sockets that hold it, for the caller, who keeps them: those with a known owner, and
	 * the others; the longest held first. Initialised with the port, otherwise left alone. */
	struct list held;
	struct list ownerless;
};

struct ports {
	void *tree;       /* tsearch(3): by namespace, family, address, port number */
	struct list list; /* in the order of their making */
	struct event_queue queue;
	struct list waiting; /* ports with events in the queue, or changed since it was dropped */
	size_t waiting_count;
	uint64_t last_id;
	uint64_t last_owner;
	bool resync; /* the queue has overflowed and is dropped: instead of events, the difference
	                between what the callback knows and what is open is delivered */
	bool reports_owners; /* changes of owners are events, too */
};

void ports_init(struct ports *ports);
void ports_clear(struct ports *ports);
/* How many events ports_next() would find. */
size_t ports_pending(const struct ports *ports);

/* One more socket holds the port that the event describes: its first opens it, the event is kept
 * and queued. Returns the port, or NULL without memory. */
struct port *ports_open(struct ports *ports, uint64_t netns, const struct portwatch_event *event);

/* Whether a port is open. */
bool ports_has_open(const struct ports *ports, uint64_t netns, const struct listener *listener);

/* An open port has the owner and the socket that the event describes. If they are others than
 * before, the event is kept, and queued where that is wanted. Returns whether they are others. */
bool ports_owner(struct ports *ports, struct port *port, const struct portwatch_event *event);

/* One socket less; with the last one the port is closed and that is queued. The event names the
 * owner and the socket that were reported last, with the given name of the process (NULL: as it was
 * then). */
void ports_close(struct ports *ports, struct port *port, const char *process);

/* Takes the next event to deliver. False when there is none; in a resync also after so many ports
 * of which nothing is to be delivered: then ports_waiting() is true, and the caller, who holds the
 * lock, calls again after releasing it. */
#define PORTS_STEP 256
bool ports_next(struct ports *ports, struct portwatch_event *event);

/* Whether ports_next() would find something. */
bool ports_waiting(const struct ports *ports);

#endif
