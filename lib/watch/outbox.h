/* SPDX-License-Identifier: MIT */
/* outbox.h - the ports and events of one watcher
 *
 * The only object that the monitor thread and the threads of the host share. The library's lock
 * (util/lock.h) guards all members. The functions for the monitor thread take the lock themselves;
 * the functions for host threads require that the caller holds it. */
#ifndef OUTBOX_H
#define OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "watch/log.h"
#include "watch/ports.h"

struct outbox {
	unsigned int references; /* of the watcher, and of the subscription while it exists */
	struct ports ports;
	struct portwatch_event end; /* valid when `ended` is set */
	bool decided;               /* the start has succeeded or failed */
	int result;                 /* of the start: 0 or a negative errno */
	size_t initial;             /* the number of events that waited at this time */
	bool ended;
	bool end_taken;
	bool closed;          /* the watcher is stopped: later events are dropped */
	bool woken;           /* wake() was called, and the events were not taken since */
	char error[LOG_TEXT]; /* the last error or warning (watch/log.h); "": none */
	/* Called with the lock held when an event waits; must not block. */
	void (*wake)(struct outbox *outbox, void *data);
	void *data;
};

/* Returns a new outbox with one reference for the caller; NULL without memory. */
struct outbox *outbox_new(void (*wake)(struct outbox *outbox, void *data), void *data);

/* --- for the monitor thread, without the lock --- */

/* These functions call ports_open(), ports_close() and ports_owner(), and wake the host if a new
 * event waits. */
struct port *outbox_open(struct outbox *outbox, uint64_t netns,
                         const struct portwatch_event *event);
void outbox_close(struct outbox *outbox, struct port *port, const char *process);
bool outbox_owner(struct outbox *outbox, struct port *port, const struct portwatch_event *event);
/* The start has succeeded (0) or failed. Wakes the thread that waits in portwatch_start(). */
void outbox_decide(struct outbox *outbox, int result);
/* Queues the end event, which is the last one. */
void outbox_end(struct outbox *outbox, const struct portwatch_event *event);
/* Wakes the host again if an event waits that could not be taken because there was no memory. */
void outbox_retry(struct outbox *outbox);
/* Whether the port of a listener is open. */
bool outbox_has_open(struct outbox *outbox, uint64_t netns, const struct listener *listener);
/* Describes an open port for portwatch_each_port(): as an open event with the id of the port's
 * events. */
void outbox_describe(const struct port *port, struct portwatch_event *event);
/* Releases the reference of the subscription. */
void outbox_release(struct outbox *outbox);

/* --- for the threads of the host, with the lock held --- */

/* Takes the next event. Returns false if there is none, or in the other case that ports_next()
 * describes. */
bool outbox_take(struct outbox *outbox, struct portwatch_event *event);
/* Whether an event waits for outbox_take(). */
bool outbox_waiting(const struct outbox *outbox);
/* Drops the waiting and all later events. */
void outbox_shut(struct outbox *outbox);
/* Releases a reference. Returns true if it was the last: the caller then calls outbox_free()
 * without the lock. */
bool outbox_unref(struct outbox *outbox);
void outbox_free(struct outbox *outbox);

#endif
