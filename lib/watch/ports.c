/* SPDX-License-Identifier: MIT */
/* ports.c - the ports of one subscription: what is open, and what its callback was told */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "watch/ports.h"

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

static void destroy(struct ports *ports, struct port *port)
{
	tdelete(port, &ports->tree, compare);
	list_remove(&port->link);
	ports->count--;
	free(port);
}

static void destroy_if_settled(struct ports *ports, struct port *port)
{
	if (port->sockets == 0 && port->queued == 0 && !port->delivered)
		destroy(ports, port);
}

void ports_init(struct ports *ports)
{
	memset(ports, 0, sizeof(*ports));
	list_init(&ports->list);
}

void ports_clear(struct ports *ports)
{
	struct port *port;

	list_each (port, &ports->list, struct port, link)
		destroy(ports, port);
	event_queue_clear(&ports->queue);
	ports->resync = false;
}

size_t ports_count(const struct ports *ports)
{
	return ports->count;
}

/* Drops what waits; the callback's knowledge stays what was delivered. */
static void overflow(struct ports *ports)
{
	struct port *port;

	event_queue_clear(&ports->queue);
	ports->resync = true;
	list_each (port, &ports->list, struct port, link) {
		port->queued = 0;
		destroy_if_settled(ports, port);
	}
}

static void announce(struct ports *ports, struct port *port)
{
	if (ports->resync)
		return;
	if (event_queue_push(&ports->queue, &port->event) == 0)
		port->queued++;
	else
		overflow(ports);
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
	ports->count++;
	return port;
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
		announce(ports, port);
	}
	return port;
}

void ports_owner(struct port *port, const struct portwatch_event *event)
{
	port->event.pid = event->pid;
	port->event.owners = event->owners;
	memcpy(port->event.process, event->process, sizeof(port->event.process));
}

void ports_close(struct ports *ports, struct port *port)
{
	if (--port->sockets > 0)
		return;
	port->event.kind = PORTWATCH_EVENT_CLOSE;
	port->event.initial = false;
	event_stamp(&port->event);
	/* During a resync nobody else would settle a port that was never told. */
	if (ports->resync)
		destroy_if_settled(ports, port);
	else
		announce(ports, port);
}

/* Queues the difference between what is open and what was delivered. */
static void resynchronise(struct ports *ports)
{
	struct port *port;

	list_each (port, &ports->list, struct port, link) {
		if (port->queued > 0 || (port->sockets > 0) == port->delivered)
			continue;
		if (event_queue_push(&ports->queue, &port->event) < 0)
			return; /* the rest when these are delivered */
		port->queued++;
	}
	ports->resync = false;
}

bool ports_next(struct ports *ports, struct portwatch_event *event)
{
	struct port *port;

	if (ports->queue.count == 0 && ports->resync)
		resynchronise(ports);
	if (!event_queue_pop(&ports->queue, event))
		return false;
	port = event->port;
	port->queued--;
	port->delivered = event->kind == PORTWATCH_EVENT_OPEN;
	destroy_if_settled(ports, port);
	event->port = NULL;
	return true;
}

bool ports_waiting(const struct ports *ports)
{
	return ports->queue.count > 0 || ports->resync;
}
