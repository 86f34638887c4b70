/* SPDX-License-Identifier: MIT */
/* placement.c - places workers and views where the members of the trees are */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "watch/subscription.h"
#include "util/fd.h"

/* With each poll the young members are looked at; the others in turn, so many at a time and no
 * sooner than after that pause. */
#define LOCATE_YOUNG (2 * NSEC_PER_SEC)
#define LOCATE_MEMBERS 8
#define LOCATE_PAUSE (250 * NSEC_PER_MSEC)

/* Descriptors that are left to helpers: where there are fewer, exits are found by reading the
 * trees. */
#define EXIT_RESERVE 128

static bool same_netns(const struct netns_id *a, const struct netns_id *b)
{
	return a->ino == b->ino && a->dev == b->dev;
}

/* The view of a namespace, looked for from the one that follows `last` on, and round: the members
 * are walked in the order in which their views were made, so that it is nearly always the next. */
static struct view *find_view(const struct subscription *subscription, const struct view *last,
                              const struct netns_id *id)
{
	const struct list *head = &subscription->views;
	const struct list *first = last ? &last->of_subscription : head, *each = first;

	do {
		each = each->next;
		if (each != head) {
			struct view *view = container_of(each, struct view, of_subscription);

			if (same_netns(&view->ns->id, id))
				return view;
		}
	} while (each != first);
	return NULL;
}

static struct view *make_view(struct subscription *subscription, const struct netns_id *id)
{
	const struct options *options = &subscription->options;
	struct netns *ns = netns_get(subscription->monitor, id, options->reader, options->table);

	return ns ? view_get(subscription, ns) : NULL;
}

/* Marks the view of a namespace for a member. `last` is the one that was marked last. */
static struct view *mark_one(struct subscription *subscription, struct view *last,
                             struct process *process, const struct netns_id *id)
{
	struct view *view = last;

	if (!view || !same_netns(&view->ns->id, id))
		view = find_view(subscription, last, id);
	if (!view)
		view = make_view(subscription, id);
	if (!view) {
		subscription->unplaced = true;
		subscription->monitor->unplaced = true;
		return last;
	}
	view->marked = true;
	if (!view->exit_member || process->pid == view->watch_exit)
		view->exit_member = process;
	return view;
}

/* Where members may listen and don't live: not in a scope that is one namespace. */
static void mark_elsewhere(struct subscription *subscription)
{
	struct monitor *monitor = subscription->monitor;
	struct process *process;
	struct place *place;

	if (scope_counts_everybody(subscription->scope))
		return;
	list_each (place, &monitor->elsewhere.places, struct place, link) {
		process = process_table_find(monitor->processes, place->pid);
		if (process && process->start_time == place->start_time &&
		    scope_contains(subscription->scope, process))
			mark_one(subscription, NULL, process, &place->id);
	}
}

static void mark(struct subscription *subscription)
{
	struct process *process = NULL;
	struct view *view, *last = NULL;

	list_each (view, &subscription->views, struct view, of_subscription) {
		view->marked = false;
		view->exit_member = NULL;
	}
	subscription->unplaced = false;
	while ((process = scope_next(subscription->scope, process)))
		if (scope_reads(subscription->scope, process))
			last = mark_one(subscription, last, process, &process->netns);
	mark_elsewhere(subscription);
}

static void close_exit_pidfd(struct view *view)
{
	if (view->exit.fd < 0)
		return;
	loop_remove(&view->subscription->monitor->loop, &view->exit);
	fd_close(view->exit.fd);
	view->exit.fd = -1;
}

static void member_exited(struct source *source)
{
	struct view *view = container_of(source, struct view, exit);
	struct monitor *monitor = view->subscription->monitor;

	struct process *process = process_table_find(monitor->processes, view->watch_exit);

	if (process && process->start_time == view->exit_start)
		process_table_exited(monitor->processes, process);
	close_exit_pidfd(view);
	monitor->exited = true;
}

/* Opens a pidfd of the witness, made sure of by its start time. -1 where it can't be had: the clock
 * tells then. */
static int open_exit_pidfd(struct monitor *monitor, const struct process *exit_member)
{
	int pidfd = fd_room() < EXIT_RESERVE ? -EMFILE
	                                     : procfs_open_pidfd(&monitor->procfs, exit_member->pid,
	                                                         exit_member->start_time);

	monitor->exited |= pidfd == -ESRCH;
	return pidfd < 0 ? -1 : pidfd;
}

static void watch_exit(struct view *view)
{
	struct monitor *monitor = view->subscription->monitor;

	if (view->exit.fd >= 0 && view->exit_member->pid == view->watch_exit &&
	    view->exit_member->start_time == view->exit_start)
		return;
	close_exit_pidfd(view);
	view->watch_exit = view->exit_member->pid;
	view->exit_start = view->exit_member->start_time;
	view->exit.ready = member_exited;
	view->exit.fd = open_exit_pidfd(monitor, view->exit_member);
	if (view->exit.fd < 0)
		return;
	if (loop_add(&monitor->loop, &view->exit) < 0) {
		fd_close(view->exit.fd);
		view->exit.fd = -1;
	}
}

/* Whether the exit of its last member would go unheard. */
static bool is_exit_unwatched(const struct subscription *subscription)
{
	bool any = false;
	struct view *view;

	list_each (view, &subscription->views, struct view, of_subscription) {
		if (view->marked && view->exit.fd < 0)
			return true;
		any |= view->marked;
	}
	return !any;
}

static void place(struct subscription *subscription)
{
	struct view *view;

	if (!subscription->scope || subscription->state >= SUBSCRIPTION_ENDED)
		return;
	mark(subscription);
	list_each (view, &subscription->views, struct view, of_subscription) {
		if (view->marked)
			watch_exit(view);
		else if (view_holds_ports(view))
			close_exit_pidfd(view);
		else
			view_free(view, true);
	}
	subscription_check_end(subscription);
	if (subscription->state < SUBSCRIPTION_ENDED && is_exit_unwatched(subscription))
		subscription->monitor->exit_unwatched = true;
}

/* The shortest interval that a watcher has set rules; beside it those who have set none are served.
 */
static void set_interval(struct netns *ns)
{
	unsigned int shortest = 0;
	struct view *view;

	ns->adapts = false;
	list_each (view, &ns->views, struct view, of_namespace) {
		unsigned int interval = view->subscription->options.interval;

		ns->adapts |= interval == 0;
		if (interval && (!shortest || interval < shortest))
			shortest = interval;
	}
	ns->interval = shortest;
	ns->monitor->adapts |= ns->adapts;
}

void placement_update(struct monitor *monitor)
{
	struct subscription *subscription;
	struct netns *ns;

	bool adapted = monitor->adapts;

	monitor->moved = false;
	monitor->exit_unwatched = false;
	monitor->unplaced = false;
	monitor->adapts = false;
	list_each (subscription, &monitor->subscriptions, struct subscription, link)
		place(subscription);
	list_each (ns, &monitor->namespaces, struct netns, link) {
		if (list_empty(&ns->views))
			netns_free(ns);
		else
			set_interval(ns);
	}
	/* The round under way was none for tables. */
	if (monitor->adapts && !adapted) {
		monitor->round = 0;
		monitor->rounds = 0;
	}
}

/* Looks where a member is. One that is nowhere has exited, which nothing else may report. */
static void locate(struct monitor *monitor, struct process *process)
{
	int result = process_locate(monitor->processes, process);

	monitor->moved |= result > 0;
	monitor->exited |= result == -ENOENT ||
	                   (result == -ESRCH && !procfs_is_hidden(&monitor->procfs, process->pid));
}

void placement_locate(struct monitor *monitor, uint64_t now)
{
	size_t index = 0, first = monitor->locate_next;
	size_t turns = now < monitor->locate_earliest ? 0 : LOCATE_MEMBERS;
	struct subscription *subscription;

	list_each (subscription, &monitor->subscriptions, struct subscription, link) {
		struct process *process = NULL;

		if (!subscription->scope)
			continue;
		while ((process = scope_next(subscription->scope, process))) {
			bool turn = index >= first && index < first + turns;

			index++;
			if (!turn && now - process->seen >= LOCATE_YOUNG)
				continue;
			locate(monitor, process);
			elsewhere_look(monitor, process);
		}
	}
	if (turns == 0)
		return;
	monitor->locate_next = first + turns < index ? first + turns : 0;
	monitor->locate_earliest = now + LOCATE_PAUSE;
}
