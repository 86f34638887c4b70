/* SPDX-License-Identifier: MIT */
/* monitor.c - the one per process: an epoll loop on one thread that keeps everything up to date */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "proc/process_orphans.h"
#include "proc/process_scan.h"
#include "watch/complete.h"
#include "util/clock.h"
#include "util/fd.h"
#include "watch/elsewhere.h"
#include "watch/kernel_events.h"
#include "watch/mailbox.h"
#include "watch/monitor.h"
#include "watch/placement.h"
#include "watch/schedule.h"
#include "watch/subscription.h"
#include "watch/unseen.h"

struct monitor {
	bool quit; /* no watcher needs it any more */
	struct context context;
	struct source wake; /* of the mailbox: a host thread wants something */
	struct schedule schedule;
	struct netns_table namespaces;
	struct subscription_table subscriptions;
	struct elsewhere elsewhere;
	struct unseen unseen;
	struct placement placement;
	struct kernel_events events;
	struct recent_pids recent_pids;
	uint64_t recheck;          /* when the trees are read, whether anything was forked or not */
	uint64_t refresh_earliest; /* the trees are not read before */
	uint64_t refresh_took;     /* by the reading under way, in ns ... */
	uint64_t refresh_cpu;      /* ... and of that, CPU time */
	bool refreshing;           /* the trees are being read, a slice at each turn ... */
	struct list waiting;       /* ... and these subscriptions, by `busy`, wait for the end */
	bool refresh_failed;       /* not all could be read: with the next poll again */
};

/* --- what the lower layers report and ask --- */

/* Our own helpers are never members. */
static bool is_helper(void *data, pid_t pid)
{
	struct monitor *monitor = data;

	return netns_table_has_helper(&monitor->namespaces, pid) ||
	       unseen_is_child(&monitor->unseen, pid) || loop_reaps(&monitor->context.loop, pid) ||
	       loop_has_reaped(&monitor->context.loop, pid);
}

static void joined(void *data, struct process_tree *tree, struct process *process)
{
	struct monitor *monitor = data;
	struct subscription *subscription = subscription_find(&monitor->subscriptions, tree);
	if (monitor->context.notifier)
		notifier_follow(monitor->context.notifier, process->pid);
	for (; subscription; subscription = subscription_find_next(subscription)) {
		if (subscription->state != SUBSCRIPTION_STARTING)
			view_started(subscription, process);
		placement_joined(subscription, process);
		owners_joined(subscription, process);
		log_write(&subscription->log, PORTWATCH_LOG_DEBUG, "process joined: PID %d (%s)",
		          (int)process->pid, process->name);
	}
}

static void left(void *data, struct process_tree *tree, struct process *process)
{
	struct monitor *monitor = data;
	struct subscription *subscription = subscription_find(&monitor->subscriptions, tree);

	for (; subscription; subscription = subscription_find_next(subscription)) {
		log_write(&subscription->log, PORTWATCH_LOG_DEBUG, "process left: PID %d (%s)",
		          (int)process->pid, process->name);
		placement_left(&monitor->placement, subscription, process);
		owners_left(subscription, process);
		/* There is room for one of those. */
		monitor->context.forked |= scope_leaves_out(subscription->scope);
	}
}

static void refused(void *data, struct process_tree *tree)
{
	struct monitor *monitor = data;
	struct subscription *subscription = subscription_find(&monitor->subscriptions, tree);

	for (; subscription; subscription = subscription_find_next(subscription))
		complete_note_members(subscription);
}

static const struct process_hooks process_hooks = {
	.ignored = is_helper,
	.joined = joined,
	.left = left,
	.refused = refused,
};

static void changed(void *data, struct netns *ns, enum snapshot_change change,
                    const struct listener *listener)
{
	struct view *view;

	(void)data;
	list_each (view, &ns->views, struct view, of_namespace)
		view_change(view, change, listener);
}

static void completed(void *data, struct netns *ns)
{
	struct view *view;

	(void)data;
	list_each (view, &ns->views, struct view, of_namespace)
		view_completed(view);
}

/* For those who wait for the namespace, or for its end. */
static void exhausted(void *data, struct netns *ns)
{
	struct view *view;

	(void)data;
	list_each (view, &ns->views, struct view, of_namespace) {
		subscription_move(view->subscription);
		subscription_touch(view->subscription);
	}
}

static void missed(void *data, struct netns *ns, const struct expectation *expectation)
{
	struct monitor *monitor = data;

	(void)ns;
	unseen_missed(&monitor->unseen, expectation);
}

static void log_for_all(void *data, struct netns *ns, enum portwatch_log_level level,
                        const char *text)
{
	struct view *view;

	(void)data;
	list_each (view, &ns->views, struct view, of_namespace)
		log_write(&view->subscription->log, level, "namespace %llu (PID %d): %s",
		          (unsigned long long)ns->inode, (int)ns->pid, text);
}

static int enter(void *data, struct netns *ns, struct reader_target *target)
{
	struct monitor *monitor = data;

	return placement_enter(&monitor->placement, ns, target);
}

/* Where the kernel doesn't report closed sockets with the beginning of listening. */
static bool wants_closes(void *data, const struct netns *ns)
{
	struct monitor *monitor = data;
	struct view *view;

	if (context_is_notified(&monitor->context, NOTIFIER_LISTEN))
		return false;
	list_each (view, &ns->views, struct view, of_namespace)
		if (view->subscription->options.notifier)
			return true;
	return false;
}

static const struct netns_observer netns_observer = {
	.changed = changed,
	.completed = completed,
	.exhausted = exhausted,
	.missed = missed,
	.log = log_for_all,
	.enter = enter,
	.wants_closes = wants_closes,
};

/* --- the trees --- */

/* All work is divided into slices: between two of them the monitor serves the mailbox, the notifier
 * and the other namespaces. */
#define SLICE (5 * NSEC_PER_MSEC)
/* After reading the trees, a pause of so many times what that took: forks and exits without end
 * take at most a fifth of one CPU. */
#define REFRESH_REST 4
/* However quiet it seems, and whatever says so, the trees are read again after so long, and a pause
 * of so many times the CPU time of the reading: 0.2% of one CPU. */
#define RECHECK (10 * NSEC_PER_SEC)
#define RECHECK_REST 500

/* Reads a slice of the trees. */
static void refresh_more(struct monitor *monitor)
{
	uint64_t before = clock_now(CLOCK_MONOTONIC), now, took;
	uint64_t cpu = clock_now(CLOCK_THREAD_CPUTIME_ID);
	int result = process_table_refresh_continue(monitor->context.processes, before + SLICE);

	monitor->refresh_cpu += clock_now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	now = clock_now(CLOCK_MONOTONIC);
	took = now - before;
	/* A slice can't last so long: the whole process was stopped meanwhile. */
	monitor->refresh_took += took < NSEC_PER_SEC ? took : NSEC_PER_SEC;
	monitor->refreshing = result > 0;
	if (result > 0)
		return;
	kernel_events_after_scan(&monitor->events);
	list_splice(&monitor->subscriptions.busy, &monitor->waiting);
	monitor->refresh_failed |= result < 0; /* with the next poll again */
	monitor->refresh_earliest = now + monitor->refresh_took * REFRESH_REST;
	monitor->recheck = now + RECHECK + monitor->refresh_cpu * RECHECK_REST;
	/* Nothing says that nobody has forked: it is done in each cycle. */
	if (monitor->recent_pids.last == 0)
		monitor->schedule.scan_cost =
			schedule_smooth(monitor->schedule.scan_cost, monitor->refresh_cpu);
}

/* Begins to read the trees, or leaves it to a later turn. */
static void refresh(struct monitor *monitor)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	if (monitor->refreshing || now < monitor->refresh_earliest)
		return;
	monitor->context.stats[PORTWATCH_STAT_TREE_READS]++;
	recent_pids_seen(&monitor->recent_pids, procfs_last_pid(&monitor->context.procfs), now);
	monitor->context.forked = false;
	monitor->context.exited = false;
	monitor->refresh_took = 0;
	monitor->refresh_cpu = 0;
	kernel_events_before_scan(&monitor->events);
	process_table_refresh_begin(monitor->context.processes);
	refresh_more(monitor);
}

/* Whether processes may have come since the trees were read. */
static bool check_forks(struct monitor *monitor, uint64_t now)
{
	pid_t after, last;

	if (monitor->refresh_failed || now >= monitor->recheck) {
		monitor->refresh_failed = false;
		monitor->context.forked = true;
		return true;
	}
	if (context_is_notified(&monitor->context, NOTIFIER_PROCESSES))
		return false;
	last = procfs_last_pid(&monitor->context.procfs);
	after = recent_pids_after(&monitor->recent_pids, last, now);
	if (after == last && last != 0)
		return false;
	if (process_scan_new(monitor->context.processes, after, last)) {
		recent_pids_seen(&monitor->recent_pids, last, now);
		return false;
	}
	monitor->context.forked = true;
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
	if (monitor->refreshing && !context_is_notified(&monitor->context, NOTIFIER_PROCESSES)) {
		list_append(&monitor->waiting, &subscription->busy);
		return;
	}
	if (!owners_resolve(subscription, now))
		subscription->attribute_again = true;
}

/* Everything that is due when a cycle begins. */
static void begin_cycle(struct monitor *monitor, uint64_t now)
{
	bool in_need = monitor->refresh_failed;
	uint64_t cost = netns_table_poll(&monitor->namespaces);
	struct subscription *subscription;

	list_each (subscription, &monitor->subscriptions.list, struct subscription, link) {
		subscription->attribute |= subscription->attribute_again;
		subscription->attribute_again = false;
		subscription_touch(subscription);
		outbox_retry(subscription->outbox);
		if (subscription->state >= SUBSCRIPTION_ENDED)
			continue;
		in_need |= subscription->unplaced || subscription->exit_unwatched;
		monitor->context.exited |= subscription->exit_unwatched;
		if (subscription->unplaced)
			subscription_move(subscription);
	}
	monitor->namespaces.polled = true;
	schedule_next_cycle(&monitor->schedule, now, cost,
	                    context_is_notified(&monitor->context, NOTIFIER_LISTEN), in_need);
}

/* While the trees are scanned nothing is to be missed. */
static void settle_events(struct monitor *monitor, bool poll)
{
	if (!monitor->refreshing)
		kernel_events_settle(&monitor->events, poll);
}

/* Looks after the trees, with each read. */
static void scan_trees(struct monitor *monitor, uint64_t now)
{
	uint64_t burst = monitor->schedule.payer ? clock_now(CLOCK_THREAD_CPUTIME_ID) : 0;
	uint64_t before = schedule_measure(&monitor->schedule);
	pid_t last = monitor->recent_pids.last;

	monitor->namespaces.polled = false;
	monitor->namespaces.prompted = false;
	check_forks(monitor, now);
	if (process_table_find_delayed_orphans(monitor->context.processes) < 0)
		monitor->refresh_failed = true;
	settle_events(monitor, true);
	placement_locate(&monitor->placement, now);
	/* What others fork must not make the watcher deaf. */
	if (before && last == monitor->recent_pids.last && !monitor->context.forked)
		monitor->schedule.scan_cost = schedule_smooth(
			monitor->schedule.scan_cost, schedule_measure(&monitor->schedule) - before);
	if (burst)
		share_take(monitor->schedule.payer, &monitor->schedule.allowance,
		           clock_now(CLOCK_THREAD_CPUTIME_ID) - burst);
	monitor->schedule.payer = NULL;
}

static bool refresh_is_due(const struct monitor *monitor, uint64_t now)
{
	return (monitor->context.forked || monitor->context.exited) && !monitor->refreshing &&
	       now >= monitor->refresh_earliest;
}

/* Where no namespace was polled until now, the cycle under way was none for tables. */
static void check_adapting(struct monitor *monitor)
{
	bool adapted = monitor->schedule.adapts;

	monitor->schedule.adapts = monitor->namespaces.adapting > 0;
	if (monitor->schedule.adapts && !adapted) {
		monitor->schedule.next = 0;
		monitor->schedule.cycles = 0;
	}
}

/* What one subscription has to do. */
static void serve(struct monitor *monitor, struct subscription *subscription, uint64_t now)
{
	struct view *view;

	list_remove(&subscription->busy);
	attribute(monitor, subscription, now);
	list_each (view, &subscription->dropping, struct view, of_dropping)
		view_resolve(view);
	if (subscription->state == SUBSCRIPTION_STARTING) {
		if (!subscription->scope)
			kernel_events_before_scan(&monitor->events);
		subscription_advance(subscription, now);
	}
	heap_set(&monitor->subscriptions.due, &subscription->due, subscription_due(subscription));
}

/* Those that are due and those that were touched, each once. */
static void serve_all(struct monitor *monitor, uint64_t now)
{
	struct subscription_table *table = &monitor->subscriptions;
	struct list all;

	while (heap_key(&table->due) <= now) {
		struct heap_link *first = heap_first(&table->due);

		heap_remove(&table->due, first);
		subscription_touch(container_of(first, struct subscription, due));
	}
	list_init(&all);
	list_splice(&all, &table->busy);
	while (!list_empty(&all))
		serve(monitor, container_of(all.next, struct subscription, busy), now);
}

/* Everything that is to do now. */
static void work(struct monitor *monitor, uint64_t now)
{
	if (kernel_events_update(&monitor->events) < 0)
		monitor->refresh_failed = true;
	if (now >= monitor->schedule.next)
		begin_cycle(monitor, now);
	netns_table_work(&monitor->namespaces, now);
	if (elsewhere_due(&monitor->elsewhere) <= now)
		elsewhere_work(&monitor->elsewhere, now);
	if (unseen_due(&monitor->unseen) <= now)
		unseen_work(&monitor->unseen, now);
	if (monitor->namespaces.polled)
		scan_trees(monitor, now);
	if (refresh_is_due(monitor, now))
		refresh(monitor);
	placement_update(&monitor->placement);
	check_adapting(monitor);
	serve_all(monitor, now);
	if (monitor->namespaces.prompted)
		scan_trees(monitor, now);
}

/* When there is something to do again. */
static uint64_t next_due(struct monitor *monitor, uint64_t now)
{
	uint64_t due = monitor->schedule.next;

	if (placement_is_due(&monitor->placement) || monitor->subscriptions.changed ||
	    monitor->namespaces.polled || !list_empty(&monitor->subscriptions.busy))
		return 0;
	/* The rest of what is under way. */
	if (monitor->events.more || monitor->refreshing || monitor->placement.inits.list >= 0)
		return 0;
	/* They leave with the next drain. */
	if (process_table_is_parting(monitor->context.processes) &&
	    !kernel_events_is_behind(&monitor->events))
		return 0;
	due = clock_earlier(due, netns_table_due(&monitor->namespaces));
	due = clock_earlier(due, elsewhere_due(&monitor->elsewhere));
	due = clock_earlier(due, unseen_due(&monitor->unseen));
	due = clock_earlier(due, heap_key(&monitor->subscriptions.due));
	if (monitor->context.forked || monitor->context.exited)
		due = clock_earlier(due, monitor->refresh_earliest);
	if (monitor->context.notifier)
		due = clock_earlier(due, notifier_due(monitor->context.notifier));
	if (loop_reap_more(&monitor->context.loop))
		due = clock_earlier(due, now + 10 * NSEC_PER_MSEC);
	return due;
}

/* One turn. Nothing in it walks over all namespaces or subscriptions, unless a poll cycle begins or
 * members have come, gone or moved. Returns for how many milliseconds there is nothing to do;
 * rounded up, so that it is due then. */
static int turn(struct monitor *monitor)
{
	uint64_t due, now;

	kernel_events_drain(&monitor->events);
	if (monitor->refreshing)
		refresh_more(monitor);
	inits_walk(&monitor->placement.inits, clock_now(CLOCK_MONOTONIC) + SLICE);
	work(monitor, clock_now(CLOCK_MONOTONIC));
	settle_events(monitor, false);
	now = clock_now(CLOCK_MONOTONIC);
	due = next_due(monitor, now);
	return due <= now ? 0 : (int)((due - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
}

static void woken(struct source *source)
{
	struct monitor *monitor = container_of(source, struct monitor, wake);
	eventfd_t value;

	eventfd_read(source->fd, &value);
	mailbox_serve(&monitor->subscriptions, 0);
	monitor->quit = mailbox_is_idle();
}

static int open_all(struct monitor *monitor)
{
	int result = procfs_open(&monitor->context.procfs, "/proc");

	if (result < 0)
		return result;
	if (!procfs_is_ours(&monitor->context.procfs))
		return -ENOENT;
	result = process_table_new(&monitor->context.processes, &monitor->context.procfs,
	                           &process_hooks, monitor);
	if (result < 0)
		return result;
	result = loop_open(&monitor->context.loop);
	if (result < 0)
		return result;
	monitor->wake.ready = woken;
	monitor->wake.fd = mailbox_fd();
	return loop_add(&monitor->context.loop, &monitor->wake);
}

/* Gives back all that the monitor holds. There are no subscriptions by then. */
static void monitor_free(struct monitor *monitor)
{
	kernel_events_clear(&monitor->events);
	unseen_clear(&monitor->unseen);
	elsewhere_clear(&monitor->elsewhere);
	netns_table_clear(&monitor->namespaces);
	subscription_table_clear(&monitor->subscriptions);
	loop_close(&monitor->context.loop);
	placement_clear(&monitor->placement);
	process_table_free(monitor->context.processes);
	procfs_close(&monitor->context.procfs);
	free(monitor);
}

static int monitor_new(struct monitor **monitor)
{
	struct monitor *new = calloc(1, sizeof(*new));
	int result;

	if (!new)
		return -ENOMEM;
	new->context.procfs.fd = -1;
	new->context.procfs.loadavg = -1;
	allowance_open(&new->schedule.allowance, clock_now(CLOCK_MONOTONIC));
	netns_table_init(&new->namespaces, &new->context, &new->schedule, &netns_observer, new);
	subscription_table_init(&new->subscriptions, &new->context, &new->namespaces);
	elsewhere_init(&new->elsewhere, &new->subscriptions);
	unseen_init(&new->unseen, &new->elsewhere);
	placement_init(&new->placement, &new->subscriptions, &new->elsewhere);
	list_init(&new->waiting);
	kernel_events_init(&new->events, &new->subscriptions, &new->placement, &new->unseen);
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
			loop_wait(&monitor->context.loop, turn(monitor));
			monitor->context.stats[PORTWATCH_STAT_WAKEUPS]++;
		}
		monitor_free(monitor);
	}
	return NULL;
}
