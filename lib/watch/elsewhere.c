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
/* A reported listen(2) has led to a port by then, or it is asked why not. */
#define LISTEN_PAUSE (250 * NSEC_PER_MSEC)
#define LISTEN_MAX (5 * NSEC_PER_SEC)
/* How long a probe may take, and how long there is none after one. */
#define PROBE_DEADLINE (2 * NSEC_PER_SEC)
#define PROBE_REST (100 * NSEC_PER_MSEC)
/* Threads of a process that are looked at in one turn. */
#define THREADS_TURN 64

/* --- places --- */

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

/* The tree to which what a process needs is counted: one of them, where it belongs to several. */
static const void *payer_of(const struct process *process)
{
	return process_tree_of(process, NULL);
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
		forget(elsewhere, find_dispensable(elsewhere, payer_of(process)));
	place->tree = payer_of(process);
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

static bool add_thread(struct elsewhere *elsewhere, const struct process *process, pid_t tid,
                       const struct netns_id *id)
{
	bool known = find_place(elsewhere, process, id) != NULL;
	struct place *place = add_place(elsewhere, process, id);

	if (place)
		place->tid = tid;
	return place && !known;
}

/* /proc/TID leads to a thread as /proc/PID does to a process. */
static bool is_apart(const struct elsewhere *elsewhere, const struct process *process, pid_t tid,
                     struct netns_id *id)
{
	return process->netns_known && procfs_netns_of(&elsewhere->context->procfs, tid, id) == 0 &&
	       !netns_id_is_same(id, &process->netns);
}

struct look {
	struct elsewhere *elsewhere;
	const struct process *process;
	unsigned long index, first;
	bool found;
};

static int look_at_thread(void *data, long tid)
{
	struct look *look = data;
	unsigned long index = look->index++;
	struct netns_id id;

	if (index < look->first)
		return 0;
	if (index >= look->first + THREADS_TURN)
		return 1;
	if (is_apart(look->elsewhere, look->process, (pid_t)tid, &id))
		look->found |= add_thread(look->elsewhere, look->process, (pid_t)tid, &id);
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

bool elsewhere_look(struct elsewhere *elsewhere, const struct process *process)
{
	struct look look = {.elsewhere = elsewhere, .process = process};
	struct stat status;
	unsigned long threads;
	char path[32];

	snprintf(path, sizeof(path), "%d/task", (int)process->pid);
	/* Two links, and one for each thread. */
	if (fstatat(elsewhere->context->procfs.fd, path, &status, 0) < 0 || status.st_nlink <= 3)
		return false;
	threads = (unsigned long)status.st_nlink - 2;
	if (threads > THREADS_TURN)
		look.first = choose_part(elsewhere->turn++, (threads - 1) / THREADS_TURN + 1) *
		             THREADS_TURN;
	procfs_each_number(elsewhere->context->procfs.fd, path, look_at_thread, &look);
	return look.found;
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

static void verify(struct elsewhere *elsewhere, uint64_t now)
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

/* --- what was reported, and leads to no port --- */

static void drop_listen(struct elsewhere *elsewhere, size_t index)
{
	elsewhere->listen_count--;
	memmove(&elsewhere->listens[index], &elsewhere->listens[index + 1],
	        (elsewhere->listen_count - index) * sizeof(elsewhere->listens[0]));
}

static size_t count_listens(const struct elsewhere *elsewhere, const void *tree)
{
	size_t count = 0;

	for (size_t i = 0; i < elsewhere->listen_count; i++)
		count += elsewhere->listens[i].tree == tree;
	return count;
}

/* Makes room: drops the oldest one of the tree that has the most. */
static void drop_dispensable_listen(struct elsewhere *elsewhere, const void *tree)
{
	const struct listen *listens = elsewhere->listens;
	size_t most = 0, found = 0;

	for (size_t i = 0; i < elsewhere->listen_count; i++) {
		size_t count = count_listens(elsewhere, listens[i].tree);

		if (count > most ||
		    (count == most && listens[i].tree == tree && listens[found].tree != tree)) {
			most = count;
			found = i;
		}
	}
	drop_listen(elsewhere, found);
}

static void end_probe(struct elsewhere *elsewhere)
{
	struct child child;

	loop_remove(&elsewhere->context->loop, &elsewhere->source);
	elsewhere->source.fd = -1;
	probe_close(elsewhere->probe, &child);
	loop_reap(&elsewhere->context->loop, &child);
	elsewhere->probe = NULL;
	elsewhere->earliest = clock_now(CLOCK_MONOTONIC) + PROBE_REST;
}

void elsewhere_ended(struct elsewhere *elsewhere, uint64_t socket)
{

	for (size_t i = elsewhere->listen_count; i-- > 0;)
		if (elsewhere->listens[i].socket == socket)
			drop_listen(elsewhere, i);
}

bool elsewhere_listened(struct elsewhere *elsewhere, const struct process *process,
                        const struct tcp_change *change)
{
	struct listen *listen;
	struct netns_id id;

	/* A port that isn't known can't be distinguished from others. */
	if (change->port != 0) {
		if (elsewhere->listen_count == LISTENS_MAX)
			drop_dispensable_listen(elsewhere, payer_of(process));
		listen = &elsewhere->listens[elsewhere->listen_count++];
		*listen = (struct listen){
			.tree = payer_of(process),
			.pid = process->pid,
			.start_time = process->start_time,
			.socket = change->socket,
			.listener.port = change->port,
			.reported = clock_now(CLOCK_MONOTONIC),
		};
		listen->due = listen->reported + LISTEN_PAUSE;
		listener_set_address(&listen->listener, change->family, change->address);
	}
	return change->tid != process->pid && is_apart(elsewhere, process, change->tid, &id) &&
	       add_thread(elsewhere, process, change->tid, &id);
}

void elsewhere_missed(struct elsewhere *elsewhere, const struct expectation *expectation)
{

	for (size_t i = 0; i < elsewhere->listen_count; i++)
		if (elsewhere->listens[i].socket == expectation->socket)
			elsewhere->listens[i].due = 0;
}

/* What has become of a reported listen(2), the better first. */
enum outcome {
	HELD,    /* the member holds a socket that listens there, or nobody wants to know */
	PENDING, /* that is still to be found out */
	UNHELD,  /* a socket is new there, and no member holds it */
	UNSEEN,  /* there is none in the tables */
};

static enum outcome outcome_of(const struct listen *listen, const struct view *view,
                               const struct listener *row)
{
	const struct socket *socket = view_find(view, row);

	/* Its address isn't wanted. */
	if (!socket)
		return HELD;
	if (socket_is_pending(socket))
		return PENDING;
	if (holder_set_names(&socket->holders, listen->pid) || socket->holders.others > 0)
		return HELD;
	return socket->state == SOCKET_UNATTRIBUTED && socket->seen >= listen->reported ? UNHELD
	                                                                                : UNSEEN;
}

/* The same of all sockets on the port in one namespace. */
static enum outcome look_up(const struct listen *listen, const struct view *view)
{
	const struct snapshot *known = &view->ns->known;
	enum outcome best = UNSEEN;

	if (!view->ready)
		return view->ns->exhausted ? UNSEEN : PENDING;
	for (size_t i = snapshot_first(known, &listen->listener); i < known->count; i++) {
		enum outcome outcome;

		if (!listener_same_port(&known->rows[i].listener, &listen->listener))
			break;
		outcome = outcome_of(listen, view, &known->rows[i].listener);
		best = outcome < best ? outcome : best;
	}
	return best;
}

/* In the namespaces of the member. */
static enum outcome look_everywhere(const struct elsewhere *elsewhere,
                                    const struct subscription *subscription,
                                    const struct process *process, const struct listen *listen)
{
	enum outcome best = UNSEEN;
	struct view *view;

	list_each (view, &subscription->views, struct view, of_subscription) {
		enum outcome outcome;

		if (!netns_id_is_same(&view->ns->id, &process->netns) &&
		    !find_place(elsewhere, process, &view->ns->id))
			continue;
		outcome = look_up(listen, view);
		best = outcome < best ? outcome : best;
	}
	return best;
}

/* For each watcher once: the next is not better news. */
static void warn(struct subscription *subscription, const struct process *process,
                 const struct listen *listen, const char *why)
{
	if (subscription->logged_unfollowed)
		return;
	subscription->logged_unfollowed = true;
	log_write(&subscription->log, PORTWATCH_LOG_WARNING,
	          "PID %d (%s) listens on port %u, which is not reported: %s; further ones are not "
	          "logged",
	          (int)process->pid, process->name, (unsigned int)listen->listener.port, why);
}

static void warn_all(struct elsewhere *elsewhere, const struct process *process,
                     const struct listen *listen, int error)
{
	struct subscription *subscription;
	char why[LOG_TEXT];

	snprintf(why, sizeof(why),
	         "the socket belongs to a network namespace that can't be found: %s",
	         strerrordesc_np(error));
	list_each (subscription, &elsewhere->subscriptions->list, struct subscription, link)
		if (subscription->scope && scope_contains(subscription->scope, process))
			warn(subscription, process, listen, why);
}

/* A socket has shown where it is. */
static void take_place(struct elsewhere *elsewhere, const struct process *process,
                       const struct probe_result *result)
{
	struct place *place;
	struct netns *ns;

	if (netns_id_is_same(&process->netns, &result->id)) {
		fd_close(result->netns);
	} else {
		place = add_place(elsewhere, process, &result->id);
		if (!place) {
			fd_close(result->netns);
			return;
		}
		fd_close(place->descriptor);
		place->descriptor = result->netns;
		place->verify = clock_now(CLOCK_MONOTONIC) + KEPT;
	}
	subscription_move_all(elsewhere->subscriptions, process);
	for (ns = netns_find(elsewhere->namespaces, &result->id); ns; ns = netns_find_next(ns))
		netns_read_now(ns);
}

static const struct process *find_listener(const struct elsewhere *elsewhere,
                                           const struct listen *listen)
{
	const struct process *process =
		process_table_find(elsewhere->context->processes, listen->pid);

	return process && process->start_time == listen->start_time ? process : NULL;
}

static void probe_ended(struct elsewhere *elsewhere, int error, const struct probe_result *result)
{
	const struct listen listen = elsewhere->probed;
	const struct process *process = find_listener(elsewhere, &listen);

	end_probe(elsewhere);
	if (error == 0 && process)
		take_place(elsewhere, process, result);
	else if (error == 0)
		fd_close(result->netns);
	/* It may have closed the socket meanwhile. */
	else if (process && error != -ENOENT && error != -ESRCH)
		warn_all(elsewhere, process, &listen, -error);
}

static void answered(struct source *source)
{
	struct elsewhere *elsewhere = container_of(source, struct elsewhere, source);
	struct probe_result result = {.netns = -1};
	int error = probe_take(elsewhere->probe, &result);

	if (error == -EAGAIN)
		return;
	probe_ended(elsewhere, error, &result);
}

/* Sockets that are in some table aren't asked. */
static bool is_known(void *data, uint64_t inode)
{
	const struct elsewhere *elsewhere = data;
	struct subscription *subscription;

	list_each (subscription, &elsewhere->subscriptions->list, struct subscription, link)
		if (hash_find(&subscription->sockets, inode))
			return true;
	return false;
}

static void begin_probe(struct elsewhere *elsewhere, const struct process *process,
                        const struct listen *listen, uint64_t now)
{
	struct probe_target target = {
		.procfs = &elsewhere->context->procfs,
		.pid = process->pid,
		.start_time = process->start_time,
		.port = listen->listener.port,
		.known = is_known,
		.data = elsewhere,
	};
	int result = probe_start(&elsewhere->probe, &target);

	elsewhere->earliest = now + PROBE_REST;
	if (result == 0) {
		elsewhere->probed = *listen;
		elsewhere->deadline = now + PROBE_DEADLINE;
		elsewhere->source.fd = probe_fd(elsewhere->probe);
		elsewhere->source.ready = answered;
		result = loop_add(&elsewhere->context->loop, &elsewhere->source);
		if (result < 0)
			probe_ended(elsewhere, result, NULL);
		return;
	}
	if (result != -ENOENT && result != -ESRCH)
		warn_all(elsewhere, process, listen, -result);
}

/* The best that any watcher knows; in the scope of a namespace others count as well. */
static enum outcome conclude(struct elsewhere *elsewhere, const struct process *process,
                             const struct listen *listen, bool last)
{
	enum outcome best = HELD;
	struct subscription *subscription;

	list_each (subscription, &elsewhere->subscriptions->list, struct subscription, link) {
		enum outcome outcome;

		if (!subscription->scope || subscription->state != SUBSCRIPTION_RUNNING ||
		    scope_counts_everybody(subscription->scope) ||
		    !scope_contains(subscription->scope, process))
			continue;
		outcome = look_everywhere(elsewhere, subscription, process, listen);
		if (outcome == UNHELD && last)
			warn(subscription, process, listen,
			     "no descriptor that can be seen is that of its socket");
		best = outcome > best ? outcome : best;
	}
	return best;
}

enum next_step {
	DONE,
	WAIT,
	ASK, /* the descriptor itself */
};

static enum next_step work_at(struct elsewhere *elsewhere, struct listen *listen, uint64_t now)
{
	const struct process *process = find_listener(elsewhere, listen);
	bool last = now >= listen->reported + LISTEN_PAUSE;

	if (!process)
		return DONE;
	switch (conclude(elsewhere, process, listen, last)) {
	case HELD:
		return DONE;
	case UNHELD:
		if (last)
			return DONE;
		/* fallthrough */
	case PENDING:
		listen->due = now + LISTEN_PAUSE;
		return now >= listen->reported + LISTEN_MAX ? DONE : WAIT;
	case UNSEEN:
		break;
	}
	if (!elsewhere->probe && now >= elsewhere->earliest)
		return ASK;
	listen->due = elsewhere->earliest > now ? elsewhere->earliest : now + PROBE_REST;
	return now >= listen->reported + LISTEN_MAX ? DONE : WAIT;
}

/* When a probe was made last for the tree of a process. */
static uint64_t *last_probe(struct elsewhere *elsewhere, const struct listen *listen)
{
	const struct process *process = find_listener(elsewhere, listen);
	struct subscription *subscription =
		process ? subscription_of(elsewhere->subscriptions, process, NULL) : NULL;

	return subscription ? &subscription->probed : NULL;
}

/* There is one probe at a time: for the tree that has waited longest, which the others can't delay
 * by more than one each. */
static void probe_next(struct elsewhere *elsewhere, uint64_t now)
{
	size_t chosen = elsewhere->listen_count;
	uint64_t *last = NULL;
	struct listen listen;

	for (size_t i = 0; i < elsewhere->listen_count; i++) {
		uint64_t *probed = elsewhere->listens[i].asks
		                           ? last_probe(elsewhere, &elsewhere->listens[i])
		                           : NULL;

		if (!probed || (last && *probed >= *last))
			continue;
		last = probed;
		chosen = i;
	}
	if (!last)
		return;
	*last = now;
	listen = elsewhere->listens[chosen];
	drop_listen(elsewhere, chosen);
	begin_probe(elsewhere, find_listener(elsewhere, &listen), &listen, now);
}

void elsewhere_work(struct elsewhere *elsewhere, uint64_t now)
{
	bool asks = false;

	verify(elsewhere, now);
	if (elsewhere->probe && now >= elsewhere->deadline)
		probe_ended(elsewhere, -ETIMEDOUT, NULL);
	for (size_t i = elsewhere->listen_count; i-- > 0;) {
		struct listen *listen = &elsewhere->listens[i];
		enum next_step next = WAIT;

		if (now >= listen->due)
			next = work_at(elsewhere, listen, now);
		listen->asks = next == ASK;
		asks |= next == ASK;
		if (next == ASK)
			listen->due = now + PROBE_REST;
		else if (next == DONE)
			drop_listen(elsewhere, i);
	}
	if (asks)
		probe_next(elsewhere, now);
}

uint64_t elsewhere_due(const struct elsewhere *elsewhere)
{
	uint64_t due = elsewhere->probe ? elsewhere->deadline : UINT64_MAX;
	struct place *place;

	for (size_t i = 0; i < elsewhere->listen_count; i++)
		if (elsewhere->listens[i].due < due)
			due = elsewhere->listens[i].due;
	list_each (place, &elsewhere->places, struct place, link)
		if (place->verify < due)
			due = place->verify;
	return due;
}

bool elsewhere_is_child(const struct elsewhere *elsewhere, pid_t pid)
{
	return elsewhere->probe && probe_pid(elsewhere->probe) == pid;
}

void elsewhere_init(struct elsewhere *elsewhere, struct subscription_table *subscriptions)
{
	*elsewhere = (struct elsewhere){
		.context = subscriptions->context,
		.namespaces = subscriptions->namespaces,
		.subscriptions = subscriptions,
		.source.fd = -1,
	};
	list_init(&elsewhere->places);
}

void elsewhere_clear(struct elsewhere *elsewhere)
{
	struct place *place;

	if (elsewhere->probe)
		end_probe(elsewhere);
	list_each (place, &elsewhere->places, struct place, link)
		forget(elsewhere, place);
}
