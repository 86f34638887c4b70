/* SPDX-License-Identifier: MIT */
/* ports.h - the ports of one subscription: what is open, and what its callback was told
 *
 * Pure bookkeeping: no I/O, no locks. A port is kept while it is open, or while the callback's last
 * word of it isn't "closed" yet. */
#ifndef PORTS_H
#define PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "watch/event.h"
#include "util/list.h"

struct port {
	uint64_t netns;               /* serial number of the namespace worker */
	struct portwatch_event event; /* the latest: its listener's address is the key */
	unsigned int sockets;         /* in scope that hold it; open while not 0 */
	unsigned int queued;          /* events about it in the queue */
	bool delivered;               /* the callback was told that it is open */
	struct list link;
};

struct ports {
	void *tree;       /* tsearch(3): by namespace, family, address, port number */
	struct list list; /* in the order of their making */
	size_t count;     /* of the list */
	struct event_queue queue;
	bool resync; /* the queue overflowed and was dropped: the difference is to be told */
};

void ports_init(struct ports *ports);
void ports_clear(struct ports *ports);
/* How many are kept. */
size_t ports_count(const struct ports *ports);

/* One more socket holds the port that the event describes: its first opens it, the event is kept
 * and queued. Returns the port, or NULL without memory. */
struct port *ports_open(struct ports *ports, uint64_t netns, const struct portwatch_event *event);

/* Its owner is another now, as the event says; for when it closes. */
void ports_owner(struct port *port, const struct portwatch_event *event);

/* One socket less; with the last one the port is closed and that is queued. */
void ports_close(struct ports *ports, struct port *port);

/* Takes the next event to tell. False when there is none. */
bool ports_next(struct ports *ports, struct portwatch_event *event);

/* Whether ports_next() would find something. */
bool ports_waiting(const struct ports *ports);

#endif
