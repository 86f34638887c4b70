/* SPDX-License-Identifier: MIT */
/* monitor.c - the one per process: an epoll loop on one thread that keeps everything up to date */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "watch/complete.h"
#include "watch/schedule.h"
#include "util/clock.h"
#include "util/fd.h"
#include "watch/mailbox.h"
#include "watch/monitor.h"
#include "watch/subscription.h"

/* Our own helpers are never members. */
static bool is_helper(void *data, pid_t pid)
{
	struct monitor *monitor = data;
	struct netns *ns;

	list_each (ns, &monitor->namespaces, struct netns, link)
		if (ns->reader && reader_pid(ns->reader) == pid)
			return true;
	return elsewhere_is_child(monitor, pid) || loop_reaps(&monitor->loop, pid);
}

static void joined(void *data, struct process_tree *tree, struct process *process)
{
	struct monitor *monitor = data;
	struct subscription *subscription;
	bool started = false;

	monitor->moved = true;
	if (monitor->notifier)
		notifier_follow(monitor->notifier, process->pid);
	list_each (subscription, &monitor->subscriptions, struct subscription, link) {
		if (!subscription->scope || !scope_follows(subscription->scope, tree))
			continue;
		started |= subscription->state != SUBSCRIPTION_STARTING;
		owners_joined(subscription, process);
		log_write(&subscription->log, PORTWATCH_LOG_DEBUG, "process joined: PID %d (%s)",
		          (int)process->pid, process->name);
	}
	if (started)
		schedule_started(monitor, process);
}

static void left(void *data, struct process_tree *tree, struct process *process)
{
	struct monitor *monitor = data;
	struct subscription *subscription;

	monitor->moved = true;
	list_each (subscription, &monitor->subscriptions, struct subscription, link) {
		if (!subscription->scope || !scope_follows(subscription->scope, tree))
			continue;
		log_write(&subscription->log, PORTWATCH_LOG_DEBUG, "process left: PID %d (%s)",
		          (int)process->pid, process->name);
		owners_left(subscription, process);
		/* There is room for one of those. */
		monitor->forked |= scope_leaves_out(subscription->scope);
	}
}

static void refused(void *data, struct process_tree *tree)
{
	struct monitor *monitor = data;
	struct subscription *subscription;

	list_each (subscription, &monitor->subscriptions, struct subscription, link)
		if (subscription->scope && scope_follows(subscription->scope, tree))
			complete_note_members(subscription);
}

const struct process_hooks monitor_process_hooks = {
	.ignored = is_helper,
	.joined = joined,
	.left = left,
	.refused = refused,
};

/* All work is divided into slices: between two of them the monitor serves the mailbox, the notifier
 * and the other namespaces. */
#define SLICE (5 * NSEC_PER_MSEC)
/* After reading the trees, a pause of so many times what that took: forks and exits without end
 * take at most a fifth of one CPU. */
#define REFRESH_REST 4
/* However quiet it seems, and whatever says so, the trees are read again after so long, and a pause
 * of so many times the length of the reading: 0.2% of one CPU. */
#define RECHECK (10 * NSEC_PER_SEC)
#define RECHECK_REST 500

/* Reads a slice of the trees. */
static void refresh_more(struct monitor *monitor)
{
	uint64_t before = clock_now(CLOCK_MONOTONIC), now, took;
	int result = process_table_refresh_continue(monitor->processes, before + SLICE);

	now = clock_now(CLOCK_MONOTONIC);
	took = now - before;
	/* A slice can't last so long: the whole process was stopped meanwhile. */
	monitor->refresh_took += took < NSEC_PER_SEC ? took : NSEC_PER_SEC;
	monitor->refreshing = result > 0;
	if (result > 0)
		return;
	monitor_notifier_after_scan(monitor);
	monitor->touched = true;               /* for those who wait for it */
	monitor->refresh_failed |= result < 0; /* with the next poll again */
	monitor->refresh_earliest = now + monitor->refresh_took * REFRESH_REST;
	monitor->recheck = now + RECHECK + monitor->refresh_took * RECHECK_REST;
	/* Nothing says that nobody has forked: it is done in each cycle. */
	if (monitor->recent_pids.last == 0)
		monitor->scan_cost = schedule_smooth(monitor->scan_cost, monitor->refresh_took);
}

/* Begins to read the trees, or leaves it to a later turn. */
static void refresh(struct monitor *monitor)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	if (monitor->refreshing || now < monitor->refresh_earliest)
		return;
	monitor->stats[PORTWATCH_STAT_TREE_READS]++;
	recent_pids_seen(&monitor->recent_pids, procfs_last_pid(&monitor->procfs), now);
	monitor->forked = false;
	monitor->exited = false;
	monitor->refresh_took = 0;
	monitor_notifier_before_scan(monitor);
	process_table_refresh_begin(monitor->processes);
	refresh_more(monitor);
}

/* Whether processes may have come since the trees were read. */
static bool check_forks(struct monitor *monitor, uint64_t now)
{
	pid_t after, last;

	if (monitor->refresh_failed || now >= monitor->recheck) {
		monitor->refresh_failed = false;
		monitor->forked = true;
		return true;
	}
	if (monitor_notified(monitor, NOTIFIER_PROCESSES))
		return false;
	last = procfs_last_pid(&monitor->procfs);
	after = recent_pids_after(&monitor->recent_pids, last, now);
	if (after == last && last != 0)
		return false;
	if (process_scan_new(monitor->processes, after, last)) {
		recent_pids_seen(&monitor->recent_pids, last, now);
		return false;
	}
	monitor->forked = true;
	return true;
}

static void attribute(struct monitor *monitor, struct subscription *subscription, uint64_t now)
{
	bool any;

	if (!subscription->scope || subscription->state >= SUBSCRIPTION_ENDED)
		return;
	if (!subscription->attribute && now < subscription_due(subscription))
		return;
	/* A start asks each process once, about all sockets. */
	if (subscription->state == SUBSCRIPTION_STARTING &&
	    subscription->owners.phase == OWNERS_IDLE && !subscription_is_read(subscription, &any))
		return;
	/* Who holds a new socket may itself be new. */
	if (subscription->pending > 0 && check_forks(monitor, now))
		refresh(monitor);
	/* Where no event names the new processes, they are known when the reading has ended. */
	if (monitor->refreshing && !monitor_notified(monitor, NOTIFIER_PROCESSES))
		return;
	if (!owners_resolve(subscription, now))
		subscription->attribute_again = true;
}

static void begin_cycle(struct monitor *monitor, uint64_t now)
{
	struct netns *ns;
	struct subscription *subscription;

	list_each (ns, &monitor->namespaces, struct netns, link)
		if (ns->adapts)
			netns_read_now(ns);
	list_each (subscription, &monitor->subscriptions, struct subscription, link) {
		subscription->attribute |= subscription->attribute_again;
		subscription->attribute_again = false;
		outbox_retry(subscription->outbox);
	}
	monitor->polled = true;
	monitor->exited |= monitor->exit_unwatched;
	schedule_next_cycle(monitor, now);
}

/* Looks after the trees, with each poll. */
static void scan_trees(struct monitor *monitor, uint64_t now)
{
	uint64_t burst = monitor->bursting ? clock_now(CLOCK_THREAD_CPUTIME_ID) : 0;
	uint64_t before = schedule_measure(monitor);
	pid_t last = monitor->recent_pids.last;

	monitor->polled = false;
	monitor->moved |= monitor->unplaced;
	check_forks(monitor, now);
	if (process_table_find_delayed_orphans(monitor->processes) < 0)
		monitor->refresh_failed = true;
	monitor_notifier_settle(monitor, true);
	placement_locate(monitor, now);
	/* What others fork must not make the watcher deaf. */
	if (before && last == monitor->recent_pids.last && !monitor->forked)
		monitor->scan_cost =
			schedule_smooth(monitor->scan_cost, schedule_measure(monitor) - before);
	if (burst)
		allowance_take(&monitor->allowance, clock_now(CLOCK_THREAD_CPUTIME_ID) - burst);
	monitor->bursting = false;
}

static bool refresh_is_due(const struct monitor *monitor, uint64_t now)
{
	return (monitor->forked || monitor->exited) && !monitor->refreshing &&
	       now >= monitor->refresh_earliest;
}

/* Everything that is to do now. */
static void work(struct monitor *monitor, uint64_t now)
{
	struct subscription *subscription;
	struct netns *ns;
	struct view *view;

	monitor->touched = false;
	monitor_notifier_update(monitor);
	if (now >= monitor->round)
		begin_cycle(monitor, now);
	list_each (ns, &monitor->namespaces, struct netns, link)
		netns_tick(ns, now);
	if (monitor->polled)
		scan_trees(monitor, now);
	if (refresh_is_due(monitor, now))
		refresh(monitor);
	elsewhere_work(monitor, now);
	if (monitor->moved)
		placement_update(monitor);
	list_each (subscription, &monitor->subscriptions, struct subscription, link) {
		attribute(monitor, subscription, now);
		list_each (view, &subscription->views, struct view, of_subscription)
			view_resolve(view);
		if (subscription->state == SUBSCRIPTION_STARTING)
			subscription_advance(subscription, now);
	}
}

/* When there is something to do again. */
static uint64_t next_due(struct monitor *monitor, uint64_t now)
{
	uint64_t due = monitor->round;
	struct netns *ns;
	struct subscription *subscription;

	if (monitor->moved)
		return 0;
	list_each (ns, &monitor->namespaces, struct netns, link)
		if (netns_due(ns) < due)
			due = netns_due(ns);
	list_each (subscription, &monitor->subscriptions, struct subscription, link)
		if (subscription_due(subscription) < due)
			due = subscription_due(subscription);
	if (elsewhere_due(monitor) < due)
		due = elsewhere_due(monitor);
	if (loop_reap_more(&monitor->loop) && now + 10 * NSEC_PER_MSEC < due)
		due = now + 10 * NSEC_PER_MSEC;
	return due;
}

/* One turn. What strangers do costs no look at all namespaces. Returns how many milliseconds there
 * is nothing to do; rounded up, so that it is due then. */
static int turn(struct monitor *monitor)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC), due;

	monitor_notifier_drain(monitor);
	if (monitor->refreshing)
		refresh_more(monitor);
	inits_walk(&monitor->inits, clock_now(CLOCK_MONOTONIC) + SLICE);
	if (monitor->touched || monitor->moved || now >= monitor->due ||
	    refresh_is_due(monitor, now)) {
		work(monitor, now);
		now = clock_now(CLOCK_MONOTONIC);
		monitor->due = next_due(monitor, now);
	}
	monitor_notifier_settle(monitor, false);
	due = monitor->due;
	if ((monitor->forked || monitor->exited) && monitor->refresh_earliest < due)
		due = monitor->refresh_earliest;
	if (monitor->notifier_more || monitor->refreshing || monitor->inits.list >= 0)
		return 0;
	/* They part with the next drain. */
	if (process_table_is_parting(monitor->processes) && !monitor_notifier_is_behind(monitor))
		return 0;
	if (monitor->notifier && notifier_due(monitor->notifier) < due)
		due = notifier_due(monitor->notifier);
	return due <= now ? 0 : (int)((due - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

static void woken(struct source *source)
{
	struct monitor *monitor = container_of(source, struct monitor, wake);
	eventfd_t value;

	eventfd_read(source->fd, &value);
	mailbox_serve(monitor, 0);
	monitor->touched = true;
	monitor->quit = mailbox_is_idle();
}

static int open_all(struct monitor *monitor)
{
	int result = procfs_open(&monitor->procfs, "/proc");

	if (result < 0)
		return result;
	if (!procfs_is_ours(&monitor->procfs))
		return -ENOENT;
	inits_init(&monitor->inits, &monitor->procfs);
	result = process_table_new(&monitor->processes, &monitor->procfs, &monitor_process_hooks,
	                           monitor);
	if (result < 0)
		return result;
	result = loop_open(&monitor->loop);
	if (result < 0)
		return result;
	monitor->wake.ready = woken;
	monitor->wake.fd = mailbox_fd();
	return loop_add(&monitor->loop, &monitor->wake);
}

/* Gives back all that the monitor holds. There are no subscriptions by then. */
static void monitor_free(struct monitor *monitor)
{
	struct netns *ns;

	monitor_notifier_end(monitor);
	elsewhere_clear(monitor);
	list_each (ns, &monitor->namespaces, struct netns, link)
		netns_free(ns);
	loop_close(&monitor->loop);
	inits_clear(&monitor->inits);
	process_table_free(monitor->processes);
	procfs_close(&monitor->procfs);
	free(monitor);
}

static int monitor_new(struct monitor **monitor)
{
	struct monitor *new = calloc(1, sizeof(*new));
	int result;

	if (!new)
		return -ENOMEM;
	new->procfs.fd = -1;
	new->procfs.loadavg = -1;
	list_init(&new->namespaces);
	list_init(&new->subscriptions);
	list_init(&new->helpers);
	elsewhere_init(new);
	allowance_open(&new->allowance, clock_now(CLOCK_MONOTONIC));
	result = open_all(new);
	if (result < 0)
		monitor_free(new);
	else
		*monitor = new;
	return result;
}

/* A monitor lives while watchers need it. Watchers that come while the last one is taken apart get
 * another, from the same thread, so that there are never two. */
void *monitor_thread(void *data)
{
	(void)data;
	while (mailbox_is_needed()) {
		struct monitor *monitor = NULL;
		int error = monitor_new(&monitor);

		if (error < 0) {
			mailbox_refuse(error);
			continue;
		}
		while (!monitor->quit) {
			loop_wait(&monitor->loop, turn(monitor));
			monitor->stats[PORTWATCH_STAT_WAKEUPS]++;
		}
		monitor_free(monitor);
	}
	return NULL;
}
