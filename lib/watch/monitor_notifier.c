/* SPDX-License-Identifier: MIT */
/* monitor_notifier.c - from a kernel event to the namespace that is read and the tree that grows */
#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/caps.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "watch/subscription.h"

/* Sockets of members whose end may be told by a stranger; with more than that it begins anew, and
 * leaves the ends of those that were dropped to the poll. */
#define KNOWN_SOCKETS_MAX 65536

/* Records that are handled before the monitor turns to what else there is. */
#define SLICE 4096

/* Between two times that what is followed is told anew. */
#define REFOLLOW (10 * NSEC_PER_SEC)

/* A socket of a member that listens. */
struct known_socket {
	uint64_t socket; /* the kernel's address of it */
	uint64_t netns;  /* serial number of its worker */
};

static int compare(const void *left, const void *right)
{
	const struct known_socket *a = left, *b = right;

	return (a->socket > b->socket) - (a->socket < b->socket);
}

static struct netns *find_by_id(struct monitor *monitor, const struct netns_id *id,
                                struct netns *after)
{
	struct netns *ns;
	bool passed = !after;

	list_each (ns, &monitor->namespaces, struct netns, link) {
		if (passed && ns->id.ino == id->ino && ns->id.dev == id->dev)
			return ns;
		passed |= ns == after;
	}
	return NULL;
}

static void forget_all(struct monitor *monitor)
{
	tdestroy(monitor->known_sockets, free);
	monitor->known_sockets = NULL;
	monitor->known_socket_count = 0;
}

static void remember(struct monitor *monitor, uint64_t socket, uint64_t netns)
{
	struct known_socket *known_socket, **place;

	if (monitor->known_socket_count >= KNOWN_SOCKETS_MAX)
		forget_all(monitor);
	known_socket = malloc(sizeof(*known_socket));
	if (!known_socket)
		return;
	*known_socket = (struct known_socket){socket, netns};
	place = tsearch(known_socket, &monitor->known_sockets, compare);
	if (place && *place == known_socket) {
		monitor->known_socket_count++;
		return;
	}
	if (place)
		(*place)->netns = netns; /* the kernel has used the address again */
	free(known_socket);
}

/* Forgets a socket. Returns the serial number of its worker; 0 if it wasn't known. */
static uint64_t forget(struct monitor *monitor, uint64_t socket)
{
	struct known_socket key = {.socket = socket},
			    **found = tfind(&key, &monitor->known_sockets, compare), *known_socket;
	uint64_t netns;

	if (!found)
		return 0;
	known_socket = *found;
	netns = known_socket->netns;
	tdelete(known_socket, &monitor->known_sockets, compare);
	free(known_socket);
	monitor->known_socket_count--;
	return netns;
}

/* What a record says of non-members goes no further: the figures that a host program may ask for
 * count those about what is watched. */
static void count(struct monitor *monitor)
{
	monitor->stats[PORTWATCH_STAT_NOTIFIER_RECORDS]++;
}

/* Reads the workers of a namespace, expecting what was told. */
static void ring(struct monitor *monitor, const struct netns_id *id,
                 const struct tcp_change *change)
{
	struct netns *ns = NULL;

	while ((ns = find_by_id(monitor, id, ns))) {
		netns_expect(ns, change);
		if (change->listening)
			remember(monitor, change->socket, ns->serial);
	}
}

/* member NULL: the process is a member of no tree. */
static void add_candidate(struct monitor *monitor, pid_t pid, const struct process *member)
{
	struct subscription *subscription;

	list_each (subscription, &monitor->subscriptions, struct subscription, link)
		if (subscription->scope &&
		    (scope_counts_everybody(subscription->scope) ||
		     (member && scope_contains(subscription->scope, member))))
			owners_add_candidate(subscription, pid);
}

static void member_changed(struct monitor *monitor, struct process *process,
                           const struct tcp_change *change)
{
	bool moved = process_locate(monitor->processes, process) > 0;
	struct place *place = NULL;

	/* A process or a thread that moves and listens: its new namespace must have a worker first.
	 */
	if ((change->listening && elsewhere_listened(monitor, process, change)) || moved)
		placement_update(monitor);
	if (change->listening)
		add_candidate(monitor, process->pid, process);
	if (process->netns_known)
		ring(monitor, &process->netns, change);
	while ((place = elsewhere_next(monitor, process, place)))
		ring(monitor, &place->id, change);
}

/* A stranger matters where a whole namespace is watched. */
static void non_member_changed(struct monitor *monitor, const struct tcp_change *change)
{
	CLEANUP_CLOSE int process = -1;
	struct netns_id id;

	if (!monitor->everybody_counts || change->pid == 0)
		return;
	process = procfs_open_process(&monitor->procfs, change->pid);
	if (process < 0 || procfs_netns(process, &id) < 0 || !find_by_id(monitor, &id, NULL))
		return;
	count(monitor);
	if (change->listening)
		add_candidate(monitor, change->pid, NULL);
	ring(monitor, &id, change);
}

static void changed(void *data, const struct tcp_change *change)
{
	struct monitor *monitor = data;
	uint64_t netns = change->listening ? 0 : forget(monitor, change->socket);
	struct process *process = process_table_find(monitor->processes, change->pid);
	struct netns *ns;

	if (netns || process)
		count(monitor);
	if (!change->listening)
		elsewhere_ended(monitor, change->socket);
	if (netns && !(process && elsewhere_next(monitor, process, NULL))) {
		list_each (ns, &monitor->namespaces, struct netns, link)
			if (ns->serial == netns)
				netns_expect(ns, change);
	} else if (process) {
		member_changed(monitor, process, change);
	} else {
		non_member_changed(monitor, change);
	}
}

static bool forked(void *data, pid_t parent, pid_t child)
{
	struct monitor *monitor = data;

	if (!process_table_find(monitor->processes, parent))
		return false;
	count(monitor);
	if (process_table_forked(monitor->processes, parent, child) < 0)
		monitor->forked = true;
	return true;
}

/* It is the same process by another name, and may have let go of sockets. */
static bool execed(void *data, pid_t pid)
{
	struct monitor *monitor = data;
	struct process *process = process_table_find(monitor->processes, pid);
	struct subscription *subscription;

	if (!process)
		return false;
	count(monitor);
	process_table_reread(monitor->processes, process);
	schedule_started(monitor, process);
	list_each (subscription, &monitor->subscriptions, struct subscription, link)
		if (subscription->scope && scope_contains(subscription->scope, process)) {
			owners_execed(subscription, process);
			monitor->touched = true;
		}
	return true;
}

static bool exited(void *data, pid_t pid)
{
	struct monitor *monitor = data;

	if (!process_table_find(monitor->processes, pid))
		return false;
	count(monitor);
	monitor->exited = true;
	return true;
}

/* What it did before that was reported: it may have called exec, or exited. */
static void followed(void *data, pid_t pid)
{
	struct monitor *monitor = data;
	struct process *process = process_table_find(monitor->processes, pid);

	if (process && process_table_reread(monitor->processes, process) == 0)
		monitor->exited = true;
}

/* What the records would have told is found by looking at everything. The ends of sockets may have
 * been among it: those would be kept for ever. */
static void lost(void *data, uint64_t records)
{
	struct monitor *monitor = data;
	struct netns *ns;

	(void)records; /* of whom is not known */
	monitor->stats[PORTWATCH_STAT_NOTIFIER_LOST]++;
	monitor->forked = true;
	monitor->refollow = true;
	if (!monitor_notified(monitor, NOTIFIER_LISTEN))
		return;
	forget_all(monitor);
	list_each (ns, &monitor->namespaces, struct netns, link)
		netns_lost(ns);
}

static void readable(struct source *source)
{
	(void)source; /* drained at each turn */
}

static const struct notifier_hooks hooks = {
	.changed = changed,
	.forked = forked,
	.execed = execed,
	.exited = exited,
	.followed = followed,
	.lost = lost,
};

bool monitor_notified(const struct monitor *monitor, enum notifier_kind kind)
{
	return monitor->notifier && notifier_way(monitor->notifier, kind) != NOTIFIER_NONE;
}

/* Adds "NAME: REASON" to a text of NOTIFIER_TEXT bytes. */
static void append(char *text, const char *name, const char *reason)
{
	size_t length = strlen(text);

	snprintf(text + length, NOTIFIER_TEXT - length, "%s%s: %s", length ? "; " : "", name,
	         reason);
}

void monitor_notifier_reason(const struct monitor *monitor, enum notifier_kind kind,
                             char text[NOTIFIER_TEXT])
{
	char reason[LOG_TEXT];

	text[0] = '\0';
	if (!monitor->notifier)
		snprintf(text, NOTIFIER_TEXT, "%s",
		         log_failure(&monitor->notifier_failure, reason));
	for (int way = NOTIFIER_NONE + 1; monitor->notifier && way < NOTIFIER_WAYS; way++) {
		struct failure failure = notifier_failure(monitor->notifier, way);

		if (failure.step && notifier_way_kind(way) == kind)
			append(text, notifier_way_name(way), log_failure(&failure, reason));
	}
}

/* Says by which way the kernel reports a kind of events, or why by none. */
static void tell_of(struct monitor *monitor, struct subscription *subscription,
                    enum notifier_kind kind)
{
	static const char *const names[NOTIFIER_KINDS] = {
		[NOTIFIER_LISTEN] = "listen(2)",
		[NOTIFIER_PROCESSES] = "processes",
	};
	char text[NOTIFIER_TEXT];

	if (monitor_notified(monitor, kind)) {
		log_write(&subscription->log, PORTWATCH_LOG_INFO,
		          "notifier: the kernel reports %s at once (%s)", names[kind],
		          notifier_way_name(notifier_way(monitor->notifier, kind)));
		return;
	}
	monitor_notifier_reason(monitor, kind, text);
	log_write(&subscription->log, PORTWATCH_LOG_INFO, "no notifier for %s, polling instead: %s",
	          names[kind], text);
	if (kind == NOTIFIER_PROCESSES)
		log_write(&subscription->log, PORTWATCH_LOG_INFO,
		          "a process whose parent exits before anybody looks is followed only "
		          "where its session or process group shows whose it is, and not where it "
		          "has made a session of its own (setsid)");
}

/* All the ways in use, as one number; -1: there is no notifier. */
static int ways_in_use(const struct monitor *monitor)
{
	int ways = 0;

	if (!monitor->notifier)
		return -1;
	for (int kind = 0; kind < NOTIFIER_KINDS; kind++)
		ways = ways * NOTIFIER_WAYS + (int)notifier_way(monitor->notifier, kind);
	return ways;
}

/* Each watcher is told once, and again when that has changed: another one's start may have been
 * another attempt. */
static void tell(struct monitor *monitor, struct subscription *subscription)
{
	int ways = ways_in_use(monitor);

	if (subscription->logged_notifier && subscription->notifier_logged == ways)
		return;
	subscription->logged_notifier = true;
	subscription->notifier_logged = ways;
	for (int kind = 0; kind < NOTIFIER_KINDS; kind++)
		tell_of(monitor, subscription, kind);
}

static void open_notifier(struct monitor *monitor)
{
	caps_set taken = caps_begin(CAPS_NOTIFIER);
	int result;

	result = notifier_open(&monitor->notifier, &hooks, monitor, NOTIFIER_ALL_WAYS,
	                       &monitor->notifier_failure);
	caps_end(taken);
	if (result == 0) {
		monitor->notifier_source = (struct source){
			.fd = notifier_fd(monitor->notifier),
			.ready = readable,
		};
		result = loop_add(&monitor->loop, &monitor->notifier_source);
		if (result < 0) {
			notifier_close(monitor->notifier);
			monitor->notifier_failure =
				(struct failure){"wait for the notifier", -result};
		}
	}
	if (result == 0) {
		monitor->notifier_failure = (struct failure){0};
		monitor->forked = true; /* what came before the first record */
		monitor->refollow = true;
	} else {
		monitor->notifier = NULL;
	}
}

static void close_notifier(struct monitor *monitor)
{
	loop_remove(&monitor->loop, &monitor->notifier_source);
	notifier_close(monitor->notifier);
	monitor->notifier = NULL;
	monitor->notifier_more = false;
	forget_all(monitor);
}

/* Another attempt. The old one goes when the new one is there, so that nothing happens unseen. */
static void reopen_notifier(struct monitor *monitor)
{
	struct notifier *old = monitor->notifier;

	loop_remove(&monitor->loop, &monitor->notifier_source);
	open_notifier(monitor);
	notifier_drain(old, SLICE);
	notifier_close(old);
}

static bool wants_notifier(const struct subscription *subscription)
{
	return subscription->options.notifier && subscription->state < SUBSCRIPTION_ENDED;
}

void monitor_notifier_update(struct monitor *monitor)
{
	struct subscription *subscription;
	unsigned int wanted = 0;

	monitor->everybody_counts = false;
	list_each (subscription, &monitor->subscriptions, struct subscription, link) {
		wanted += wants_notifier(subscription);
		monitor->everybody_counts |=
			subscription->scope && scope_counts_everybody(subscription->scope);
	}
	/* Where it doesn't report listen(2), another watcher's start is another attempt. */
	if (monitor->notifier && !wanted)
		close_notifier(monitor);
	else if (monitor->notifier && !monitor_notified(monitor, NOTIFIER_LISTEN) &&
	         monitor->notifier_wanted < wanted)
		reopen_notifier(monitor);
	else if (!monitor->notifier && monitor->notifier_wanted < wanted)
		open_notifier(monitor);
	monitor->notifier_wanted = wanted;
	process_table_defer(monitor->processes, monitor_notified(monitor, NOTIFIER_PROCESSES));
	if (process_table_find_orphans(monitor->processes,
	                               !monitor_notified(monitor, NOTIFIER_PROCESSES)) < 0)
		monitor->refresh_failed = true;
	list_each (subscription, &monitor->subscriptions, struct subscription, link)
		if (wants_notifier(subscription))
			tell(monitor, subscription);
}

void monitor_notifier_drain(struct monitor *monitor)
{
	if (monitor->notifier)
		monitor->notifier_more = notifier_drain(monitor->notifier, SLICE);
	/* All that those have done who had exited before is taken in now. */
	if (!monitor_notifier_is_behind(monitor))
		process_table_part(monitor->processes);
}

bool monitor_notifier_is_behind(const struct monitor *monitor)
{
	return monitor->notifier &&
	       (monitor->notifier_more || notifier_is_behind(monitor->notifier));
}

static void keep(void *data, struct process *process)
{
	struct monitor *monitor = data;

	notifier_keep(monitor->notifier, process->pid);
}

void monitor_notifier_before_scan(struct monitor *monitor)
{
	if (monitor->notifier)
		notifier_widen(monitor->notifier);
}

void monitor_notifier_after_scan(struct monitor *monitor)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	if (!monitor->notifier || (!monitor->refollow && now < monitor->refollow_due))
		return;
	/* Without those that are gone. */
	monitor->refollow = false;
	monitor->refollow_due = now + REFOLLOW;
	notifier_reset(monitor->notifier);
	process_table_each(monitor->processes, keep, monitor);
}

void monitor_notifier_settle(struct monitor *monitor, bool poll)
{
	/* While the trees are scanned nothing is to be missed. */
	if (monitor->notifier && !monitor->refreshing &&
	    (poll || notifier_is_unsettled(monitor->notifier)))
		notifier_settle(monitor->notifier, procfs_last_pid(&monitor->procfs));
}

void monitor_notifier_end(struct monitor *monitor)
{
	if (monitor->notifier)
		close_notifier(monitor);
}
