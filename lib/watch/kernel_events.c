/* SPDX-License-Identifier: MIT */
/* kernel_events.c - assigns kernel events to namespaces and trees */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/process_orphans.h"
#include "proc/process_scan.h"
#include "util/caps.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "watch/elsewhere.h"
#include "watch/kernel_events.h"
#include "watch/placement.h"
#include "watch/subscription.h"
#include "watch/unseen.h"

/* The most sockets of members that are remembered, because a non-member may be reported to close
 * them. When the list is full, it is cleared, and polling finds the ends of the dropped sockets. */
#define KNOWN_SOCKETS_MAX 65536

/* The most records that are handled before the monitor does other work. */
#define SLICE 4096

/* The time after which the set of followed processes is rebuilt. */
#define REFOLLOW (10 * NSEC_PER_SEC)

/* A listening socket of a member. */
struct known_socket {
	uint64_t socket; /* the kernel's address of it */
	uint64_t netns;  /* serial number of the worker of its namespace */
};

static int compare(const void *left, const void *right)
{
	const struct known_socket *a = left, *b = right;

	return (a->socket > b->socket) - (a->socket < b->socket);
}

static void forget_all(struct kernel_events *events)
{
	tdestroy(events->known_sockets, free);
	events->known_sockets = NULL;
	events->known_socket_count = 0;
}

static void remember(struct kernel_events *events, uint64_t socket, uint64_t netns)
{
	struct known_socket *known_socket, **place;

	if (events->known_socket_count >= KNOWN_SOCKETS_MAX)
		forget_all(events);
	known_socket = malloc(sizeof(*known_socket));
	if (!known_socket)
		return;
	*known_socket = (struct known_socket){socket, netns};
	place = tsearch(known_socket, &events->known_sockets, compare);
	if (place && *place == known_socket) {
		events->known_socket_count++;
		return;
	}
	if (place)
		(*place)->netns = netns; /* the kernel has reused the address */
	free(known_socket);
}

/* Removes a socket. Returns the serial number of its worker; 0 if the socket is unknown. */
static uint64_t forget(struct kernel_events *events, uint64_t socket)
{
	struct known_socket key = {.socket = socket},
			    **found = tfind(&key, &events->known_sockets, compare), *known_socket;
	uint64_t netns;

	if (!found)
		return 0;
	known_socket = *found;
	netns = known_socket->netns;
	tdelete(known_socket, &events->known_sockets, compare);
	free(known_socket);
	events->known_socket_count--;
	return netns;
}

/* Only records about watched processes and namespaces are counted, because the statistics must
 * reveal nothing about other processes. */
static void count(struct kernel_events *events)
{
	events->context->stats[PORTWATCH_STAT_NOTIFIER_RECORDS]++;
}

/* Makes the workers of a namespace expect the reported listener. */
static void expect(struct kernel_events *events, const struct netns_id *id,
                   const struct tcp_change *change)
{
	struct netns *ns;

	for (ns = netns_find(events->namespaces, id); ns; ns = netns_find_next(ns)) {
		netns_expect(ns, change);
		if (change->listening)
			remember(events, change->socket, ns->serial);
	}
}

/* Adds a candidate to each subscription whose scope counts every process and reads the namespace.
 * member NULL: the process is not a member of any tree. */
static void add_outside_candidate(struct kernel_events *events, pid_t pid,
                                  const struct process *member, const struct netns_id *id)
{
	struct netns *ns;
	struct view *view;

	for (ns = netns_find(events->namespaces, id); ns; ns = netns_find_next(ns))
		list_each (view, &ns->views, struct view, of_namespace) {
			const struct scope *scope = view->subscription->scope;

			if (scope_counts_everybody(scope) &&
			    !(member && scope_contains(scope, member)))
				owners_add_candidate(view->subscription, pid);
		}
}

static void add_candidate(struct kernel_events *events, const struct process *process)
{
	struct subscription *subscription = NULL;

	while ((subscription = subscription_of(events->subscriptions, process, subscription)))
		owners_add_candidate(subscription, process->pid);
	if (events->everybody_counts && process->netns_known)
		add_outside_candidate(events, process->pid, process, &process->netns);
}

/* Whether a thread must be located. All records of one drain are older than the drain, so what was
 * found since it began holds for all of them: a process that listens thousands of times is located
 * once. */
static bool must_locate(struct kernel_events *events, const struct process *process, pid_t tid)
{
	struct located *located = &events->located[(unsigned int)tid % LOCATED_MAX];

	if (located->tid == tid && located->start_time == process->start_time &&
	    located->drain == events->drains && process->netns_known)
		return false;
	*located = (struct located){tid, process->start_time, events->drains};
	return true;
}

static void member_changed(struct kernel_events *events, struct process *process,
                           const struct tcp_change *change)
{
	struct place *place = NULL;

	if (must_locate(events, process, process->pid))
		placement_find(events->placement, process);
	if (change->listening) {
		unseen_listened(events->unseen, process, change);
		if (change->tid != process->pid && must_locate(events, process, change->tid))
			elsewhere_look_at(events->elsewhere, process, change->tid);
	}
	/* The process or thread may have moved before listen(2): its new namespace must have a
	 * worker first. */
	placement_update(events->placement);
	if (change->listening)
		add_candidate(events, process);
	if (process->netns_known)
		expect(events, &process->netns, change);
	while ((place = elsewhere_next(events->elsewhere, process, place)))
		expect(events, &place->id, change);
}

/* Events of a non-member matter only if a subscription watches a whole namespace. */
static void non_member_changed(struct kernel_events *events, const struct tcp_change *change)
{
	CLEANUP_CLOSE int process = -1;
	struct netns_id id;

	if (!events->everybody_counts || change->pid == 0)
		return;
	process = procfs_open_process(&events->context->procfs, change->pid);
	if (process < 0 || procfs_netns(process, &id) < 0 || !netns_find(events->namespaces, &id))
		return;
	count(events);
	if (change->listening)
		add_outside_candidate(events, change->pid, NULL, &id);
	expect(events, &id, change);
}

static void changed(void *data, const struct tcp_change *change)
{
	struct kernel_events *events = data;
	uint64_t netns = change->listening ? 0 : forget(events, change->socket);
	struct process *process = process_table_find(events->context->processes, change->pid);
	struct netns *ns;

	if (netns || process)
		count(events);
	if (!change->listening)
		unseen_ended(events->unseen, change->socket);
	if (netns && !(process && elsewhere_next(events->elsewhere, process, NULL))) {
		ns = netns_find_serial(events->namespaces, netns);
		if (ns)
			netns_expect(ns, change);
	} else if (process) {
		member_changed(events, process, change);
	} else {
		non_member_changed(events, change);
	}
}

static bool forked(void *data, pid_t parent, pid_t child)
{
	struct kernel_events *events = data;

	if (!process_table_find(events->context->processes, parent))
		return false;
	count(events);
	if (process_table_forked(events->context->processes, parent, child) < 0)
		events->context->forked = true;
	return true;
}

/* After an exec the process has a new name, and may have closed sockets. */
static bool execed(void *data, pid_t pid)
{
	struct kernel_events *events = data;
	struct process *process = process_table_find(events->context->processes, pid);
	struct subscription *subscription = NULL;

	if (!process)
		return false;
	count(events);
	process_table_reread(events->context->processes, process);
	while ((subscription = subscription_of(events->subscriptions, process, subscription))) {
		view_started(subscription, process);
		owners_execed(subscription, process);
	}
	return true;
}

static bool exited(void *data, pid_t pid)
{
	struct kernel_events *events = data;

	if (!process_table_find(events->context->processes, pid))
		return false;
	count(events);
	events->context->exited = true;
	return true;
}

/* Events before this moment were not reported: the process may have called exec or exited. */
static void followed(void *data, pid_t pid)
{
	struct kernel_events *events = data;
	struct process *process = process_table_find(events->context->processes, pid);

	if (process && process_table_reread(events->context->processes, process) == 0)
		events->context->exited = true;
}

/* After a loss, everything is read. The known sockets are cleared, because lost records may have
 * included their ends. */
static void lost(void *data, uint64_t records)
{
	struct kernel_events *events = data;
	struct netns *ns;

	(void)records; /* the processes are unknown */
	events->context->stats[PORTWATCH_STAT_NOTIFIER_LOST]++;
	events->context->forked = true;
	events->refollow = true;
	process_table_missed_forks(events->context->processes);
	if (!context_is_notified(events->context, NOTIFIER_LISTEN))
		return;
	forget_all(events);
	list_each (ns, &events->namespaces->list, struct netns, link)
		netns_lost(ns);
}

static void readable(struct source *source)
{
	(void)source; /* drained in each pass */
}

static const struct notifier_hooks hooks = {
	.changed = changed,
	.forked = forked,
	.execed = execed,
	.exited = exited,
	.followed = followed,
	.lost = lost,
};

/* Adds "NAME: REASON" to a text of NOTIFIER_TEXT bytes. */
static void append(char *text, const char *name, const char *reason)
{
	size_t length = strlen(text);

	snprintf(text + length, NOTIFIER_TEXT - length, "%s%s: %s", length ? "; " : "", name,
	         reason);
}

void kernel_events_reason(const struct context *context, enum notifier_kind kind,
                          char text[NOTIFIER_TEXT])
{
	char reason[LOG_TEXT];

	text[0] = '\0';
	if (!context->notifier)
		snprintf(text, NOTIFIER_TEXT, "%s",
		         log_failure(&context->notifier_failure, reason));
	for (int way = NOTIFIER_NONE + 1; context->notifier && way < NOTIFIER_WAYS; way++) {
		struct failure failure = notifier_failure(context->notifier, way);

		if (failure.step && notifier_way_kind(way) == kind)
			append(text, notifier_way_name(way), log_failure(&failure, reason));
	}
}

/* Logs the mechanism by which the kernel reports a kind of events, or why there is none. */
static void log_kind(struct kernel_events *events, struct subscription *subscription,
                     enum notifier_kind kind)
{
	static const char *const names[NOTIFIER_KINDS] = {
		[NOTIFIER_LISTEN] = "listen(2)",
		[NOTIFIER_PROCESSES] = "processes",
	};
	char text[NOTIFIER_TEXT];

	if (context_is_notified(events->context, kind)) {
		log_write(&subscription->log, PORTWATCH_LOG_INFO,
		          "notifier: the kernel reports %s at once (%s)", names[kind],
		          notifier_way_name(notifier_way(events->context->notifier, kind)));
		return;
	}
	kernel_events_reason(events->context, kind, text);
	log_write(&subscription->log, PORTWATCH_LOG_INFO, "no notifier for %s, polling instead: %s",
	          names[kind], text);
	if (kind == NOTIFIER_PROCESSES)
		log_write(&subscription->log, PORTWATCH_LOG_INFO,
		          "a process whose parent exits before the next scan is followed only "
		          "if its session or process group shows that it belongs to the tree, and "
		          "not if it "
		          "has created a session of its own (setsid)");
}

/* Returns the mechanisms in use as one number; -1: there is no notifier. */
static int ways_in_use(const struct kernel_events *events)
{
	int ways = 0;

	if (!events->context->notifier)
		return -1;
	for (int kind = 0; kind < NOTIFIER_KINDS; kind++)
		ways = ways * NOTIFIER_WAYS + (int)notifier_way(events->context->notifier, kind);
	return ways;
}

/* Logs the mechanisms once for each watcher, and again after a change: the start of another watcher
 * may have opened the notifier again. */
static void log_ways(struct kernel_events *events, struct subscription *subscription)
{
	int ways = events->ways;

	if (subscription->logged_notifier && subscription->notifier_logged == ways)
		return;
	subscription->logged_notifier = true;
	subscription->notifier_logged = ways;
	for (int kind = 0; kind < NOTIFIER_KINDS; kind++)
		log_kind(events, subscription, kind);
}

static int await_notifier(struct kernel_events *events, const struct notifier *notifier)
{
	events->source = (struct source){.fd = notifier_fd(notifier), .ready = readable};
	return loop_add(&events->context->loop, &events->source);
}

static void open_notifier(struct kernel_events *events)
{
	caps_set taken = caps_begin(CAPS_NOTIFIER);
	int result;

	result = notifier_open(&events->context->notifier, &hooks, events, NOTIFIER_ALL_WAYS,
	                       &events->context->notifier_failure);
	caps_end(taken);
	if (result == 0) {
		result = await_notifier(events, events->context->notifier);
		if (result < 0) {
			notifier_close(events->context->notifier);
			events->context->notifier_failure =
				(struct failure){"wait for the notifier", -result};
		}
	}
	if (result == 0) {
		events->context->notifier_failure = (struct failure){0};
		events->context->forked = true; /* to find forks before the first record */
		events->refollow = true;
	} else {
		events->context->notifier = NULL;
	}
}

static void close_notifier(struct kernel_events *events)
{
	loop_remove(&events->context->loop, &events->source);
	notifier_close(events->context->notifier);
	events->context->notifier = NULL;
	events->more = false;
	forget_all(events);
}

/* Opens the notifier again. The old one is closed after the new one is open, so that no event is
 * missed; if the new one fails, the old one stays. */
static void reopen_notifier(struct kernel_events *events)
{
	struct notifier *old = events->context->notifier;

	loop_remove(&events->context->loop, &events->source);
	open_notifier(events);
	if (!events->context->notifier && await_notifier(events, old) == 0) {
		events->context->notifier = old;
		return;
	}
	notifier_drain(old, SLICE);
	notifier_close(old);
	if (!events->context->notifier)
		events->more = false;
}

static bool wants_notifier(const struct subscription *subscription)
{
	return subscription->options.notifier && subscription->state < SUBSCRIPTION_ENDED;
}

int kernel_events_update(struct kernel_events *events)
{
	struct subscription *subscription;
	unsigned int wanted = 0;
	int result;

	if (!events->subscriptions->changed && ways_in_use(events) == events->ways)
		return 0;
	events->subscriptions->changed = false;
	events->everybody_counts = false;
	list_each (subscription, &events->subscriptions->list, struct subscription, link) {
		wanted += wants_notifier(subscription);
		events->everybody_counts |=
			subscription->scope && scope_counts_everybody(subscription->scope);
	}
	/* If the notifier does not report listen(2), each start of a watcher tries again. */
	if (events->context->notifier && !wanted)
		close_notifier(events);
	else if (events->context->notifier &&
	         !context_is_notified(events->context, NOTIFIER_LISTEN) && events->wanted < wanted)
		reopen_notifier(events);
	else if (!events->context->notifier && events->wanted < wanted)
		open_notifier(events);
	events->wanted = wanted;
	process_table_defer(events->context->processes,
	                    context_is_notified(events->context, NOTIFIER_PROCESSES));
	result = process_table_find_orphans(
		events->context->processes,
		!context_is_notified(events->context, NOTIFIER_PROCESSES));
	events->ways = ways_in_use(events);
	list_each (subscription, &events->subscriptions->list, struct subscription, link)
		if (wants_notifier(subscription))
			log_ways(events, subscription);
	return result;
}

void kernel_events_drain(struct kernel_events *events)
{
	events->drains++;
	if (events->context->notifier)
		events->more = notifier_drain(events->context->notifier, SLICE);
	/* All records of processes that have exited earlier have been handled now. */
	if (kernel_events_is_behind(events))
		return;
	process_table_drop_exited(events->context->processes);
	/* No more records about our own reaped children can follow. */
	loop_forget_reaped(&events->context->loop);
}

bool kernel_events_is_behind(const struct kernel_events *events)
{
	return events->context->notifier &&
	       (events->more || notifier_is_behind(events->context->notifier));
}

static void keep(void *data, struct process *process)
{
	struct kernel_events *events = data;

	notifier_keep(events->context->notifier, process->pid);
}

void kernel_events_before_scan(struct kernel_events *events)
{
	if (events->context->notifier)
		notifier_widen(events->context->notifier);
}

void kernel_events_after_scan(struct kernel_events *events)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	if (!events->context->notifier || (!events->refollow && now < events->refollow_due))
		return;
	/* Rebuilds the set without processes that are gone. */
	events->refollow = false;
	events->refollow_due = now + REFOLLOW;
	notifier_reset(events->context->notifier);
	process_table_each(events->context->processes, keep, events);
}

void kernel_events_apply(struct kernel_events *events, bool poll)
{
	struct notifier *notifier = events->context->notifier;

	if (notifier && (poll || notifier_is_unapplied(notifier)))
		notifier_apply(notifier, procfs_last_pid(&events->context->procfs));
}

void kernel_events_clear(struct kernel_events *events)
{
	if (events->context->notifier)
		close_notifier(events);
}

void kernel_events_init(struct kernel_events *events, struct subscription_table *subscriptions,
                        struct placement *placement, struct unseen *unseen)
{
	*events = (struct kernel_events){
		.context = subscriptions->context,
		.namespaces = subscriptions->namespaces,
		.subscriptions = subscriptions,
		.placement = placement,
		.unseen = unseen,
		.elsewhere = unseen->elsewhere,
		.ways = -1,
	};
}
