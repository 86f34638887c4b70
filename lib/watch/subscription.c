/* SPDX-License-Identifier: MIT */
/* subscription.c - one started watcher in the monitor: the dispatcher */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/failure.h"
#include "watch/complete.h"
#include "watch/subscription.h"
#include "util/fd.h"

#define START_DEADLINE (10 * NSEC_PER_SEC)
/* The longest start while a namespace is being read, by a reader that has a deadline of its own,
 * and the pause between two checks whether the read continues. */
#define START_MAX (60 * NSEC_PER_SEC)
#define START_STEP NSEC_PER_SEC
/* How long the root may be unreadable before the start fails, because an exec makes a process
 * unreadable for a moment; and the pause between two attempts. */
#define REFUSAL (100 * NSEC_PER_MSEC)
#define REFUSAL_PAUSE (10 * NSEC_PER_MSEC)

void subscription_table_init(struct subscription_table *table, struct context *context,
                             struct netns_table *namespaces)
{
	*table = (struct subscription_table){.context = context, .namespaces = namespaces};
	list_init(&table->list);
	list_init(&table->busy);
	list_init(&table->moved);
	hash_init(&table->by_tree);
}

void subscription_table_clear(struct subscription_table *table)
{
	hash_clear(&table->by_tree);
}

static struct subscription *of_tree(struct hash_link *link)
{
	return link ? container_of(link, struct subscription, by_tree) : NULL;
}

struct subscription *subscription_find(const struct subscription_table *table,
                                       const struct process_tree *tree)
{
	return of_tree(hash_find(&table->by_tree, (uint64_t)(uintptr_t)tree));
}

struct subscription *subscription_find_next(const struct subscription *subscription)
{
	return of_tree(hash_next(&subscription->by_tree));
}

struct subscription *subscription_of(const struct subscription_table *table,
                                     const struct process *process,
                                     const struct subscription *previous)
{
	struct subscription *next = previous ? subscription_find_next(previous) : NULL;
	const struct process_tree *tree = previous ? scope_tree(previous->scope) : NULL;

	while (!next && (tree = process_tree_of(process, tree)))
		next = subscription_find(table, tree);
	return next;
}

void subscription_move_all(const struct subscription_table *table, const struct process *process)
{
	struct subscription *subscription = NULL;

	while ((subscription = subscription_of(table, process, subscription)))
		subscription_move(subscription);
}

/* The helpers serve all watchers, so the smallest limit applies. */
static void limit_helpers(struct subscription_table *table)
{
	struct subscription *subscription;
	unsigned int most = UINT_MAX;

	list_each (subscription, &table->list, struct subscription, link)
		if (subscription->options.helpers < most)
			most = subscription->options.helpers;
	table->namespaces->helpers_max = most;
}

int subscription_new(struct subscription **subscription, struct subscription_table *table,
                     const struct subscription_setup *setup)
{
	struct subscription *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->table = table;
	new->context = table->context;
	new->outbox = setup->outbox;
	new->options = setup->options;
	new->log = setup->log;
	new->pid = setup->pid;
	new->start_time = setup->start_time;
	new->state = SUBSCRIPTION_STARTING;
	new->verify = UINT64_MAX;
	new->created = clock_now(CLOCK_MONOTONIC);
	new->deadline = new->created + START_DEADLINE;
	turn_init(&new->turn);
	new->turn.unlimited = true;
	list_init(&new->views);
	owners_init(new);
	list_init(&new->dropping);
	list_init(&new->busy);
	list_init(&new->moved);
	hash_init(&new->views_by_netns);
	list_append(&table->list, &new->link);
	limit_helpers(table);
	table->changed = true;
	subscription_touch(new);
	share_open(&new->share, ++table->namespaces->schedule->sharers, new->created);
	*subscription = new;
	return 0;
}

static void drop_views(struct subscription *subscription, bool close_ports)
{
	struct view *view;

	list_each (view, &subscription->views, struct view, of_subscription)
		view_free(view, close_ports);
}

void subscription_free(struct subscription *subscription)
{
	struct schedule *schedule = subscription->table->namespaces->schedule;

	if (subscription->state == SUBSCRIPTION_RUNNING)
		unreadable_finish(subscription);
	/* The ports are not reported as closed: the library only stops watching them. */
	subscription->state = SUBSCRIPTION_FAILED;
	drop_views(subscription, false);
	netns_end_turn(&subscription->turn);
	hash_clear(&subscription->views_by_netns);
	owners_clear(subscription);
	outbox_release(subscription->outbox);
	if (subscription->scope)
		hash_remove(&subscription->table->by_tree, &subscription->by_tree);
	scope_free(subscription->scope);
	list_remove(&subscription->link);
	limit_helpers(subscription->table);
	list_remove(&subscription->busy);
	list_remove(&subscription->moved);
	heap_remove(&subscription->table->due, &subscription->due);
	subscription->table->changed = true;
	schedule->sharers--;
	if (schedule->payer == &subscription->share)
		schedule->payer = NULL;
	free(subscription);
}

static void decide(struct subscription *subscription, int result)
{
	subscription->state = result < 0 ? SUBSCRIPTION_FAILED : SUBSCRIPTION_RUNNING;
	subscription->turn.unlimited = false;
	subscription->verify = clock_now(CLOCK_MONOTONIC) + 5 * NSEC_PER_SEC;
	subscription->table->changed = true;
	if (result < 0)
		drop_views(subscription, false);
	outbox_decide(subscription->outbox, result);
}

static void fail(struct subscription *subscription, int error, const char *what)
{
	log_write(&subscription->log, PORTWATCH_LOG_ERROR, "cannot watch PID %d: %s",
	          (int)subscription->pid, what);
	decide(subscription, error);
}

/* Whether the descriptors of the root can be read. Otherwise none of its ports could be attributed
 * and reported. */
static bool root_is_ours(struct subscription *subscription)
{
	CLEANUP_CLOSE int process = -1;
	struct process_stat stat;
	int result;

	if (!scope_needs_root(subscription->options.scope))
		return true;
	process = procfs_open_process(&subscription->context->procfs, subscription->pid);
	if (process < 0)
		return true; /* it has exited; its descendants may live */
	result = fds_try(process);
	if (!error_is_refusal(result))
		return true;
	/* The /proc files of an exiting process belong to root. */
	return procfs_read_stat(process, &stat) == 0 && (stat.exiting || procfs_is_dead(&stat));
}

/* Whether to try the root again before its refusal counts. */
static bool is_momentary(struct subscription *subscription, uint64_t now)
{
	if (subscription->refused == 0)
		subscription->refused = now;
	subscription->retry = now + REFUSAL_PAUSE;
	return now - subscription->refused < REFUSAL;
}

static void refuse(struct subscription *subscription)
{
	char message[LOG_TEXT];

	snprintf(message, sizeof(message),
	         "its descriptors cannot be read (Permission denied), so its ports cannot be "
	         "distinguished "
	         "from those of other processes%s, or watch its whole network namespace (scope "
	         "netns)",
	         unreadable_remedy());
	fail(subscription, -EACCES, message);
}

static void enter_scope(struct subscription *subscription)
{
	hash_add(&subscription->table->by_tree, &subscription->by_tree,
	         (uint64_t)(uintptr_t)scope_tree(subscription->scope));
	subscription->table->changed = true;
	subscription_move(subscription);
}

static void init_scope(struct subscription *subscription, uint64_t now)
{
	struct scope_target target = {
		.kind = subscription->options.scope,
		.pid = subscription->pid,
		.start_time = subscription->start_time,
		.adopts_orphans = subscription->options.subreaper,
		.limit = subscription->options.members,
	};
	int result;

	if (now < subscription->retry)
		return;
	if (!root_is_ours(subscription)) {
		if (!is_momentary(subscription, now))
			refuse(subscription);
		return;
	}
	result = scope_new(&subscription->scope, subscription->context->processes, &target);
	if (result == -ESRCH)
		fail(subscription, result, "no such process (it has exited)");
	else if (result < 0)
		fail(subscription, result, strerrordesc_np(-result));
	else
		enter_scope(subscription);
	if (result == 0 && scope_leaves_out(subscription->scope))
		complete_note_members(subscription);
}

bool subscription_is_read(const struct subscription *subscription, bool *any_ready)
{
	bool any_waiting = false, any_awaited = false;
	struct view *view;

	*any_ready = false;
	/* The start waits only for the namespaces at its beginning, because a tree that creates
	 * namespaces all the time would never have all of them read. */
	list_each (view, &subscription->views, struct view, of_subscription) {
		bool ready = view->ready && !view->ns->evaluation;
		bool waiting = !ready && !view->ns->exhausted;

		*any_ready |= ready;
		any_waiting |= waiting;
		any_awaited |= waiting && !view->joined;
	}
	if (list_empty(&subscription->views) || subscription->unplaced || any_awaited)
		return false;
	return *any_ready || !any_waiting;
}

/* Whether a first read is in progress. */
static bool is_being_read(const struct subscription *subscription)
{
	struct view *view;

	list_each (view, &subscription->views, struct view, of_subscription)
		if (view->ns->evaluation || (!view->ready && view->ns->pending))
			return true;
	return false;
}

static void fail_late(struct subscription *subscription, uint64_t now)
{
	char message[80];

	snprintf(message, sizeof(message),
	         "its listening sockets were not read within %llu seconds",
	         (unsigned long long)((now - subscription->created) / NSEC_PER_SEC));
	fail(subscription, -ETIMEDOUT, message);
}

static void fail_unreadable(struct subscription *subscription)
{
	struct view *view = container_of(subscription->views.next, struct view, of_subscription);
	struct failure failure = view->ns->failure;
	char text[LOG_TEXT], message[LOG_TEXT + 64];

	snprintf(message, sizeof(message), "its network namespace cannot be read: %s",
	         view->ns->reason[0] ? view->ns->reason : log_failure(&failure, text));
	fail(subscription, failure.error ? -failure.error : -EACCES, message);
}

/* Ends the start without the namespaces that cannot be read now. Their ports are reported when they
 * can be read. */
static void do_without(struct subscription *subscription, uint64_t now)
{
	if (!owners_resolve(subscription, now))
		subscription->attribute_again = true;
	decide(subscription, 0);
}

void subscription_advance(struct subscription *subscription, uint64_t now)
{
	bool any_ready, all_read;

	if (!subscription->scope) {
		init_scope(subscription, now);
		return;
	}
	subscription->placed |= !list_empty(&subscription->views);
	if (scope_has_ended(subscription->scope)) {
		fail(subscription, -ESRCH, "no such process (it has exited)");
		return;
	}
	all_read = subscription_is_read(subscription, &any_ready) && subscription->pending == 0;
	if (all_read && !any_ready)
		fail_unreadable(subscription);
	else if (all_read)
		decide(subscription, 0);
	else if (subscription->scan_error)
		fail(subscription, subscription->scan_error,
		     strerrordesc_np(-subscription->scan_error));
	else if (now >= subscription->deadline && any_ready)
		do_without(subscription, now);
	else if (now >= subscription->deadline && now < subscription->created + START_MAX &&
	         is_being_read(subscription))
		subscription->deadline = now + START_STEP;
	else if (now >= subscription->deadline)
		fail_late(subscription, now);
}

uint64_t subscription_due(const struct subscription *subscription)
{
	uint64_t due;

	if (subscription->state >= SUBSCRIPTION_ENDED)
		return UINT64_MAX;
	if (subscription->state == SUBSCRIPTION_RUNNING)
		return owners_due(subscription, subscription->verify);
	due = subscription->scope || !subscription->retry ? subscription->deadline
	                                                  : subscription->retry;
	return clock_earlier(owners_due(subscription, UINT64_MAX), due);
}

void subscription_check_end(struct subscription *subscription)
{
	struct portwatch_event end = {
		.kind = PORTWATCH_EVENT_END,
		.pid = subscription->pid,
		.listener.v6only = -1,
	};

	if (subscription->state != SUBSCRIPTION_RUNNING || !scope_has_ended(subscription->scope))
		return;
	drop_views(subscription, !scope_leaves_ports_open(subscription->scope));
	subscription->port_count = 0;
	subscription->state = SUBSCRIPTION_ENDED;
	subscription->table->changed = true;
	log_write(&subscription->log, PORTWATCH_LOG_INFO,
	          "all processes of the tree of PID %d have exited", (int)subscription->pid);
	event_stamp(&end);
	outbox_end(subscription->outbox, &end);
}
