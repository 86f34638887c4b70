/* SPDX-License-Identifier: MIT */
/* holders.c - the known holders of sockets */
#include <errno.h>
#include <stdlib.h>

#include "watch/holders.h"

/* The relation between one process and one socket. */
struct hold {
	struct list of_holder;
	struct list of_socket;
	struct holder *holder;
	struct holder_set *set;
	uint64_t answered; /* number of the last answer that included the socket */
	uint64_t count;    /* number of the last count that included the process */
};

void holders_init(struct holders *holders, void (*changed)(void *data, struct holder_set *set),
                  void (*forgotten)(void *data, struct holder *holder), void *data)
{
	*holders = (struct holders){.changed = changed, .forgotten = forgotten, .data = data};
	hash_init(&holders->by_pid);
	list_init(&holders->list);
	list_init(&holders->crowded);
}

void holder_set_init(struct holder_set *set)
{
	*set = (struct holder_set){.named = 0};
	list_init(&set->holds);
	list_init(&set->of_crowded);
}

static void free_hold(struct hold *hold)
{
	list_remove(&hold->of_holder);
	list_remove(&hold->of_socket);
	hold->set->named--;
	free(hold);
}

static void forget_if_idle(struct holders *holders, struct holder *holder)
{
	if (!list_empty(&holder->holds))
		return;
	holders->forgotten(holders->data, holder);
	hash_remove(&holders->by_pid, &holder->by_pid);
	list_remove(&holder->link);
	free(holder);
}

/* Removes a relation: the process has closed the socket. */
static void let_go(struct holders *holders, struct hold *hold)
{
	struct holder_set *set = hold->set;

	free_hold(hold);
	holders->changed(holders->data, set);
}

static void forget(struct holders *holders, struct holder *holder)
{
	struct hold *hold;

	list_each (hold, &holder->holds, struct hold, of_holder)
		let_go(holders, hold);
	forget_if_idle(holders, holder);
}

void holders_clear(struct holders *holders)
{
	struct holder *holder;
	struct hold *hold;

	list_each (holder, &holders->list, struct holder, link) {
		list_each (hold, &holder->holds, struct hold, of_holder)
			free_hold(hold);
		forget_if_idle(holders, holder);
	}
	hash_clear(&holders->by_pid);
}

void holder_set_clear(struct holders *holders, struct holder_set *set)
{
	struct hold *hold;

	list_each (hold, &set->holds, struct hold, of_socket) {
		struct holder *holder = hold->holder;

		free_hold(hold);
		forget_if_idle(holders, holder);
	}
	list_remove(&set->of_crowded);
}

static struct hold *first_hold(const struct holder_set *set)
{
	if (list_empty(&set->holds))
		return NULL;
	return container_of(set->holds.next, struct hold, of_socket);
}

static struct hold *last_hold(const struct holder_set *set)
{
	return container_of(set->holds.previous, struct hold, of_socket);
}

struct holder *holder_set_first(const struct holder_set *set)
{
	struct hold *hold = first_hold(set);

	return hold ? hold->holder : NULL;
}

bool holder_set_names(const struct holder_set *set, pid_t pid)
{
	struct hold *hold;

	list_each (hold, &set->holds, struct hold, of_socket)
		if (hold->holder->pid == pid)
			return true;
	return false;
}

unsigned int holder_set_count(const struct holder_set *set)
{
	return set->named + (set->named > 0 ? set->others : 0);
}

struct holder *holders_find(const struct holders *holders, pid_t pid)
{
	struct hash_link *link = hash_find(&holders->by_pid, (uint64_t)pid);

	return link ? container_of(link, struct holder, by_pid) : NULL;
}

void holders_exited(struct holders *holders, pid_t pid, uint64_t start_time)
{
	struct holder *holder = holders_find(holders, pid);

	if (holder && (start_time == 0 || holder->start_time == start_time))
		forget(holders, holder);
}

void holders_touch(struct holders *holders, const struct holder *holder)
{
	struct hold *hold;

	list_each (hold, &holder->holds, struct hold, of_holder)
		holders->changed(holders->data, hold->set);
}

/* --- answers --- */

void holder_answer_begin(struct holder_answer *answer, struct holders *holders, pid_t pid,
                         uint64_t start_time, bool counts)
{
	struct holder *holder = holders_find(holders, pid);

	*answer = (struct holder_answer){
		.holders = holders,
		.pid = pid,
		.start_time = start_time,
		.number = ++holders->answers,
		.counts = counts,
	};
	/* The PID belongs to another process now. */
	if (holder && holder->start_time != start_time)
		forget(holders, holder);
}

/* Creates a holder for the process of the answer. Returns NULL without memory. */
static struct holder *make_holder(const struct holder_answer *answer)
{
	struct holder *holder = calloc(1, sizeof(*holder));

	if (!holder)
		return NULL;
	holder->pid = answer->pid;
	holder->start_time = answer->start_time;
	list_init(&holder->holds);
	list_append(&answer->holders->list, &holder->link);
	hash_add(&answer->holders->by_pid, &holder->by_pid, (uint64_t)holder->pid);
	return holder;
}

static struct hold *find_hold(const struct holder_answer *answer, const struct holder_set *set)
{
	struct hold *hold;

	list_each (hold, &set->holds, struct hold, of_socket)
		if (hold->holder->pid == answer->pid)
			return hold;
	return NULL;
}

static bool is_older(const struct holder_answer *answer, const struct holder *holder)
{
	if (answer->start_time != holder->start_time)
		return answer->start_time < holder->start_time;
	return answer->pid < holder->pid;
}

/* Returns the link before which a holder of this age is inserted. */
static struct list *find_place(const struct holder_answer *answer, struct holder_set *set)
{
	struct list *place = &set->holds;

	while (place->previous != &set->holds &&
	       is_older(answer, container_of(place->previous, struct hold, of_socket)->holder))
		place = place->previous;
	return place;
}

/* Counts a holder that is not stored individually. */
static void count_other(const struct holder_answer *answer, struct holder_set *set)
{
	struct holders *holders = answer->holders;

	if (!answer->counts) {
		set->others++;
	} else {
		if (set->count != holders->count)
			set->counting = 0;
		set->count = holders->count;
		set->counting++;
	}
	list_move(&holders->crowded, &set->of_crowded);
}

/* Removes the youngest holder from the stored ones. During a count it is counted, unless its own
 * answer follows later. */
static void unname_youngest(const struct holder_answer *answer, struct holder_set *set)
{
	struct hold *youngest = last_hold(set);
	struct holder *holder = youngest->holder;

	if (!answer->counts || youngest->count == answer->holders->count)
		count_other(answer, set);
	free_hold(youngest);
	forget_if_idle(answer->holders, holder);
}

/* Stores a new holder, which replaces the youngest one if there are too many. */
static void name_holder(struct holder_answer *answer, struct holder_set *set)
{
	struct list *place = find_place(answer, set);
	struct holder *holder = holders_find(answer->holders, answer->pid);
	struct hold *hold = malloc(sizeof(*hold));

	if (hold && !holder)
		holder = make_holder(answer);
	if (!hold || !holder) {
		free(hold);
		answer->error = -ENOMEM;
		return;
	}
	*hold = (struct hold){
		.holder = holder,
		.set = set,
		.answered = answer->number,
		.count = answer->counts ? answer->holders->count : 0,
	};
	list_append(&holder->holds, &hold->of_holder);
	list_append(place, &hold->of_socket);
	set->named++;
	if (set->named > HOLDERS_NAMED)
		unname_youngest(answer, set);
	answer->holders->changed(answer->holders->data, set);
}

void holder_answer_holds(struct holder_answer *answer, struct holder_set *set)
{
	struct hold *hold;

	if (set->noted == answer->number)
		return;
	set->noted = answer->number;
	hold = find_hold(answer, set);
	if (hold) {
		hold->answered = answer->number;
		hold->count = answer->counts ? answer->holders->count : hold->count;
	} else if (set->named < HOLDERS_NAMED || is_older(answer, last_hold(set)->holder)) {
		name_holder(answer, set);
	} else {
		count_other(answer, set);
	}
}

int holder_answer_end(struct holder_answer *answer, bool complete)
{
	struct holder *holder = holders_find(answer->holders, answer->pid);
	struct hold *hold;

	if (!holder)
		return answer->error;
	holder->answered = answer->number;
	if (complete && answer->error == 0)
		list_each (hold, &holder->holds, struct hold, of_holder)
			if (hold->answered != answer->number)
				let_go(answer->holders, hold);
	forget_if_idle(answer->holders, holder);
	return answer->error;
}

/* --- holders that are only counted --- */

void holders_begin_count(struct holders *holders)
{
	holders->count++;
}

void holders_end_count(struct holders *holders)
{
	struct holder_set *set;

	list_each (set, &holders->crowded, struct holder_set, of_crowded) {
		unsigned int others = set->count == holders->count ? set->counting : 0;

		if (others == 0)
			list_remove(&set->of_crowded);
		if (others != set->others) {
			set->others = others;
			holders->changed(holders->data, set);
		}
	}
}
