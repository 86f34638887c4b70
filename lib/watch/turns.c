/* SPDX-License-Identifier: MIT */
/* turns.c - whose namespaces are read next */
#include <limits.h>
#include <stddef.h>

#include "util/clock.h"
#include "watch/turns.h"

/* A watcher may use one fifth of one CPU for its reads, after work of time t it rests for 4t; and
 * BUDGET more after a quiet time, for trees that start hundreds of namespaces at once. */
#define SHARE 5
#define BUDGET NSEC_PER_SEC
/* Work does not last this long: the whole process was stopped meanwhile. */
#define WORK_MAX (100 * NSEC_PER_MSEC)
/* Each such place belongs to the less urgent. */
#define TURN_OF_OTHERS 4

void turns_init(struct turns *turns)
{
	list_init(&turns->list);
	turns->now = 0;
	turns->reads_max = UINT_MAX;
}

void turn_init(struct turn *turn)
{
	*turn = (struct turn){0};
	list_init(&turn->link);
	list_init(&turn->taken);
	for (int i = 0; i < URGENCIES; i++)
		list_init(&turn->queues[i]);
}

void turn_place_init(struct turn_place *place)
{
	*place = (struct turn_place){0};
	list_init(&place->link);
}

static struct list *find_queue(struct turn *turn)
{
	bool others = ++turn->served % TURN_OF_OTHERS == 0;

	for (int i = 0; i < URGENCIES; i++) {
		struct list *queue = &turn->queues[others ? URGENCIES - 1 - i : i];

		if (!list_empty(queue))
			return queue;
	}
	return NULL;
}

void turn_place_remove(struct turn_place *place)
{
	struct turn *turn = place->turn;

	list_remove(&place->link);
	place->turn = NULL;
	if (!turn)
		return;
	if (place->taken)
		turn->reads--;
	else
		turn->waiting--;
	place->taken = false;
	if (turn->waiting == 0)
		list_remove(&turn->link);
}

void turn_end(struct turn *turn, void (*sink)(void *data, struct turn_place *place), void *data)
{
	struct turn_place *place;

	list_each (place, &turn->taken, struct turn_place, link) {
		turn_place_remove(place);
		sink(data, place);
	}
	for (int i = 0; i < URGENCIES; i++)
		list_each (place, &turn->queues[i], struct turn_place, link) {
			turn_place_remove(place);
			sink(data, place);
		}
}

uint64_t turn_due(const struct turns *turns, const struct turn *turn)
{
	if (turn->reads >= turns->reads_max)
		return UINT64_MAX;
	return turn->unlimited ? 0 : turn->earliest;
}

/* Whether a turn with `waiting` places in its queues serves a new place before the other turn. */
static bool precedes(const struct turns *turns, const struct turn *turn, unsigned int waiting,
                     const struct turn *other)
{
	uint64_t due = turn_due(turns, turn), due_of_other = turn_due(turns, other);

	/* What was due in the past is due now. */
	due = due > turns->now ? due : turns->now;
	due_of_other = due_of_other > turns->now ? due_of_other : turns->now;
	return due != due_of_other ? due < due_of_other : waiting < other->waiting;
}

bool turn_is_sooner(const struct turns *turns, const struct turn *turn, const struct turn *other)
{
	return precedes(turns, turn, turn->waiting, other);
}

void turns_add(struct turns *turns, struct turn *turn, struct turn_place *place,
               enum urgency urgency)
{
	if (turn_place_waits(place)) {
		/* The place itself counts among those that wait in its present turn. */
		bool sooner = precedes(turns, turn, turn->waiting + 1, place->turn);

		if (urgency >= place->urgency && !sooner)
			return;
		if (urgency > place->urgency)
			urgency = place->urgency;
		if (!sooner)
			turn = place->turn;
	}
	turn_place_remove(place);
	place->turn = turn;
	place->urgency = urgency;
	turn->waiting++;
	list_append(&turn->queues[urgency], &place->link);
	if (list_empty(&turn->link))
		list_append(&turns->list, &turn->link);
}

/* Whether the turn may be served. */
static bool is_open(const struct turns *turns, const struct turn *turn, uint64_t now)
{
	return turn_due(turns, turn) <= now;
}

struct turn_place *turns_take(struct turns *turns, uint64_t now)
{
	struct turn *turn;

	turns->now = now;
	list_each (turn, &turns->list, struct turn, link) {
		struct list *queue = is_open(turns, turn, now) ? find_queue(turn) : NULL;
		struct turn_place *place;

		if (!queue)
			continue;
		place = container_of(queue->next, struct turn_place, link);
		place->taken = true;
		list_move(&turn->taken, &place->link);
		turn->reads++;
		turn->waiting--;
		if (turn->waiting > 0)
			list_move(&turns->list, &turn->link);
		else
			list_remove(&turn->link);
		return place;
	}
	return NULL;
}

void turns_put_back(struct turns *turns, struct turn_place *place, enum urgency urgency,
                    uint64_t until)
{
	struct turn *turn = place->turn;

	turn_place_remove(place);
	turns_add(turns, turn, place, urgency);
	if (list_empty(&turn->queues[URGENCY_REPORTED]) &&
	    list_empty(&turn->queues[URGENCY_USUAL]) && turn->earliest < until)
		turn->earliest = until;
}

void turn_charge(struct turn *turn, uint64_t took, uint64_t now)
{
	uint64_t filled;

	if (!turn || turn->unlimited)
		return;
	filled = (now - turn->counted) / SHARE;
	turn->counted = now;
	turn->used = turn->used > filled ? turn->used - filled : 0;
	turn->used += took < WORK_MAX ? took : WORK_MAX;
	if (turn->used > BUDGET && turn->earliest < now + (turn->used - BUDGET) * SHARE)
		turn->earliest = now + (turn->used - BUDGET) * SHARE;
}

uint64_t turns_due(const struct turns *turns)
{
	uint64_t due = UINT64_MAX;
	struct turn *turn;

	list_each (turn, &turns->list, struct turn, link)
		due = clock_earlier(due, turn_due(turns, turn));
	return due;
}
