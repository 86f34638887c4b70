/* SPDX-License-Identifier: MIT */
/* monitor.c - the monitor: one per process, an epoll loop on one thread that updates all watched
 * objects */
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
	bool quit; /* no watcher needs the monitor any more */
	struct context context;
	struct source wake; /* of the mailbox: a host thread has sent a request */
	struct schedule schedule;
	struct netns_table namespaces;
	struct subscription_table subscriptions;
	struct elsewhere elsewhere;
	struct unseen unseen;
	struct placement placement;
	struct kernel_events events;
	struct recent_pids recent_pids;
	uint64_t recheck;          /* when the trees are read even without a fork */
	uint64_t refresh_earliest; /* earliest time of the next read of the trees */
	uint64_t refresh_took;     /* duration of the present read so far, in ns ... */
	uint64_t refresh_cpu;      /* ... and its CPU time */
	bool refreshing;           /* the trees are being read, one slice in each pass ... */
	struct list waiting;       /* ... and these subscriptions, by `busy`, wait for the end */
	bool refresh_failed;       /* the read was incomplete: repeat it with the next poll */
};

/* --- hooks of the lower layers --- */

/* The library's own helpers are never members. */
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
		/* The scope has room for a process that was left out. */
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

static void begins(void *data, struct netns *ns)
{
	struct view *view;

	(void)data;
	list_each (view, &ns->views, struct view, of_namespace)
		view_begins(view);
}

static void completed(void *data, struct netns *ns)
{
	struct view *view;

	(void)data;
	list_each (view, &ns->views, struct view, of_namespace)
		view_completed(view);
}

/* Wakes the subscriptions that wait for the namespace or for its end. */
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

/* The reader reports closed sockets only if the notifier does not. */
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

/* Several watchers may need a namespace. Of the first few, the one that is served first pays. */
#define PAYERS_MAX 32

static struct turn *turn_of(void *data, const struct netns *ns)
{
	const struct turns *turns = &((struct monitor *)data)->namespaces.turns;
	struct turn *best = NULL;
	unsigned int left = PAYERS_MAX;
	struct view *view;

	list_each (view, &ns->views, struct view, of_namespace) {
		struct turn *turn = &view->subscription->turn;

		if (left-- == 0)
			break;
		if (!best || turn_is_sooner(turns, turn, best))
			best = turn;
	}
	return best;
}

static const struct netns_observer netns_observer = {
	.changed = changed,
	.begins = begins,
	.completed = completed,
	.exhausted = exhausted,
	.missed = missed,
	.log = log_for_all,
	.enter = enter,
	.wants_closes = wants_closes,
	.turn = turn_of,
};

/* --- the trees --- */

/* All work is divided into slices. Between two slices the monitor serves the mailbox, the notifier
 * and the other namespaces. A pass has up to four of them, and may have two for each watcher, so
 * each is shorter than the 5 ms for which others may be kept waiting. */
#define SLICE (2 * NSEC_PER_MSEC)
/* After the trees were read, a pause of this many times the duration: endless forks and exits cost
 * at most a fifth of one CPU. */
#define REFRESH_REST 4
/* The trees are read again after this time even if nothing indicates a fork, and after a pause of
 * RECHECK_REST times the CPU time of the read: 0.2% of one CPU. */
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
	/* A slice does not last this long: the whole process was stopped meanwhile. */
	monitor->refresh_took += took < NSEC_PER_SEC ? took : NSEC_PER_SEC;
	monitor->refreshing = result > 0;
	if (result > 0)
		return;
	kernel_events_after_scan(&monitor->events);
	list_splice(&monitor->subscriptions.busy, &monitor->waiting);
	monitor->refresh_failed |= result < 0; /* repeat with the next poll */
	monitor->refresh_earliest = now + monitor->refresh_took * REFRESH_REST;
	monitor->recheck = now + RECHECK + monitor->refresh_cpu * RECHECK_REST;
	/* If the last PID is unknown, each cycle must read the trees. */
	if (monitor->recent_pids.last == 0)
		monitor->schedule.scan_cost =
			schedule_smooth(monitor->schedule.scan_cost, monitor->refresh_cpu);
}

/* Starts to read the trees, or leaves the read to a later pass. */
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

/* Whether new processes may exist since the trees were read. */
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
	/* During the start each process is scanned once, for all sockets. */
	if (subscription->state == SUBSCRIPTION_STARTING &&
	    subscription->owners.phase == OWNERS_IDLE && !subscription_is_read(subscription, &any))
		return;
	/* The holder of a new socket may itself be a new process. */
	if (subscription->pending > 0 && check_forks(monitor, now))
		refresh(monitor);
	/* Without fork events, new processes are known only after the read of the trees. */
	if (monitor->refreshing && !context_is_notified(&monitor->context, NOTIFIER_PROCESSES)) {
		/* The scan may have found that a member is gone, and touched the subscription. */
		list_move(&monitor->waiting, &subscription->busy);
		return;
	}
	if (!owners_resolve(subscription, now))
		subscription->attribute_again = true;
}

/* The work at the beginning of a poll cycle. */
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

/* Does nothing while the trees are scanned, so that no event is missed. */
static void apply_events(struct monitor *monitor, bool poll)
{
	if (!monitor->refreshing)
		kernel_events_apply(&monitor->events, poll);
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
	apply_events(monitor, true);
	placement_locate(&monitor->placement, now);
	/* Forks of other processes must not keep the watcher from polling. */
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

/* If no namespace was polled until now, the present cycle does not include reads of tables, so a
 * new one begins. */
static void check_adapting(struct monitor *monitor)
{
	bool adapted = monitor->schedule.adapts;

	monitor->schedule.adapts = monitor->namespaces.adapting > 0;
	if (monitor->schedule.adapts && !adapted) {
		monitor->schedule.next = 0;
		monitor->schedule.cycles = 0;
	}
}

/* Does the work of one subscription. */
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

/* Serves the subscriptions that are due and those that were touched, each once. */
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

/* Does all work that is due. */
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

/* Returns when the next work is due. */
static uint64_t next_due(struct monitor *monitor, uint64_t now)
{
	uint64_t due = monitor->schedule.next;

	if (placement_is_due(&monitor->placement) || monitor->subscriptions.changed ||
	    monitor->namespaces.polled || !list_empty(&monitor->subscriptions.busy))
		return 0;
	/* Unfinished work continues in the next pass. */
	if (monitor->events.more || monitor->refreshing || monitor->placement.inits.list >= 0)
		return 0;
	/* The next drain releases these processes. */
	if (process_table_has_dropping(monitor->context.processes) &&
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

/* One pass of the loop. A pass does not walk over all namespaces or subscriptions, unless a poll
 * cycle begins or members have joined, left or moved. Returns the milliseconds until the next work
 * is due, rounded up so that the work is due then. */
static int pass(struct monitor *monitor)
{
	uint64_t due, now;

	kernel_events_drain(&monitor->events);
	if (monitor->refreshing)
		refresh_more(monitor);
	inits_walk(&monitor->placement.inits, clock_now(CLOCK_MONOTONIC) + SLICE);
	work(monitor, clock_now(CLOCK_MONOTONIC));
	apply_events(monitor, false);
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

/* Frees the monitor. There are no subscriptions any more. */
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

/* A monitor exists while watchers need it. If new watchers start while the monitor is being freed,
 * the same thread creates the next monitor, so that there are never two. */
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
			loop_wait(&monitor->context.loop, pass(monitor));
			monitor->context.stats[PORTWATCH_STAT_WAKEUPS]++;
		}
		monitor_free(monitor);
	}
	return NULL;
}
