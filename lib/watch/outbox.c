/* SPDX-License-Identifier: MIT */
/* outbox.c - the ports and events of one watcher */
#include <stdlib.h>

#include "util/lock.h"
#include "watch/outbox.h"

struct outbox *outbox_new(void (*wake)(struct outbox *outbox, void *data), void *data)
{
	struct outbox *outbox = calloc(1, sizeof(*outbox));

	if (!outbox)
		return NULL;
	outbox->references = 1;
	outbox->wake = wake;
	outbox->data = data;
	ports_init(&outbox->ports);
	return outbox;
}

static void wake(struct outbox *outbox)
{
	if (outbox->woken || !outbox_waiting(outbox))
		return;
	outbox->woken = true;
	outbox->wake(outbox, outbox->data);
}

struct port *outbox_open(struct outbox *outbox, uint64_t netns, const struct portwatch_event *event)
{
	struct port *port;

	library_lock();
	port = ports_open(&outbox->ports, netns, event);
	wake(outbox);
	library_unlock();
	return port;
}

void outbox_close(struct outbox *outbox, struct port *port, const char *process)
{
	library_lock();
	ports_close(&outbox->ports, port, process);
	wake(outbox);
	library_unlock();
}

bool outbox_owner(struct outbox *outbox, struct port *port, const struct portwatch_event *event)
{
	bool changed;

	library_lock();
	changed = ports_owner(&outbox->ports, port, event);
	wake(outbox);
	library_unlock();
	return changed;
}

void outbox_decide(struct outbox *outbox, int result)
{
	library_lock();
	outbox->decided = true;
	outbox->result = result;
	outbox->initial = ports_pending(&outbox->ports);
	wake(outbox);
	library_notify();
	library_unlock();
}

void outbox_end(struct outbox *outbox, const struct portwatch_event *event)
{
	library_lock();
	outbox->end = *event;
	outbox->ended = true;
	wake(outbox);
	library_unlock();
}

void outbox_retry(struct outbox *outbox)
{
	library_lock();
	wake(outbox);
	library_unlock();
}

bool outbox_has_open(struct outbox *outbox, uint64_t netns, const struct listener *listener)
{
	bool open;

	library_lock();
	open = ports_has_open(&outbox->ports, netns, listener);
	library_unlock();
	return open;
}

/* A delivery may change the port meanwhile, so the lock is needed. */
void outbox_describe(const struct port *port, struct portwatch_event *event)
{
	library_lock();
	*event = port->event;
	if (port->delivered)
		event->id = port->delivered_id;
	library_unlock();
	event->kind = PORTWATCH_EVENT_OPEN;
	event->port = NULL;
}

void outbox_release(struct outbox *outbox)
{
	bool last;

	library_lock();
	last = outbox_unref(outbox);
	library_unlock();
	if (last)
		outbox_free(outbox);
}

bool outbox_take(struct outbox *outbox, struct portwatch_event *event)
{
	if (!outbox_waiting(outbox))
		return false;
	if (ports_next(&outbox->ports, event))
		return true;
	/* The ports come before the end. */
	if (ports_waiting(&outbox->ports))
		return false;
	*event = outbox->end;
	outbox->end_taken = true;
	return true;
}

/* A start that fails must report no event, so no event is available until the start is decided. */
bool outbox_waiting(const struct outbox *outbox)
{
	if (!outbox->decided || outbox->result < 0 || outbox->closed)
		return false;
	return ports_waiting(&outbox->ports) || (outbox->ended && !outbox->end_taken);
}

void outbox_shut(struct outbox *outbox)
{
	outbox->closed = true;
}

bool outbox_unref(struct outbox *outbox)
{
	return --outbox->references == 0;
}

void outbox_free(struct outbox *outbox)
{
	ports_clear(&outbox->ports);
	free(outbox);
}
