/* SPDX-License-Identifier: MIT */
/* elsewhere.c - network namespaces in which a member listens, or may listen, and doesn't live */
#include "watch/elsewhere.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fd.h"
#include "watch/subscription.h"

/* Between two looks whether a thread still lives in its place: as long may its namespace be kept
 * alive when it has left. */
#define VERIFY_PAUSE (500 * NSEC_PER_MSEC)
/* A place that a socket has led to: from then on the port that was found there keeps it. */
#define KEPT (10 * NSEC_PER_SEC)
/* Threads of a process that are looked at in one turn. */
#define THREADS_TURN 64

const void *elsewhere_payer(const struct process *process)
{
	return process_tree_of(process, NULL);
}

static bool is_of(const struct place *place, const struct process *process)
{
	return place->pid == process->pid && place->start_time == process->start_time;
}

static void forget(struct elsewhere *elsewhere, struct place *place)
{
	fd_close(place->descriptor);
	list_remove(&place->link);
	elsewhere->count--;
	free(place);
}

static struct place *find_place(const struct elsewhere *elsewhere, const struct process *process,
                                const struct netns_id *id)
{
	struct place *place = NULL;

	while ((place = elsewhere_next(elsewhere, process, place)))
		if (netns_id_is_same(&place->id, id))
			return place;
	return NULL;
}

static size_t count_places(const struct elsewhere *elsewhere, const void *tree)
{
	struct place *place;
	size_t count = 0;

	list_each (place, &elsewhere->places, struct place, link)
		count += place->tree == tree;
	return count;
}

/* The oldest place of the tree that has the most, which may be the one that wants another. */
static struct place *find_dispensable(const struct elsewhere *elsewhere, const void *tree)
{
	struct place *place, *found = NULL;
	size_t most = 0;

	list_each (place, &elsewhere->places, struct place, link) {
		size_t count;

		if (found && place->tree == found->tree)
			continue;
		count = count_places(elsewhere, place->tree);
		if (count > most || (count == most && place->tree == tree)) {
			most = count;
			found = place;
		}
	}
	return found;
}

bool elsewhere_knows(const struct elsewhere *elsewhere, const struct process *process,
                     const struct netns_id *id)
{
	return find_place(elsewhere, process, id) != NULL;
}

/* The place of a process, made if there is none. NULL without memory. */
static struct place *add_place(struct elsewhere *elsewhere, const struct process *process,
                               const struct netns_id *id)
{
	struct place *place = find_place(elsewhere, process, id);

	if (place)
		return place;
	place = calloc(1, sizeof(*place));
	if (!place)
		return NULL;
	if (elsewhere->count == PLACES_MAX)
		forget(elsewhere, find_dispensable(elsewhere, elsewhere_payer(process)));
	place->tree = elsewhere_payer(process);
	place->pid = process->pid;
	place->start_time = process->start_time;
	place->id = *id;
	place->descriptor = -1;
	place->verify = clock_now(CLOCK_MONOTONIC) + VERIFY_PAUSE;
	list_append(&elsewhere->places, &place->link);
	elsewhere->count++;
	subscription_move_all(elsewhere->subscriptions, process);
	return place;
}

struct place *elsewhere_next(const struct elsewhere *elsewhere, const struct process *process,
                             const struct place *previous)
{
	const struct list *head = &elsewhere->places;
	struct list *link = previous ? previous->link.next : head->next;

	for (; link != head; link = link->next) {
		struct place *place = container_of(link, struct place, link);

		if (is_of(place, process))
			return place;
	}
	return NULL;
}

/* --- threads --- */

/* /proc/TID leads to a thread as /proc/PID does to a process. */
static bool is_apart(const struct elsewhere *elsewhere, const struct process *process, pid_t tid,
                     struct netns_id *id)
{
	return process->netns_known && procfs_netns_of(&elsewhere->context->procfs, tid, id) == 0 &&
	       !netns_id_is_same(id, &process->netns);
}

void elsewhere_look_at(struct elsewhere *elsewhere, const struct process *process, pid_t tid)
{
	struct netns_id id;
	struct place *place;

	if (!is_apart(elsewhere, process, tid, &id))
		return;
	place = add_place(elsewhere, process, &id);
	if (place)
		place->tid = tid;
}

struct look {
	struct elsewhere *elsewhere;
	const struct process *process;
	unsigned long index, first;
};

static int look_at_thread(void *data, long tid)
{
	struct look *look = data;
	unsigned long index = look->index++;

	if (index < look->first)
		return 0;
	if (index >= look->first + THREADS_TURN)
		return 1;
	elsewhere_look_at(look->elsewhere, look->process, (pid_t)tid);
	return 0;
}

/* Which of so many parts is looked at in a turn. All processes with many threads share the turns: a
 * process that gets each second one, or each n-th, must still get all parts in the long run. A turn
 * goes on by the golden ratio, no multiple of which comes back to where it was. */
static unsigned long choose_part(unsigned int turn, unsigned long parts)
{
	uint64_t fraction = (uint32_t)(turn * UINT32_C(2654435769));

	return (unsigned long)(fraction * parts >> 32);
}

void elsewhere_look(struct elsewhere *elsewhere, const struct process *process)
{
	struct look look = {.elsewhere = elsewhere, .process = process};
	struct stat status;
	unsigned long threads;
	char path[32];

	snprintf(path, sizeof(path), "%d/task", (int)process->pid);
	/* Two links, and one for each thread. */
	if (fstatat(elsewhere->context->procfs.fd, path, &status, 0) < 0 || status.st_nlink <= 3)
		return;
	threads = (unsigned long)status.st_nlink - 2;
	if (threads > THREADS_TURN)
		look.first = choose_part(elsewhere->turn++, (threads - 1) / THREADS_TURN + 1) *
		             THREADS_TURN;
	procfs_each_number(elsewhere->context->procfs.fd, path, look_at_thread, &look);
}

/* Whether a place is still one. */
static bool is_valid(const struct elsewhere *elsewhere, const struct place *place)
{
	const struct process *process =
		process_table_find(elsewhere->context->processes, place->pid);
	struct netns_id id;

	return process && process->start_time == place->start_time && place->tid &&
	       is_apart(elsewhere, process, place->tid, &id) && netns_id_is_same(&id, &place->id);
}

void elsewhere_work(struct elsewhere *elsewhere, uint64_t now)
{
	const struct process *process;
	struct place *place;

	list_each (place, &elsewhere->places, struct place, link) {
		if (now < place->verify)
			continue;
		place->verify = now + VERIFY_PAUSE;
		/* The descriptor keeps the namespace: not for longer than it takes. */
		fd_close(place->descriptor);
		place->descriptor = -1;
		if (is_valid(elsewhere, place))
			continue;
		process = process_table_find(elsewhere->context->processes, place->pid);
		forget(elsewhere, place);
		/* Those of a process that has left are placed again for that reason. */
		if (process)
			subscription_move_all(elsewhere->subscriptions, process);
	}
}

static int enter_by(const struct elsewhere *elsewhere, const struct place *place,
                    struct reader_target *target)
{
	CLEANUP_CLOSE int thread = -1;
	struct process_stat stat;
	struct netns_id id;
	int copy;

	if (place->descriptor >= 0) {
		copy = fd_own(fcntl(place->descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
		if (copy >= 0)
			target->descriptor = copy;
		return copy < 0 ? copy : 0;
	}
	thread = procfs_open_process(&elsewhere->context->procfs, place->tid);
	if (thread < 0 || procfs_netns(thread, &id) < 0 || !netns_id_is_same(&id, &place->id) ||
	    procfs_read_stat(thread, &stat) < 0)
		return -ESRCH;
	target->pid = place->tid;
	target->start_time = stat.start_time;
	return 0;
}

int elsewhere_enter(struct elsewhere *elsewhere, const struct netns_id *id,
                    struct reader_target *target)
{
	struct place *place;

	list_each (place, &elsewhere->places, struct place, link)
		if (netns_id_is_same(&place->id, id) && enter_by(elsewhere, place, target) == 0)
			return 0;
	return -ESRCH;
}

bool elsewhere_keep(struct elsewhere *elsewhere, const struct process *process,
                    const struct netns_id *id, int netns)
{
	struct place *place = add_place(elsewhere, process, id);

	if (!place) {
		fd_close(netns);
		return false;
	}
	fd_close(place->descriptor);
	place->descriptor = netns;
	place->verify = clock_now(CLOCK_MONOTONIC) + KEPT;
	return true;
}

uint64_t elsewhere_due(const struct elsewhere *elsewhere)
{
	uint64_t due = UINT64_MAX;
	struct place *place;

	list_each (place, &elsewhere->places, struct place, link)
		due = clock_earlier(due, place->verify);
	return due;
}

void elsewhere_init(struct elsewhere *elsewhere, struct subscription_table *subscriptions)
{
	*elsewhere = (struct elsewhere){
		.context = subscriptions->context,
		.subscriptions = subscriptions,
	};
	list_init(&elsewhere->places);
}

void elsewhere_clear(struct elsewhere *elsewhere)
{
	struct place *place;

	list_each (place, &elsewhere->places, struct place, link)
		forget(elsewhere, place);
}
