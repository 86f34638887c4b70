/* SPDX-License-Identifier: MIT */
/* turns.h - whose namespaces are read next
 *
 * Each watcher has a turn: a queue of the namespaces that are to be read for it, and a budget of
 * time. The turns with work are served in rotation, one namespace at a time, so that a tree with
 * thousands of namespaces delays the others by one of them. Pure bookkeeping, no I/O. */
#ifndef TURNS_H
#define TURNS_H

#include <stdint.h>

#include "util/list.h"

/* How urgent a read is. The less urgent ones get each fourth place, so that they are never
 * starved. */
enum urgency {
	URGENCY_REPORTED,      /* the kernel has reported something there */
	URGENCY_REPORTED_FORK, /* ... and a reader must be opened, for which a helper may be forked
	                        */
	URGENCY_USUAL,         /* a reader is open */
	URGENCY_FORK,          /* a reader must be opened */
	URGENCIES,
};

/* The turns that have work, in the order in which they are served. */
struct turns {
	struct list list;
	/* The most reads of one watcher that may be under way at once: fewer than there may be
	 * helpers, so that a tree whose helpers do not answer leaves some to the others. */
	unsigned int reads_max;
};

/* The turn of one watcher. */
struct turn {
	struct list link; /* in turns->list, while a queue is not empty */
	struct list queues[URGENCIES];
	struct list taken;  /* those of which the read has begun and not ended */
	unsigned int reads; /* the length of this list */
	unsigned int served;
	uint64_t used;     /* of the budget, in ns */
	uint64_t counted;  /* CLOCK_MONOTONIC: the budget was filled up to this time */
	uint64_t earliest; /* CLOCK_MONOTONIC: not served before */
	bool unlimited;    /* the watcher starts: its budget does not count yet */
};

/* Member of what is queued. */
struct turn_place {
	struct list link;
	struct turn *turn; /* NULL: in no queue */
	enum urgency urgency;
	bool taken; /* the read has begun */
};

void turns_init(struct turns *turns);
void turn_init(struct turn *turn);
/* Takes everything out of the queues of a turn that ends. Each place is passed to `sink`. */
void turn_end(struct turn *turn, void (*sink)(void *data, struct turn_place *place), void *data);

void turn_place_init(struct turn_place *place);
/* Whether it waits in a queue. */
static inline bool turn_place_waits(const struct turn_place *place)
{
	return place->turn && !place->taken;
}
/* Appends a place to a queue; one that waits already moves if it is more urgent now. */
void turns_add(struct turns *turns, struct turn *turn, struct turn_place *place,
               enum urgency urgency);
/* Takes the next place out of the queue of the next turn that may be served at `now`. NULL: there
 * is none. The place remains with its turn until turn_place_remove(). */
struct turn_place *turns_take(struct turns *turns, uint64_t now);
/* Removes a place, wherever it is. */
void turn_place_remove(struct turn_place *place);
/* Puts a place that was taken back at the end of its queue, because there is no room for a helper.
 * If nothing with a reader waits, whose read makes room, its turn is not served before `until`. */
void turns_put_back(struct turns *turns, struct turn_place *place, enum urgency urgency,
                    uint64_t until);
/* Work for a turn has taken this time, in ns, until `now`. turn NULL allowed. */
void turn_charge(struct turn *turn, uint64_t took, uint64_t now);
/* When a turn may be served next; UINT64_MAX: none has work. */
uint64_t turns_due(const struct turns *turns);

#endif
