/* SPDX-License-Identifier: MIT */
/* ports.c - the ports of one subscription, and the events about them */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "util/number.h"
#include "watch/ports.h"

/* --- the queue of events --- */

/* The room for events that is kept after all are delivered: 27 KiB. */
#define EVENT_QUEUE_KEPT 128

/* inet_ntop(3) uses stdio for IPv4, see decimal_write_path(). */
static void write_ipv4(char *text, const uint8_t *address)
{
	for (int i = 0; i < 4; i++) {
		text = decimal_write(text, address[i]);
		*text++ = i < 3 ? '.' : '\0';
	}
}

void event_stamp(struct portwatch_event *event)
{
	event->realtime = clock_now(CLOCK_REALTIME);
	event->monotonic = clock_now(CLOCK_MONOTONIC);
	if (event->listener.family == AF_INET)
		write_ipv4(event->address, event->listener.address);
	else if (event->listener.family == 0 ||
	         !inet_ntop(event->listener.family, event->listener.address, event->address,
	                    sizeof(event->address)))
		event->address[0] = '\0';
}

static int grow(struct event_queue *queue)
{
	size_t capacity = queue->capacity ? queue->capacity * 2 : 16;
	struct portwatch_event *ring;

	if (capacity > EVENT_QUEUE_MAX)
		return -ENOBUFS;
	ring = malloc(capacity * sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (size_t i = 0; i < queue->count; i++)
		ring[i] = queue->ring[(queue->head + i) & (queue->capacity - 1)];
	free(queue->ring);
	queue->ring = ring;
	queue->capacity = capacity;
	queue->head = 0;
	return 0;
}

int event_queue_push(struct event_queue *queue, const struct portwatch_event *event)
{
	if (queue->count == queue->capacity) {
		int result = grow(queue);

		if (result < 0)
			return result;
	}
	queue->ring[(queue->head + queue->count) & (queue->capacity - 1)] = *event;
	queue->count++;
	return 0;
}

static void clear_queue(struct event_queue *queue)
{
	free(queue->ring);
	memset(queue, 0, sizeof(*queue));
}

bool event_queue_pop(struct event_queue *queue, struct portwatch_event *event)
{
	if (queue->count == 0)
		return false;
	*event = queue->ring[queue->head];
	queue->head = (queue->head + 1) & (queue->capacity - 1);
	queue->count--;
	/* The memory of a burst is freed after the burst. */
	if (queue->count == 0 && queue->capacity > EVENT_QUEUE_KEPT)
		clear_queue(queue);
	return true;
}

/* --- ports --- */

static int compare(const void *left, const void *right)
{
	const struct port *a = left, *b = right;
	const struct listener *x = &a->event.listener, *y = &b->event.listener;

	if (a->netns != b->netns)
		return a->netns < b->netns ? -1 : 1;
	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return memcmp(x->address, y->address, sizeof(x->address));
}

static void begin_waiting(struct ports *ports, struct port *port)
{
	if (!list_empty(&port->waiting))
		return;
	list_append(&ports->waiting, &port->waiting);
	ports->waiting_count++;
}

static void end_waiting(struct ports *ports, struct port *port)
{
	if (list_empty(&port->waiting))
		return;
	list_remove(&port->waiting);
	ports->waiting_count--;
}

static void destroy(struct ports *ports, struct port *port)
{
	tdelete(port, &ports->tree, compare);
	end_waiting(ports, port);
	list_remove(&port->link);
	free(port);
}

/* During a resynchronisation no event refers to the port, so it is freed if there is no difference
 * to deliver. */
static void destroy_if_delivered(struct ports *ports, struct port *port)
{
	if (port->sockets == 0 && !port->delivered && (port->queued == 0 || ports->resync))
		destroy(ports, port);
}

void ports_init(struct ports *ports)
{
	memset(ports, 0, sizeof(*ports));
	list_init(&ports->list);
	list_init(&ports->waiting);
}

void ports_clear(struct ports *ports)
{
	struct port *port;

	list_each (port, &ports->list, struct port, link)
		destroy(ports, port);
	clear_queue(&ports->queue);
	ports->resync = false;
}

size_t ports_pending(const struct ports *ports)
{
	return ports->resync ? ports->waiting_count : ports->queue.count;
}

/* Queues an event. If the queue overflows, it is dropped: the list of waiting ports contains all
 * ports whose state the callback may not know. No walk over all ports is needed, which would take
 * too long with the library's lock held. */
static void announce(struct ports *ports, struct port *port, enum portwatch_event_kind kind)
{
	port->event.kind = kind;
	begin_waiting(ports, port);
	if (!ports->resync && event_queue_push(&ports->queue, &port->event) == 0) {
		port->queued++;
		return;
	}
	if (!ports->resync)
		clear_queue(&ports->queue);
	ports->resync = true;
	destroy_if_delivered(ports, port);
}

static struct port *make(struct ports *ports, const struct port *key)
{
	struct port *port = malloc(sizeof(*port));

	if (!port)
		return NULL;
	*port = *key;
	if (!tsearch(port, &ports->tree, compare)) {
		free(port);
		return NULL;
	}
	list_append(&ports->list, &port->link);
	list_init(&port->waiting);
	list_init(&port->held);
	list_init(&port->ownerless);
	return port;
}

bool ports_has_open(const struct ports *ports, uint64_t netns, const struct listener *listener)
{
	struct port key = {.netns = netns, .event.listener = *listener};
	struct port **found = tfind(&key, &ports->tree, compare);

	return found && (*found)->sockets > 0;
}

struct port *ports_open(struct ports *ports, uint64_t netns, const struct portwatch_event *event)
{
	struct port key = {.netns = netns, .event = *event};
	struct port **found = tfind(&key, &ports->tree, compare);
	struct port *port = found ? *found : make(ports, &key);

	if (!port)
		return NULL;
	if (port->sockets++ == 0) {
		port->event = *event;
		port->event.port = port;
		port->event.id = ++ports->last_id;
		port->event.owner = ++ports->last_owner;
		announce(ports, port, PORTWATCH_EVENT_OPEN);
	}
	return port;
}

static bool same_owner(const struct portwatch_event *a, const struct portwatch_event *b)
{
	return a->pid == b->pid && a->start_time == b->start_time && a->owners == b->owners &&
	       a->listener.inode == b->listener.inode && strcmp(a->process, b->process) == 0;
}

bool ports_owner(struct ports *ports, struct port *port, const struct portwatch_event *event)
{
	struct portwatch_event *known = &port->event;
	bool same = same_owner(known, event);

	known->listener = event->listener; /* a later read may add its cookie */
	if (same)
		return false;
	known->pid = event->pid;
	known->start_time = event->start_time;
	known->owners = event->owners;
	memcpy(known->process, event->process, sizeof(known->process));
	known->owner = ++ports->last_owner;
	if (!ports->reports_owners)
		return true;
	known->initial = false;
	event_stamp(known);
	announce(ports, port, PORTWATCH_EVENT_OWNER);
	return true;
}

void ports_close(struct ports *ports, struct port *port, const char *process)
{
	if (--port->sockets > 0)
		return;
	if (process)
		snprintf(port->event.process, sizeof(port->event.process), "%s", process);
	port->event.initial = false;
	event_stamp(&port->event);
	announce(ports, port, PORTWATCH_EVENT_CLOSE);
}

/* Sets the event of a port to the difference between the delivered state and the present state.
 * Returns false if there is no difference. A port that has closed and opened again meanwhile was
 * open all the time from the callback's view. */
static bool choose_difference(const struct ports *ports, struct port *port)
{
	bool open = port->sockets > 0;

	if (port->delivered)
		port->event.id = port->delivered_id;
	if (open != port->delivered)
		port->event.kind = open ? PORTWATCH_EVENT_OPEN : PORTWATCH_EVENT_CLOSE;
	else
		port->event.kind = PORTWATCH_EVENT_OWNER;
	return open != port->delivered ||
	       (open && ports->reports_owners && port->event.owner != port->delivered_owner);
}

/* Takes the event of the next port with a difference. */
static bool take_difference(struct ports *ports, struct portwatch_event *event)
{
	for (int i = 0; i < PORTS_STEP && !list_empty(&ports->waiting); i++) {
		struct port *port = container_of(ports->waiting.next, struct port, waiting);

		end_waiting(ports, port);
		port->queued = 0;
		if (choose_difference(ports, port)) {
			*event = port->event;
			return true;
		}
		destroy_if_delivered(ports, port);
	}
	return false;
}

static bool take_queued(struct ports *ports, struct portwatch_event *event)
{
	if (!event_queue_pop(&ports->queue, event))
		return false;
	if (--event->port->queued == 0)
		end_waiting(ports, event->port);
	return true;
}

bool ports_next(struct ports *ports, struct portwatch_event *event)
{
	bool any = ports->resync ? take_difference(ports, event) : take_queued(ports, event);
	struct port *port;

	if (list_empty(&ports->waiting))
		ports->resync = false;
	if (!any)
		return false;
	port = event->port;
	port->delivered = event->kind != PORTWATCH_EVENT_CLOSE;
	port->delivered_id = event->id;
	port->delivered_owner = event->owner;
	destroy_if_delivered(ports, port);
	event->port = NULL;
	return true;
}

bool ports_waiting(const struct ports *ports)
{
	return !list_empty(&ports->waiting);
}
