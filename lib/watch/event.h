/* SPDX-License-Identifier: MIT */
/* event.h - one event, and the bounded queue in which events wait for delivery */
#ifndef EVENT_H
#define EVENT_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>

#include "table/listener.h"
#include "portwatch.h"

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
void event_queue_clear(struct event_queue *queue);

#endif
