/* SPDX-License-Identifier: MIT */
/* event.c - one event, and the bounded queue in which events wait for delivery */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/clock.h"
#include "watch/event.h"

/* Room for so many events is kept when all are delivered: 27 KiB. */
#define EVENT_QUEUE_KEPT 128

void event_stamp(struct portwatch_event *event)
{
	event->realtime = clock_now(CLOCK_REALTIME);
	event->monotonic = clock_now(CLOCK_MONOTONIC);
	if (event->listener.family == 0 ||
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

bool event_queue_pop(struct event_queue *queue, struct portwatch_event *event)
{
	if (queue->count == 0)
		return false;
	*event = queue->ring[queue->head];
	queue->head = (queue->head + 1) & (queue->capacity - 1);
	queue->count--;
	/* A burst must not hold its memory for months. */
	if (queue->count == 0 && queue->capacity > EVENT_QUEUE_KEPT)
		event_queue_clear(queue);
	return true;
}

void event_queue_clear(struct event_queue *queue)
{
	free(queue->ring);
	memset(queue, 0, sizeof(*queue));
}
