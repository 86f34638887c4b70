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

static bool same_netns(const struct netns_id *a, const struct netns_id *b)
{
	return a->ino == b->ino && a->dev == b->dev;
}

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

static struct place *find_place(const struct monitor *monitor, const struct process *process,
                                const struct netns_id *id)
{
	struct place *place = NULL;

	while ((place = elsewhere_next(monitor, process, place)))
		if (same_netns(&place->id, id))
			return place;
	return NULL;
}

/* The place of a process, made if there is none; the oldest of all makes room. NULL without memory.
 */
static struct place *add_place(struct monitor *monitor, const struct process *process,
                               const struct netns_id *id)
{
	struct elsewhere *elsewhere = &monitor->elsewhere;
	struct place *place = find_place(monitor, process, id);

	if (place)
		return place;
	place = calloc(1, sizeof(*place));
	if (!place)
		return NULL;
	if (elsewhere->count == PLACES_MAX)
		forget(elsewhere, container_of(elsewhere->places.next, struct place, link));
	place->pid = process->pid;
	place->start_time = process->start_time;
	place->id = *id;
	place->descriptor = -1;
	place->verify = clock_now(CLOCK_MONOTONIC) + VERIFY_PAUSE;
	list_append(&elsewhere->places, &place->link);
	elsewhere->count++;
	monitor->moved = true;
	return place;
}

struct place *elsewhere_next(const struct monitor *monitor, const struct process *process,
                             const struct place *previous)
{
	const struct list *head = &monitor->elsewhere.places;
	struct list *link = previous ? previous->link.next : head->next;

	for (; link != head; link = link->next) {
		struct place *place = container_of(link, struct place, link);

		if (is_of(place, process))
			return place;
	}
	return NULL;
}

/* --- threads --- */

static bool add_thread(struct monitor *monitor, const struct process *process, pid_t tid,
                       const struct netns_id *id)
{
	bool known = find_place(monitor, process, id) != NULL;
	struct place *place = add_place(monitor, process, id);

	if (place)
		place->tid = tid;
	return place && !known;
}

/* /proc/TID leads to a thread as /proc/PID does to a process. */
static bool is_apart(const struct monitor *monitor, const struct process *process, pid_t tid,
                     struct netns_id *id)
{
	return process->netns_known && procfs_netns_of(&monitor->procfs, tid, id) == 0 &&
	       !same_netns(id, &process->netns);
}

struct look {
	struct monitor *monitor;
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
	if (is_apart(look->monitor, look->process, (pid_t)tid, &id))
		look->found |= add_thread(look->monitor, look->process, (pid_t)tid, &id);
	return 0;
}

bool elsewhere_look(struct monitor *monitor, const struct process *process)
{
	struct look look = {.monitor = monitor, .process = process};
	struct stat status;
	unsigned long threads;
	char path[32];

	snprintf(path, sizeof(path), "%d/task", (int)process->pid);
	/* Two links, and one for each thread. */
	if (fstatat(monitor->procfs.fd, path, &status, 0) < 0 || status.st_nlink <= 3)
		return false;
	threads = (unsigned long)status.st_nlink - 2;
	if (threads > THREADS_TURN)
		look.first = monitor->elsewhere.turn++ % ((threads - 1) / THREADS_TURN + 1) *
		             THREADS_TURN;
	procfs_each_number(monitor->procfs.fd, path, look_at_thread, &look);
	return look.found;
}

/* Whether a place is still one. */
static bool is_valid(const struct monitor *monitor, const struct place *place)
{
	const struct process *process = process_table_find(monitor->processes, place->pid);
	struct netns_id id;

	return process && process->start_time == place->start_time && place->tid &&
	       is_apart(monitor, process, place->tid, &id) && same_netns(&id, &place->id);
}

static void verify(struct monitor *monitor, uint64_t now)
{
	struct elsewhere *elsewhere = &monitor->elsewhere;
	struct place *place;

	list_each (place, &elsewhere->places, struct place, link) {
		if (now < place->verify)
			continue;
		place->verify = now + VERIFY_PAUSE;
		/* The descriptor keeps the namespace: not for longer than it takes. */
		fd_close(place->descriptor);
		place->descriptor = -1;
		if (is_valid(monitor, place))
			continue;
		forget(elsewhere, place);
		monitor->moved = true;
	}
}

static int enter_by(const struct monitor *monitor, const struct place *place,
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
	thread = procfs_open_process(&monitor->procfs, place->tid);
	if (thread < 0 || procfs_netns(thread, &id) < 0 || !same_netns(&id, &place->id) ||
	    procfs_read_stat(thread, &stat) < 0)
		return -ESRCH;
	target->pid = place->tid;
	target->start_time = stat.start_time;
	return 0;
}

int elsewhere_enter(struct monitor *monitor, const struct netns_id *id,
                    struct reader_target *target)
{
	struct place *place;

	list_each (place, &monitor->elsewhere.places, struct place, link)
		if (same_netns(&place->id, id) && enter_by(monitor, place, target) == 0)
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

static void end_probe(struct monitor *monitor)
{
	struct elsewhere *elsewhere = &monitor->elsewhere;
	struct child child;

	loop_remove(&monitor->loop, &elsewhere->source);
	elsewhere->source.fd = -1;
	probe_close(elsewhere->probe, &child);
	loop_reap(&monitor->loop, &child);
	elsewhere->probe = NULL;
	elsewhere->earliest = clock_now(CLOCK_MONOTONIC) + PROBE_REST;
}

void elsewhere_ended(struct monitor *monitor, uint64_t socket)
{
	struct elsewhere *elsewhere = &monitor->elsewhere;

	for (size_t i = elsewhere->listen_count; i-- > 0;)
		if (elsewhere->listens[i].socket == socket)
			drop_listen(elsewhere, i);
}

bool elsewhere_listened(struct monitor *monitor, const struct process *process,
                        const struct tcp_change *change)
{
	struct elsewhere *elsewhere = &monitor->elsewhere;
	struct listen *listen;
	struct netns_id id;

	/* A port that isn't known can't be told from others. */
	if (change->port != 0) {
		if (elsewhere->listen_count == LISTENS_MAX)
			drop_listen(elsewhere, 0);
		listen = &elsewhere->listens[elsewhere->listen_count++];
		*listen = (struct listen){
			.pid = process->pid,
			.start_time = process->start_time,
			.socket = change->socket,
			.listener.port = change->port,
			.reported = clock_now(CLOCK_MONOTONIC),
		};
		listen->due = listen->reported + LISTEN_PAUSE;
		listener_set_address(&listen->listener, change->family, change->address);
	}
	return change->tid != process->pid && is_apart(monitor, process, change->tid, &id) &&
	       add_thread(monitor, process, change->tid, &id);
}

void elsewhere_missed(struct monitor *monitor, const struct expectation *expectation)
{
	struct elsewhere *elsewhere = &monitor->elsewhere;

	for (size_t i = 0; i < elsewhere->listen_count; i++)
		if (elsewhere->listens[i].socket == expectation->socket)
			elsewhere->listens[i].due = 0;
	monitor->touched = true;
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
static enum outcome look_everywhere(const struct subscription *subscription,
                                    const struct process *process, const struct listen *listen)
{
	enum outcome best = UNSEEN;
	struct view *view;

	list_each (view, &subscription->views, struct view, of_subscription) {
		enum outcome outcome;

		if (!same_netns(&view->ns->id, &process->netns) &&
		    !find_place(subscription->monitor, process, &view->ns->id))
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

static void warn_all(struct monitor *monitor, const struct process *process,
                     const struct listen *listen, int error)
{
	struct subscription *subscription;
	char why[LOG_TEXT];

	snprintf(why, sizeof(why),
	         "the socket belongs to a network namespace that can't be found: %s",
	         strerrordesc_np(error));
	list_each (subscription, &monitor->subscriptions, struct subscription, link)
		if (subscription->scope && scope_contains(subscription->scope, process))
			warn(subscription, process, listen, why);
}

/* A socket has told where it is. */
static void take_place(struct monitor *monitor, const struct process *process,
                       const struct probe_result *result)
{
	struct place *place;
	struct netns *ns;

	if (same_netns(&process->netns, &result->id)) {
		fd_close(result->netns);
	} else {
		place = add_place(monitor, process, &result->id);
		if (!place) {
			fd_close(result->netns);
			return;
		}
		fd_close(place->descriptor);
		place->descriptor = result->netns;
		place->verify = clock_now(CLOCK_MONOTONIC) + KEPT;
	}
	monitor->moved = true;
	list_each (ns, &monitor->namespaces, struct netns, link)
		if (same_netns(&ns->id, &result->id))
			netns_read_now(ns);
}

static const struct process *find_listener(const struct monitor *monitor,
                                           const struct listen *listen)
{
	const struct process *process = process_table_find(monitor->processes, listen->pid);

	return process && process->start_time == listen->start_time ? process : NULL;
}

static void probe_ended(struct monitor *monitor, int error, const struct probe_result *result)
{
	const struct listen listen = monitor->elsewhere.probed;
	const struct process *process = find_listener(monitor, &listen);

	end_probe(monitor);
	if (error == 0 && process)
		take_place(monitor, process, result);
	else if (error == 0)
		fd_close(result->netns);
	/* It may have closed the socket meanwhile. */
	else if (process && error != -ENOENT && error != -ESRCH)
		warn_all(monitor, process, &listen, -error);
}

static void answered(struct source *source)
{
	struct elsewhere *elsewhere = container_of(source, struct elsewhere, source);
	struct monitor *monitor = container_of(elsewhere, struct monitor, elsewhere);
	struct probe_result result = {.netns = -1};
	int error = probe_take(elsewhere->probe, &result);

	if (error == -EAGAIN)
		return;
	monitor->touched = true;
	probe_ended(monitor, error, &result);
}

/* Sockets that are in some table aren't asked. */
static bool is_known(void *data, uint64_t inode)
{
	const struct monitor *monitor = data;
	struct subscription *subscription;

	list_each (subscription, &monitor->subscriptions, struct subscription, link)
		if (hash_find(&subscription->sockets, inode))
			return true;
	return false;
}

static void begin_probe(struct monitor *monitor, const struct process *process,
                        const struct listen *listen, uint64_t now)
{
	struct elsewhere *elsewhere = &monitor->elsewhere;
	struct probe_target target = {
		.procfs = &monitor->procfs,
		.pid = process->pid,
		.start_time = process->start_time,
		.port = listen->listener.port,
		.known = is_known,
		.data = monitor,
	};
	int result = probe_start(&elsewhere->probe, &target);

	elsewhere->earliest = now + PROBE_REST;
	if (result == 0) {
		elsewhere->probed = *listen;
		elsewhere->deadline = now + PROBE_DEADLINE;
		elsewhere->source.fd = probe_fd(elsewhere->probe);
		elsewhere->source.ready = answered;
		result = loop_add(&monitor->loop, &elsewhere->source);
		if (result < 0)
			probe_ended(monitor, result, NULL);
		return;
	}
	if (result != -ENOENT && result != -ESRCH)
		warn_all(monitor, process, listen, -result);
}

/* The best that any watcher knows; in the scope of a namespace others count as well. */
static enum outcome conclude(struct monitor *monitor, const struct process *process,
                             const struct listen *listen, bool last)
{
	enum outcome best = HELD;
	struct subscription *subscription;

	list_each (subscription, &monitor->subscriptions, struct subscription, link) {
		enum outcome outcome;

		if (!subscription->scope || subscription->state != SUBSCRIPTION_RUNNING ||
		    scope_counts_everybody(subscription->scope) ||
		    !scope_contains(subscription->scope, process))
			continue;
		outcome = look_everywhere(subscription, process, listen);
		if (outcome == UNHELD && last)
			warn(subscription, process, listen,
			     "no descriptor that can be seen is that of its socket");
		best = outcome > best ? outcome : best;
	}
	return best;
}

/* Whether that was all. */
static bool work_at(struct monitor *monitor, struct listen *listen, uint64_t now)
{
	const struct process *process = find_listener(monitor, listen);
	bool last = now >= listen->reported + LISTEN_PAUSE;

	if (!process)
		return true;
	switch (conclude(monitor, process, listen, last)) {
	case HELD:
		return true;
	case UNHELD:
		if (last)
			return true;
		/* fallthrough */
	case PENDING:
		listen->due = now + LISTEN_PAUSE;
		return now >= listen->reported + LISTEN_MAX;
	case UNSEEN:
		break;
	}
	if (monitor->elsewhere.probe || now < monitor->elsewhere.earliest) {
		listen->due = monitor->elsewhere.earliest > now ? monitor->elsewhere.earliest
		                                                : now + PROBE_REST;
		return now >= listen->reported + LISTEN_MAX;
	}
	begin_probe(monitor, process, listen, now);
	return true;
}

void elsewhere_work(struct monitor *monitor, uint64_t now)
{
	struct elsewhere *elsewhere = &monitor->elsewhere;

	verify(monitor, now);
	if (elsewhere->probe && now >= elsewhere->deadline)
		probe_ended(monitor, -ETIMEDOUT, NULL);
	for (size_t i = elsewhere->listen_count; i-- > 0;) {
		if (now >= elsewhere->listens[i].due &&
		    work_at(monitor, &elsewhere->listens[i], now))
			drop_listen(elsewhere, i);
	}
}

uint64_t elsewhere_due(const struct monitor *monitor)
{
	const struct elsewhere *elsewhere = &monitor->elsewhere;
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

bool elsewhere_is_child(const struct monitor *monitor, pid_t pid)
{
	return monitor->elsewhere.probe && probe_pid(monitor->elsewhere.probe) == pid;
}

void elsewhere_init(struct monitor *monitor)
{
	monitor->elsewhere = (struct elsewhere){.source.fd = -1};
	list_init(&monitor->elsewhere.places);
}

void elsewhere_clear(struct monitor *monitor)
{
	struct place *place;

	if (!monitor->elsewhere.places.next)
		return;
	if (monitor->elsewhere.probe)
		end_probe(monitor);
	list_each (place, &monitor->elsewhere.places, struct place, link)
		forget(&monitor->elsewhere, place);
}
