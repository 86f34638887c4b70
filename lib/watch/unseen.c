/* SPDX-License-Identifier: MIT */
/* unseen.c - listen(2) calls of members that were reported and lead to no port */
#include "watch/unseen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/clock.h"
#include "util/fd.h"
#include "watch/elsewhere.h"
#include "watch/subscription.h"

/* If a reported listen(2) has not led to a port after this time, the reason is determined. */
#define LISTEN_PAUSE (250 * NSEC_PER_MSEC)
#define LISTEN_MAX (5 * NSEC_PER_SEC)
/* How long a probe may take, and how long there is none after one. */
#define PROBE_DEADLINE (2 * NSEC_PER_SEC)
#define PROBE_REST (100 * NSEC_PER_MSEC)

static void drop_listen(struct unseen *unseen, size_t index)
{
	unseen->listen_count--;
	memmove(&unseen->listens[index], &unseen->listens[index + 1],
	        (unseen->listen_count - index) * sizeof(unseen->listens[0]));
}

static size_t count_listens(const struct unseen *unseen, const void *tree)
{
	size_t count = 0;

	for (size_t i = 0; i < unseen->listen_count; i++)
		count += unseen->listens[i].tree == tree;
	return count;
}

/* Drops the oldest reported listen(2) of the tree that has the most of them. */
static void drop_dispensable(struct unseen *unseen, const void *tree)
{
	const struct listen *listens = unseen->listens;
	size_t most = 0, found = 0;

	for (size_t i = 0; i < unseen->listen_count; i++) {
		size_t count = count_listens(unseen, listens[i].tree);

		if (count > most ||
		    (count == most && listens[i].tree == tree && listens[found].tree != tree)) {
			most = count;
			found = i;
		}
	}
	drop_listen(unseen, found);
}

static void end_probe(struct unseen *unseen)
{
	struct child child;

	loop_remove(&unseen->context->loop, &unseen->source);
	unseen->source.fd = -1;
	probe_close(unseen->probe, &child);
	loop_reap(&unseen->context->loop, &child);
	unseen->probe = NULL;
	unseen->earliest = clock_now(CLOCK_MONOTONIC) + PROBE_REST;
}

void unseen_listened(struct unseen *unseen, const struct process *process,
                     const struct tcp_change *change)
{
	struct listen *listen;

	/* An unknown port (autobind) cannot be distinguished from others. */
	if (change->port == 0)
		return;
	if (unseen->listen_count == LISTENS_MAX)
		drop_dispensable(unseen, elsewhere_payer(process));
	listen = &unseen->listens[unseen->listen_count++];
	*listen = (struct listen){
		.tree = elsewhere_payer(process),
		.pid = process->pid,
		.start_time = process->start_time,
		.socket = change->socket,
		.listener.port = change->port,
		.reported = clock_now(CLOCK_MONOTONIC),
	};
	listen->due = listen->reported + LISTEN_PAUSE;
	listener_set_address(&listen->listener, change->family, change->address);
}

void unseen_ended(struct unseen *unseen, uint64_t socket)
{
	for (size_t i = unseen->listen_count; i-- > 0;)
		if (unseen->listens[i].socket == socket)
			drop_listen(unseen, i);
}

void unseen_missed(struct unseen *unseen, const struct expectation *expectation)
{
	for (size_t i = 0; i < unseen->listen_count; i++)
		if (unseen->listens[i].socket == expectation->socket)
			unseen->listens[i].due = 0;
}

/* The outcome of a reported listen(2), best first. */
enum outcome {
	HELD, /* the member holds a listening socket on the port, or no watcher reports the port */
	PENDING, /* the search for the owner has not ended */
	UNHELD,  /* a new socket is on the port, and no member holds it */
	UNSEEN,  /* no table has a socket on the port */
};

static enum outcome outcome_of(const struct listen *listen, const struct view *view,
                               const struct listener *row)
{
	const struct socket *socket = view_find(view, row);

	/* The subscription does not report the address. */
	if (!socket)
		return HELD;
	if (socket_is_pending(socket))
		return PENDING;
	if (holder_set_names(&socket->holders, listen->pid) || socket->holders.others > 0)
		return HELD;
	return socket->state == SOCKET_UNATTRIBUTED && socket->seen >= listen->reported ? UNHELD
	                                                                                : UNSEEN;
}

/* Returns the best outcome of all sockets on the port in one namespace. */
static enum outcome find_outcome(const struct listen *listen, const struct view *view)
{
	const struct snapshot *known = &view->ns->known;
	enum outcome best = UNSEEN;

	if (view->ns->evaluation)
		return PENDING;
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

/* Returns the best outcome in all namespaces of the member. */
static enum outcome find_outcome_everywhere(const struct unseen *unseen,
                                            const struct subscription *subscription,
                                            const struct process *process,
                                            const struct listen *listen)
{
	enum outcome best = UNSEEN;
	struct view *view;

	list_each (view, &subscription->views, struct view, of_subscription) {
		enum outcome outcome;

		if (!netns_id_is_same(&view->ns->id, &process->netns) &&
		    !elsewhere_knows(unseen->elsewhere, process, &view->ns->id))
			continue;
		outcome = find_outcome(listen, view);
		best = outcome < best ? outcome : best;
	}
	return best;
}

/* Logged once for each watcher, because a second message adds no information. */
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

static void warn_all(struct unseen *unseen, const struct process *process,
                     const struct listen *listen, int error)
{
	struct subscription *subscription;
	char why[LOG_TEXT];

	snprintf(why, sizeof(why),
	         "the socket belongs to a network namespace that can't be found: %s",
	         strerrordesc_np(error));
	list_each (subscription, &unseen->subscriptions->list, struct subscription, link)
		if (subscription->scope && scope_contains(subscription->scope, process))
			warn(subscription, process, listen, why);
}

/* The probe has found the namespace of a socket: adds it as a place. */
static void take_place(struct unseen *unseen, const struct process *process,
                       const struct probe_result *result)
{
	struct netns *ns;

	if (netns_id_is_same(&process->netns, &result->id))
		fd_close(result->netns);
	else if (!elsewhere_keep(unseen->elsewhere, process, &result->id, result->netns))
		return;
	subscription_move_all(unseen->subscriptions, process);
	for (ns = netns_find(unseen->subscriptions->namespaces, &result->id); ns;
	     ns = netns_find_next(ns))
		netns_read_now(ns);
}

static const struct process *find_listener(const struct unseen *unseen, const struct listen *listen)
{
	const struct process *process = process_table_find(unseen->context->processes, listen->pid);

	return process && process->start_time == listen->start_time ? process : NULL;
}

/* Continues the search of the descriptors, unless its result would come too late. */
static void search_further(struct unseen *unseen, const struct listen *listen, uint64_t now)
{
	if (listen->first == 0 || now >= listen->reported + LISTEN_MAX)
		return;
	if (unseen->listen_count == LISTENS_MAX)
		drop_dispensable(unseen, listen->tree);
	unseen->listens[unseen->listen_count] = *listen;
	unseen->listens[unseen->listen_count++].due = now + PROBE_REST;
}

static void probe_ended(struct unseen *unseen, int error, const struct probe_result *result)
{
	const struct listen listen = unseen->probed;
	const struct process *process = find_listener(unseen, &listen);

	end_probe(unseen);
	if (error == 0 && process)
		take_place(unseen, process, result);
	else if (error == 0)
		fd_close(result->netns);
	else if (process && error == -ENOENT)
		search_further(unseen, &listen, clock_now(CLOCK_MONOTONIC));
	/* If the process is gone or has closed the socket meanwhile, there is nothing to report. */
	else if (process && error != -ENOENT && error != -ESRCH)
		warn_all(unseen, process, &listen, -error);
}

static void answered(struct source *source)
{
	struct unseen *unseen = container_of(source, struct unseen, source);
	struct probe_result result = {.netns = -1};
	int error = probe_take(unseen->probe, &result);

	if (error == -EAGAIN)
		return;
	probe_ended(unseen, error, &result);
}

/* The probe skips sockets that some table shows. */
static bool is_known(void *data, uint64_t inode)
{
	const struct unseen *unseen = data;
	struct subscription *subscription;

	list_each (subscription, &unseen->subscriptions->list, struct subscription, link)
		if (hash_find(&subscription->sockets, inode))
			return true;
	return false;
}

static void begin_probe(struct unseen *unseen, const struct process *process,
                        const struct listen *listen, uint64_t now)
{
	struct listen rest = *listen;
	struct probe_target target = {
		.procfs = &unseen->context->procfs,
		.pid = process->pid,
		.start_time = process->start_time,
		.port = listen->listener.port,
		.first = listen->first,
		.next = &rest.first,
		.known = is_known,
		.data = unseen,
	};
	int result;

	rest.first = 0;
	result = unseen->context->loop.reaping_count < REAPING_MAX
	                 ? probe_start(&unseen->probe, &target)
	                 : -EBUSY;

	unseen->earliest = now + PROBE_REST;
	if (result == 0) {
		unseen->probed = rest;
		unseen->deadline = now + PROBE_DEADLINE;
		unseen->source.fd = probe_fd(unseen->probe);
		unseen->source.ready = answered;
		result = loop_add(&unseen->context->loop, &unseen->source);
		if (result < 0)
			probe_ended(unseen, result, NULL);
		return;
	}
	if (result == -ENOENT)
		search_further(unseen, &rest, now);
	else if (result != -ESRCH)
		warn_all(unseen, process, listen, -result);
}

/* Returns the best outcome of all watchers. In a scope that counts every process, another owner is
 * an outcome too. */
static enum outcome conclude(struct unseen *unseen, const struct process *process,
                             const struct listen *listen, bool last)
{
	enum outcome best = HELD;
	struct subscription *subscription;

	list_each (subscription, &unseen->subscriptions->list, struct subscription, link) {
		enum outcome outcome;

		if (!subscription->scope || subscription->state != SUBSCRIPTION_RUNNING ||
		    scope_counts_everybody(subscription->scope) ||
		    !scope_contains(subscription->scope, process))
			continue;
		outcome = find_outcome_everywhere(unseen, subscription, process, listen);
		if (outcome == UNHELD && last)
			warn(subscription, process, listen,
			     "no readable descriptor refers to the socket");
		best = outcome > best ? outcome : best;
	}
	return best;
}

enum next_step {
	DONE,
	WAIT,
	ASK, /* probe the descriptors of the process */
};

static enum next_step work_at(struct unseen *unseen, struct listen *listen, uint64_t now)
{
	const struct process *process = find_listener(unseen, listen);
	bool last = now >= listen->reported + LISTEN_PAUSE;

	if (!process)
		return DONE;
	switch (conclude(unseen, process, listen, last)) {
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
	if (!unseen->probe && now >= unseen->earliest)
		return ASK;
	listen->due = unseen->earliest > now ? unseen->earliest : now + PROBE_REST;
	return now >= listen->reported + LISTEN_MAX ? DONE : WAIT;
}

/* When a probe was made last for the tree of a process. */
static uint64_t *last_probe(struct unseen *unseen, const struct listen *listen)
{
	const struct process *process = find_listener(unseen, listen);
	struct subscription *subscription =
		process ? subscription_of(unseen->subscriptions, process, NULL) : NULL;

	return subscription ? &subscription->probed : NULL;
}

/* Starts the next probe. One probe runs at a time. It serves the tree that has waited longest, so
 * that each other tree can delay it by one probe at most. */
static void probe_next(struct unseen *unseen, uint64_t now)
{
	size_t chosen = unseen->listen_count;
	uint64_t *last = NULL;
	struct listen listen;

	for (size_t i = 0; i < unseen->listen_count; i++) {
		uint64_t *probed =
			unseen->listens[i].asks ? last_probe(unseen, &unseen->listens[i]) : NULL;

		if (!probed || (last && *probed >= *last))
			continue;
		last = probed;
		chosen = i;
	}
	if (!last)
		return;
	*last = now;
	listen = unseen->listens[chosen];
	drop_listen(unseen, chosen);
	begin_probe(unseen, find_listener(unseen, &listen), &listen, now);
}

void unseen_work(struct unseen *unseen, uint64_t now)
{
	bool asks = false;

	if (unseen->probe && now >= unseen->deadline)
		probe_ended(unseen, -ETIMEDOUT, NULL);
	for (size_t i = unseen->listen_count; i-- > 0;) {
		struct listen *listen = &unseen->listens[i];
		enum next_step next = WAIT;

		if (now >= listen->due)
			next = work_at(unseen, listen, now);
		listen->asks = next == ASK;
		asks |= next == ASK;
		if (next == ASK)
			listen->due = now + PROBE_REST;
		else if (next == DONE)
			drop_listen(unseen, i);
	}
	if (asks)
		probe_next(unseen, now);
}

uint64_t unseen_due(const struct unseen *unseen)
{
	uint64_t due = unseen->probe ? unseen->deadline : UINT64_MAX;

	for (size_t i = 0; i < unseen->listen_count; i++)
		due = clock_earlier(due, unseen->listens[i].due);
	return due;
}

bool unseen_is_child(const struct unseen *unseen, pid_t pid)
{
	return unseen->probe && probe_pid(unseen->probe) == pid;
}

void unseen_init(struct unseen *unseen, struct elsewhere *elsewhere)
{
	*unseen = (struct unseen){
		.context = elsewhere->context,
		.subscriptions = elsewhere->subscriptions,
		.elsewhere = elsewhere,
		.source.fd = -1,
	};
}

void unseen_clear(struct unseen *unseen)
{
	if (unseen->probe)
		end_probe(unseen);
}
