/* SPDX-License-Identifier: MIT */
/* ports.h - the ports of one subscription, and the events about them
 *
 * Pure bookkeeping: no I/O, no locks. A port is kept while it is open, and until its close event is
 * delivered. */
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

/* The most events that wait. With more, the queue is dropped and the differences are delivered
 * (resynchronisation). */
#define EVENT_QUEUE_MAX 16384

struct port;
struct event_life;

struct portwatch_event {
	enum portwatch_event_kind kind;
	struct listener listener; /* family 0 for the end event */
	struct port *port;        /* its port; NULL for the end event. Not for the callback. */
	uint64_t id;              /* of the port, from its open to its close; 0 for the end event */
	uint64_t owner; /* a number for each owner that the port has had. Not for the callback. */
	char address[INET6_ADDRSTRLEN];
	pid_t pid;
	uint64_t start_time; /* of this process, clock ticks since boot; 0: unknown */
	char process[64];
	unsigned int owners;
	uint64_t netns;
	uint64_t cookie;
	uint64_t realtime;
	uint64_t monotonic;
	bool initial;
	/* The reference count and the text for the host, see api/event.c; NULL while the event
	 * waits. */
	struct event_life *life;
};

/* Sets the times to the present time, and the text of the address. */
void event_stamp(struct portwatch_event *event);

/* A ring that grows up to EVENT_QUEUE_MAX. Zero bytes mean empty. */
struct event_queue {
	struct portwatch_event *ring;
	size_t capacity; /* zero or a power of two */
	size_t head;
	size_t count;
};

/* Returns 0, -ENOMEM or -ENOBUFS (full). */
int event_queue_push(struct event_queue *queue, const struct portwatch_event *event);
/* Takes the oldest event. Returns false if there is none. */
bool event_queue_pop(struct event_queue *queue, struct portwatch_event *event);

/* --- ports --- */

struct port {
	uint64_t netns;               /* serial number of the namespace worker */
	struct portwatch_event event; /* the latest event: the address of its listener is the key */
	unsigned int sockets;  /* number of sockets in scope that hold it; open while not 0 */
	unsigned int queued;   /* events about it in the queue; unused during a resynchronisation */
	struct list waiting;   /* in ports->waiting, while the callback may not know its state */
	bool delivered;        /* the callback knows that the port is open ... */
	uint64_t delivered_id; /* ... with this id ... */
	uint64_t delivered_owner; /* ... and with this owner */
	struct list link;
	/* The sockets that hold the port, maintained by the caller: those with a known owner, and
	 * the others; the longest held first. This file only initializes the lists. */
	struct list held;
	struct list ownerless;
};

struct ports {
	void *tree;       /* tsearch(3): by namespace, family, address, port number */
	struct list list; /* in the order of their creation */
	struct event_queue queue;
	struct list waiting; /* ports with events in the queue, or changed since the queue was
	                        dropped */
	size_t waiting_count;
	uint64_t last_id;
	uint64_t last_owner;
	bool resync; /* the queue has overflowed and was dropped: the differences between the state
	                that the callback knows and the present state are delivered instead */
	bool reports_owners; /* changes of owners are events too */
};

void ports_init(struct ports *ports);
void ports_clear(struct ports *ports);
/* The number of events that ports_next() would return. */
size_t ports_pending(const struct ports *ports);

/* Adds a socket to the port that the event describes. The first socket opens the port: the event is
 * stored and queued. Returns the port, or NULL without memory. */
struct port *ports_open(struct ports *ports, uint64_t netns, const struct portwatch_event *event);

/* Whether a port is open. */
bool ports_has_open(const struct ports *ports, uint64_t netns, const struct listener *listener);

/* Sets the owner and socket of an open port to those of the event. If they have changed, the event
 * is stored, and queued if owner events are wanted. Returns whether they have changed. */
bool ports_owner(struct ports *ports, struct port *port, const struct portwatch_event *event);

/* Removes a socket from a port. The last socket closes the port, and the close event is queued. It
 * names the owner and the socket that were reported last, with the given name of the process (NULL:
 * the name that was reported last). */
void ports_close(struct ports *ports, struct port *port, const char *process);

/* Takes the next event to deliver. Returns false if there is none. During a resynchronisation it
 * also returns false after PORTS_STEP ports without a difference: then ports_waiting() is true, and
 * the caller releases the lock and calls again. */
#define PORTS_STEP 256
bool ports_next(struct ports *ports, struct portwatch_event *event);

/* Whether an event waits for ports_next(). */
bool ports_waiting(const struct ports *ports);

#endif
