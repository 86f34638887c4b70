/* SPDX-License-Identifier: MIT */
/* turns.h - a fair queue of the namespaces that must be read
 *
 * Each watcher has a turn: its queues of namespaces that must be read, and a budget of time. The
 * turns with work are served in rotation, one namespace at a time, so that a tree with thousands of
 * namespaces delays the other trees by the read of one namespace. The module makes no system call
 * and owns none of the places. */
#ifndef TURNS_H
#define TURNS_H

#include <stdint.h>

#include "util/list.h"

/* The urgency of a read. Every fourth read is one of the less urgent kinds, so that these reads
 * always make progress. */
enum urgency {
	URGENCY_REPORTED,      /* the kernel has reported an event in the namespace */
	URGENCY_REPORTED_FORK, /* ... and a reader must be opened, which can fork a helper */
	URGENCY_USUAL,         /* a reader is open */
	URGENCY_FORK,          /* a reader must be opened */
	URGENCIES,
};

/* The turns that have work, in the order in which they are served next. */
struct turns {
	struct list list;
	uint64_t now; /* CLOCK_MONOTONIC at the last turns_take() */
	/* The limit of pending reads of one watcher. The limit is lower than the limit of helpers,
	 * so that a tree whose helpers do not answer leaves some helpers to other trees. */
	unsigned int reads_max;
};

/* The turn of one watcher. */
struct turn {
	struct list link; /* in turns->list, while a queue is not empty */
	struct list queues[URGENCIES];
	struct list taken;    /* places whose read has begun and not ended */
	unsigned int reads;   /* the length of this list */
	unsigned int waiting; /* the number of places in all queues */
	unsigned int served;  /* number of places taken so far */
	uint64_t used;        /* of the budget, in ns */
	uint64_t counted;     /* CLOCK_MONOTONIC: the budget was filled up to this time */
	uint64_t earliest;    /* CLOCK_MONOTONIC: the turn is not served earlier */
	bool unlimited;       /* the watcher is starting: no budget applies */
};

/* A member of each object that can be queued. */
struct turn_place {
	struct list link;
	struct turn *turn; /* NULL: in no queue */
	enum urgency urgency;
	bool taken; /* the read has begun */
};

void turns_init(struct turns *turns);
void turn_init(struct turn *turn);
/* Removes all places from a turn that ends, and passes each place to `sink`. */
void turn_end(struct turn *turn, void (*sink)(void *data, struct turn_place *place), void *data);

void turn_place_init(struct turn_place *place);
/* Returns whether the place waits in a queue. */
static inline bool turn_place_waits(const struct turn_place *place)
{
	return place->turn && !place->taken;
}
/* Returns when a turn may be served; UINT64_MAX: not before one of its reads has ended. */
uint64_t turn_due(const struct turns *turns, const struct turn *turn);
/* Returns whether a new place of `turn` is served before a new place of `other`: the turn may be
 * served sooner, or as soon and fewer places wait in its queues. */
bool turn_is_sooner(const struct turns *turns, const struct turn *turn, const struct turn *other);
/* Appends a place to a queue. A place that already waits moves if it is more urgent now, or if this
 * turn serves it sooner: a watcher without budget, or with thousands of namespaces, delays no other
 * watcher of the same namespace. */
void turns_add(struct turns *turns, struct turn *turn, struct turn_place *place,
               enum urgency urgency);
/* Takes the next place from the next turn that may be served at `now`, or returns NULL. The place
 * belongs to its turn until turn_place_remove(). */
struct turn_place *turns_take(struct turns *turns, uint64_t now);
/* Removes a place, wherever it is. */
void turn_place_remove(struct turn_place *place);
/* Returns a taken place to the end of its queue, because no helper is free. The turn is not served
 * before `until`, unless a place with an open reader waits, whose read can free a helper. */
void turns_put_back(struct turns *turns, struct turn_place *place, enum urgency urgency,
                    uint64_t until);
/* Charges a turn, which may be NULL, with the duration in ns of work that has ended at `now`. */
void turn_charge(struct turn *turn, uint64_t took, uint64_t now);
/* Returns when a turn may be served next; UINT64_MAX: no turn has work. */
uint64_t turns_due(const struct turns *turns);

#endif
