/* SPDX-License-Identifier: MIT */
/* outbox.h - what the monitor has for one watcher: its ports, and the events that wait for delivery
 *
 * The only object that the monitor thread and the threads of the host share. The library's lock
 * (util/lock.h) guards all of it; the functions for the monitor take the lock themselves, those for
 * the host's side want it held. */
#ifndef OUTBOX_H
#define OUTBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "watch/log.h"
#include "watch/ports.h"

struct outbox {
	unsigned int references; /* the watcher's, and the subscription's while there is one */
	struct ports ports;
	struct portwatch_event end; /* when ended is set */
	bool decided;               /* the start has succeeded or failed: */
	int result;                 /* 0 or a negative errno */
	size_t initial;             /* how many events waited then */
	bool ended;
	bool end_taken;
	bool closed;          /* the watcher is stopped: nothing more is wanted */
	bool woken;           /* wake() was called, and what waits was not taken since */
	char error[LOG_TEXT]; /* the last error or warning (watch/log.h); "": none */
	/* Called with the lock held when something waits; must not block. */
	void (*wake)(struct outbox *outbox, void *data);
	void *data;
};

/* A reference for the caller; NULL without memory. */
struct outbox *outbox_new(void (*wake)(struct outbox *outbox, void *data), void *data);

/* --- for the monitor thread, without the lock --- */

/* ports_open(), ports_close() and ports_owner() of the outbox, with a wake where that is new. */
struct port *outbox_open(struct outbox *outbox, uint64_t netns,
                         const struct portwatch_event *event);
void outbox_close(struct outbox *outbox, struct port *port, const char *process);
bool outbox_owner(struct outbox *outbox, struct port *port, const struct portwatch_event *event);
/* The start has succeeded (0) or failed. Wakes who waits in portwatch_start(). */
void outbox_decide(struct outbox *outbox, int result);
/* The last event: there will be no other. */
void outbox_end(struct outbox *outbox, const struct portwatch_event *event);
/* Wakes again where something waits that could not be taken for want of memory. */
void outbox_retry(struct outbox *outbox);
/* Whether the port of a listener is open. */
bool outbox_has_open(struct outbox *outbox, uint64_t netns, const struct listener *listener);
/* Describes an open port as portwatch_each_port() does: by the id that its events have, and as an
 * event of its opening. */
void outbox_describe(const struct port *port, struct portwatch_event *event);
/* Gives back the subscription's reference. */
void outbox_release(struct outbox *outbox);

/* --- for the threads of the host, with the lock held --- */

/* Takes the next event. False when there is none, or as ports_next() says. */
bool outbox_take(struct outbox *outbox, struct portwatch_event *event);
/* Whether outbox_take() would find something. */
bool outbox_waiting(const struct outbox *outbox);
/* Nothing more is wanted: forgets what waits. */
void outbox_shut(struct outbox *outbox);
/* Gives back a reference. True if that was the last: outbox_free(), without the lock, is next. */
bool outbox_unref(struct outbox *outbox);
void outbox_free(struct outbox *outbox);

#endif
