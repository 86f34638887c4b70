/* SPDX-License-Identifier: MIT */
/* elsewhere.c - network namespaces in which a member listens, or may listen, without living
 * there */
#include "watch/elsewhere.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fd.h"
#include "util/number.h"
#include "watch/subscription.h"

/* The pause between two checks whether a thread still lives in its place. A namespace that the
 * thread has left is kept alive for as long. */
#define VERIFY_PAUSE (500 * NSEC_PER_MSEC)
/* How long a place is kept that was found through a socket. Afterwards the port that was found
 * there keeps the place. */
#define KEPT (10 * NSEC_PER_SEC)
/* The number of threads of a process that are located in one pass. */
#define THREADS_PASS 64

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

/* Returns the oldest place of the tree that has the most places, including the tree that needs
 * another one. */
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

/* Finds or creates a place of a process. Returns NULL without memory. */
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

/* /proc/TID exists for each thread, like /proc/PID for each process. */
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

struct thread_scan {
	struct elsewhere *elsewhere;
	const struct process *process;
	unsigned long index, first;
};

static int check_thread(void *data, long tid)
{
	struct thread_scan *scan = data;
	unsigned long index = scan->index++;

	if (index < scan->first)
		return 0;
	if (index >= scan->first + THREADS_PASS)
		return 1;
	elsewhere_look_at(scan->elsewhere, scan->process, (pid_t)tid);
	return 0;
}

/* Chooses which of `parts` parts is located in a pass. All processes with many threads share the
 * passes, and a process that gets only every n-th pass must still get all parts in the long run.
 * The choice therefore advances by the golden ratio, no multiple of which returns to the same
 * part. */
static unsigned long choose_part(unsigned int pass, unsigned long parts)
{
	uint64_t fraction = (uint32_t)(pass * UINT32_C(2654435769));

	return (unsigned long)(fraction * parts >> 32);
}

void elsewhere_locate(struct elsewhere *elsewhere, const struct process *process)
{
	struct thread_scan scan = {.elsewhere = elsewhere, .process = process};
	struct stat status;
	unsigned long threads;
	char path[32];

	decimal_write_path(path, (uint64_t)process->pid, "/task");
	/* The directory has two links, and one for each thread. */
	if (fstatat(elsewhere->context->procfs.fd, path, &status, 0) < 0 || status.st_nlink <= 3)
		return;
	threads = (unsigned long)status.st_nlink - 2;
	if (threads > THREADS_PASS)
		scan.first = choose_part(elsewhere->pass++, (threads - 1) / THREADS_PASS + 1) *
		             THREADS_PASS;
	procfs_each_number(elsewhere->context->procfs.fd, path, check_thread, &scan);
}

/* Whether a place is still valid. */
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
		/* The descriptor keeps the namespace alive, so it is closed as soon as possible. */
		fd_close(place->descriptor);
		place->descriptor = -1;
		if (is_valid(elsewhere, place))
			continue;
		process = process_table_find(elsewhere->context->processes, place->pid);
		forget(elsewhere, place);
		/* If the process has left, its views are placed again anyway. */
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
