/* SPDX-License-Identifier: MIT */
/* placement.c - which network namespaces are read, and through which process each is entered */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/caps.h"
#include "table/probe.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/failure.h"
#include "watch/elsewhere.h"
#include "watch/placement.h"
#include "watch/subscription.h"
#include "util/fd.h"

/* Each poll cycle locates the young members, and LOCATE_COUNT of the others in rotation, with at
 * least this pause between two such steps. */
#define LOCATE_YOUNG (2 * NSEC_PER_SEC)
#define LOCATE_MEMBERS 8
/* If one watcher has more young members, only each second, third, ... of them is located. To locate
 * one takes about 7 us, and the forks of one tree must not delay the others. */
#define LOCATE_YOUNG_MAX 128
#define LOCATE_PAUSE (250 * NSEC_PER_MSEC)
/* The walk over the members takes at most this part of the time, because each read causes one. */
#define LOCATE_REST 32

/* Descriptors that are reserved for helpers: if fewer are free, no pidfd is opened, and exits are
 * found by reading the trees. */
#define EXIT_RESERVE 128

static struct view *make_view(struct subscription *subscription, const struct netns_id *id)
{
	const struct options *options = &subscription->options;
	struct netns *ns =
		netns_get(subscription->table->namespaces, id, options->reader, options->table);

	return ns ? view_get(subscription, ns) : NULL;
}

/* Marks the view of a namespace for a member. `last` is the one that was marked last. */
static struct view *mark_one(struct subscription *subscription, struct view *last,
                             struct process *process, const struct netns_id *id)
{
	struct view *view = last;

	if (!view || !netns_id_is_same(&view->ns->id, id))
		view = view_find_netns(subscription, id);
	if (!view)
		view = make_view(subscription, id);
	if (!view) {
		subscription->unplaced = true;
		return last;
	}
	view->marked = true;
	if (!view->exit_member || process->pid == view->watch_exit)
		view->exit_member = process;
	return view;
}

/* Marks the namespaces in which members may listen without living there. A scope that is one
 * namespace has none. */
static void mark_elsewhere(struct placement *placement, struct subscription *subscription)
{
	struct process *process;
	struct place *place;

	if (scope_counts_everybody(subscription->scope))
		return;
	list_each (place, &placement->elsewhere->places, struct place, link) {
		process = process_table_find(placement->context->processes, place->pid);
		if (process && process->start_time == place->start_time &&
		    scope_contains(subscription->scope, process))
			mark_one(subscription, NULL, process, &place->id);
	}
}

static void mark(struct placement *placement, struct subscription *subscription)
{
	struct process *process = NULL;
	struct view *view, *last = NULL;

	list_each (view, &subscription->views, struct view, of_subscription) {
		view->marked = false;
		view->exit_member = NULL;
		view->members = 0;
	}
	subscription->unplaced = false;
	while ((process = scope_next(subscription->scope, process))) {
		if (!scope_reads(subscription->scope, process))
			continue;
		last = mark_one(subscription, last, process, &process->netns);
		if (last)
			last->members++;
	}
	mark_elsewhere(placement, subscription);
}

static void close_exit_pidfd(struct view *view)
{
	if (view->exit.fd < 0)
		return;
	loop_remove(&view->subscription->context->loop, &view->exit);
	fd_close(view->exit.fd);
	view->exit.fd = -1;
}

static void member_exited(struct source *source)
{
	struct view *view = container_of(source, struct view, exit);
	struct context *context = view->subscription->context;

	struct process *process = process_table_find(context->processes, view->watch_exit);

	if (process && process->start_time == view->exit_start)
		process_table_exited(context->processes, process);
	close_exit_pidfd(view);
	context->exited = true;
}

/* Opens a pidfd of a member, and compares its start time. Returns -1 on failure: then the exit is
 * found by the next read of the trees. */
static int open_exit_pidfd(struct context *context, const struct process *exit_member)
{
	int pidfd = fd_room() < EXIT_RESERVE ? -EMFILE
	                                     : procfs_open_pidfd(&context->procfs, exit_member->pid,
	                                                         exit_member->start_time);

	context->exited |= pidfd == -ESRCH;
	return pidfd < 0 ? -1 : pidfd;
}

static void watch_exit(struct view *view)
{
	struct context *context = view->subscription->context;

	if (view->exit.fd >= 0 && view->exit_member->pid == view->watch_exit &&
	    view->exit_member->start_time == view->exit_start)
		return;
	close_exit_pidfd(view);
	view->watch_exit = view->exit_member->pid;
	view->exit_start = view->exit_member->start_time;
	view->exit.ready = member_exited;
	view->exit.fd = open_exit_pidfd(context, view->exit_member);
	if (view->exit.fd < 0)
		return;
	if (loop_add(&context->loop, &view->exit) < 0) {
		fd_close(view->exit.fd);
		view->exit.fd = -1;
	}
}

/* Whether no pidfd reports the exit of the last member. */
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

static void place(struct placement *placement, struct subscription *subscription)
{
	struct view *view;

	if (!subscription->scope || subscription->state >= SUBSCRIPTION_ENDED)
		return;
	mark(placement, subscription);
	list_each (view, &subscription->views, struct view, of_subscription) {
		if (view->marked)
			watch_exit(view);
		else if (view_holds_ports(view))
			close_exit_pidfd(view);
		else
			view_free(view, true);
	}
	subscription_check_end(subscription);
	subscription->exit_unwatched =
		subscription->state < SUBSCRIPTION_ENDED && is_exit_unwatched(subscription);
	subscription_touch(subscription);
}

/* Computes the interval of a worker: the shortest that a watcher has set; watchers without an
 * interval make it adapt as well. */
static void set_interval(struct netns *ns)
{
	bool adapts = false;
	unsigned int shortest = 0;
	struct view *view;

	list_each (view, &ns->views, struct view, of_namespace) {
		unsigned int interval = view->subscription->options.interval;

		adapts |= interval == 0;
		if (interval && (!shortest || interval < shortest))
			shortest = interval;
	}
	netns_set_interval(ns, shortest, adapts);
}

void placement_init(struct placement *placement, struct subscription_table *subscriptions,
                    struct elsewhere *elsewhere)
{
	*placement = (struct placement){
		.context = subscriptions->context,
		.namespaces = subscriptions->namespaces,
		.subscriptions = subscriptions,
		.elsewhere = elsewhere,
	};
	inits_init(&placement->inits, &placement->context->procfs);
}

void placement_clear(struct placement *placement)
{
	inits_clear(&placement->inits);
}

bool placement_is_due(const struct placement *placement)
{
	return !list_empty(&placement->subscriptions->moved) ||
	       !list_empty(&placement->namespaces->views_changed);
}

void placement_update(struct placement *placement)
{
	struct list *moved = &placement->subscriptions->moved;
	struct list *changed = &placement->namespaces->views_changed;

	while (!list_empty(moved)) {
		struct subscription *subscription =
			container_of(moved->next, struct subscription, moved);

		list_remove(&subscription->moved);
		place(placement, subscription);
	}
	while (!list_empty(changed)) {
		struct netns *ns = container_of(changed->next, struct netns, views_changed);

		list_remove(&ns->views_changed);
		if (list_empty(&ns->views))
			netns_free(ns);
		else
			set_interval(ns);
	}
}

void placement_joined(struct subscription *subscription, const struct process *process)
{
	struct view *view;

	if (!scope_reads(subscription->scope, process))
		return;
	view = view_find_netns(subscription, &process->netns);
	if (view)
		view->members++;
	if (!view || !view->marked || view->exit.fd < 0)
		subscription_move(subscription);
}

void placement_left(struct placement *placement, struct subscription *subscription,
                    const struct process *process)
{
	struct view *view =
		process->netns_known ? view_find_netns(subscription, &process->netns) : NULL;
	bool last = false;

	if (view && view->members > 0)
		last = --view->members == 0;
	if (last || (view && view->watch_exit == process->pid) ||
	    scope_count(subscription->scope) == 0 ||
	    elsewhere_next(placement->elsewhere, process, NULL))
		subscription_move(subscription);
}

void placement_find(struct placement *placement, struct process *process)
{
	struct context *context = placement->context;
	int result = process_locate(context->processes, process);

	if (result > 0)
		subscription_move_all(placement->subscriptions, process);
	/* A member without a namespace has exited, and perhaps no event reports its exit. */
	context->exited |= result == -ENOENT ||
	                   (result == -ESRCH && !procfs_is_hidden(&context->procfs, process->pid));
}

void placement_locate(struct placement *placement, uint64_t now)
{
	size_t index = 0, first = placement->locate_next;
	size_t turns = now < placement->locate_earliest ? 0 : LOCATE_MEMBERS;
	struct subscription *subscription;
	uint64_t cpu;

	if (now < placement->walk_earliest)
		return;
	cpu = clock_now(CLOCK_THREAD_CPUTIME_ID);
	list_each (subscription, &placement->subscriptions->list, struct subscription, link) {
		unsigned int stride = subscription->young / LOCATE_YOUNG_MAX + 1;
		unsigned int young = 0, located = 0;
		struct process *process = NULL;

		if (!subscription->scope)
			continue;
		while ((process = scope_next(subscription->scope, process))) {
			bool turn = index >= first && index < first + turns;
			bool is_young = now - process->seen < LOCATE_YOUNG;

			index++;
			young += is_young;
			/* There may be many more than the last time. */
			if (!turn && (!is_young || located >= 2 * LOCATE_YOUNG_MAX ||
			              (young + placement->locations) % stride != 0))
				continue;
			located++;
			placement_find(placement, process);
			elsewhere_locate(placement->elsewhere, process);
		}
		subscription->young = young;
	}
	placement->locations++;
	placement->walk_earliest = now + (clock_now(CLOCK_THREAD_CPUTIME_ID) - cpu) * LOCATE_REST;
	if (turns == 0)
		return;
	placement->locate_next = first + turns < index ? first + turns : 0;
	placement->locate_earliest = now + LOCATE_PAUSE;
}

/* --- chooses the process by which a network namespace is entered: its init */

#define ANCESTORS_MAX 64
/* The most members that are examined as candidates for the init process. */
#define MEMBERS_MAX 64
/* The most sockets that are tried as ways into a namespace in which no process lives. */
#define SOCKETS_MAX 8
/* How long a socket may keep the monitor waiting, in milliseconds; once in ten seconds. */
#define ANSWER_TIMEOUT 200

struct candidate {
	pid_t pid;
	pid_t ppid;
	uint64_t start_time;
	unsigned int depth; /* of its PID namespace; 1: that of the library; 0: unknown */
	bool init;          /* it is PID 1 in its innermost PID namespace */
};

struct search {
	const struct procfs *procfs;
	const struct netns_id *id;
	struct candidate best;
	struct candidate member; /* the best one apart from init processes outside of the tree */
	bool asked_own_init;     /* whether the library's own init process was considered: */
	bool closed;             /* it lives in the namespace, which cannot be opened by it; or */
	uint64_t inode;          /* of the link, if it was chosen */
	int error; /* why a process could not be examined; 0: all could, or were gone */
};

static bool is_better(const struct candidate *candidate, const struct candidate *best)
{
	if (best->pid == 0 || candidate->init != best->init)
		return best->pid == 0 || candidate->init;
	return candidate->start_time < best->start_time;
}

/* Examines one process, the depth of whose PID namespace may be known already. Returns its parent
 * if it lives in the namespace, or 0. */
static pid_t consider_at(struct search *search, pid_t pid, unsigned int depth)
{
	CLEANUP_CLOSE int process = procfs_open_process(search->procfs, pid);
	struct candidate candidate = {.pid = pid, .depth = depth};
	struct process_stat stat;
	struct netns_id id;
	pid_t innermost = 0;

	if (error_is_shortage(process))
		search->error = process;
	if (process < 0 || procfs_netns(process, &id) < 0 || !netns_id_is_same(&id, search->id) ||
	    procfs_read_stat(process, &stat) < 0)
		return 0;
	if (depth == 1)
		innermost = pid;
	else
		procfs_read_nspid(process, &innermost, &candidate.depth);
	candidate.init = innermost == 1;
	candidate.ppid = stat.ppid;
	candidate.start_time = stat.start_time;
	if (is_better(&candidate, &search->best))
		search->best = candidate;
	return stat.ppid;
}

static pid_t consider(struct search *search, pid_t pid)
{
	return consider_at(search, pid, 0);
}

/* Whether the namespace of a process can be opened; reads the inode number of the link. */
static bool is_readable(const struct procfs *procfs, pid_t pid, uint64_t *inode)
{
	CLEANUP_CLOSE int process = procfs_open_process(procfs, pid);
	uint64_t found = 0;

	if (process < 0 || procfs_netns_inode(process, &found) < 0)
		return false;
	if (found == 0) {
		caps_set taken = caps_begin(CAPS_READ_PROCESS);

		if (taken && procfs_netns_inode(process, &found) < 0)
			found = 0;
		caps_end(taken);
	}
	if (found == 0)
		return false;
	*inode = found;
	return true;
}

/* If a member lives in the library's own PID namespace, no other init process can be its ancestor.
 */
static void consider_own_init(struct search *search)
{
	if (search->best.depth != 1 || search->best.init || search->asked_own_init)
		return;
	search->asked_own_init = true;
	search->member = search->best;
	consider_at(search, 1, 1);
	if (!search->best.init || is_readable(search->procfs, 1, &search->inode))
		return;
	search->best = search->member;
	search->closed = true;
}

static void consider_members(struct search *search, struct netns *ns)
{
	unsigned int left = MEMBERS_MAX;
	struct view *view;

	list_each (view, &ns->views, struct view, of_namespace) {
		struct process *process = NULL;

		while (!search->best.init && left > 0 &&
		       (process = scope_next(view->subscription->scope, process)))
			if (process->netns_known && netns_id_is_same(&process->netns, &ns->id)) {
				consider(search, process->pid);
				consider_own_init(search);
				left--;
			}
	}
}

/* If no member lives in the namespace, other processes may: this process, the init process of a
 * container, known holders of sockets. */
static void consider_others(struct placement *placement, struct search *search, struct netns *ns)
{
	unsigned int left = MEMBERS_MAX;
	struct holder *holder;
	struct view *view;

	consider(search, getpid());
	if (search->best.pid == 0)
		consider(search, inits_find(&placement->inits, &ns->id));
	list_each (view, &ns->views, struct view, of_namespace)
		list_each (holder, &view->subscription->owners.holders.list, struct holder, link)
			if (search->best.pid == 0 && left > 0) {
				consider(search, holder->pid);
				left--;
			}
}

static int open_netns_of(struct context *context, const struct holder *holder, uint64_t inode)
{
	const struct probe_target target = {
		.procfs = &context->procfs,
		.pid = holder->pid,
		.start_time = holder->start_time,
		.inode = inode,
	};
	struct child child;
	int result;

	if (context->loop.reaping_count >= REAPING_MAX)
		return -EBUSY;
	result = probe_open_netns(&target, ANSWER_TIMEOUT, &child);
	loop_reap(&context->loop, &child);
	return result;
}

/* If no process lives in the namespace any more, a listening socket keeps it alive. If the kernel
 * allows the library to copy the socket from its holder, the copy leads into the namespace. Returns
 * a descriptor or a negative errno. */
static int enter_through_socket(struct netns *ns)
{
	unsigned int left = SOCKETS_MAX;
	struct socket *socket;
	struct view *view;
	int result = -ESRCH;

	list_each (view, &ns->views, struct view, of_namespace)
		list_each (socket, &view->sockets, struct socket, link) {
			const struct holder *holder = holder_set_first(&socket->holders);

			if (!holder || left == 0)
				continue;
			left--;
			result =
				open_netns_of(ns->workers->context, holder, socket->listener.inode);
			if (result >= 0 || result == -EBUSY)
				return result;
		}
	return result;
}

/* The inode number if the namespace is the library's own, whose link is always readable; or 0. */
static uint64_t own_inode(const struct procfs *procfs, const struct netns_id *id)
{
	CLEANUP_CLOSE int self = procfs_open_at(procfs->fd, "thread-self", O_PATH | O_DIRECTORY);
	uint64_t inode = 0;
	struct netns_id own;

	if (self < 0 || procfs_netns(self, &own) < 0 || !netns_id_is_same(&own, id) ||
	    procfs_netns_inode(self, &inode) < 0)
		return 0;
	return inode;
}

/* The inode number of an open namespace, as in the link ns/net. */
static uint64_t inode_of(int netns)
{
	struct stat status;

	return fstatat(netns, "", &status, AT_EMPTY_PATH) == 0 ? status.st_ino : 0;
}

int placement_enter(struct placement *placement, struct netns *ns, struct reader_target *target)
{
	struct search search = {.procfs = &ns->workers->context->procfs, .id = &ns->id};
	pid_t parent;

	*target = (struct reader_target){
		.procfs = search.procfs,
		.netns = ns->id,
		.nsenter = NSENTER_PATH,
	};
	consider_members(&search, ns);
	if (search.best.pid == 0)
		consider_others(placement, &search, ns);
	if (search.best.pid == 0 && search.error == 0 &&
	    elsewhere_enter(placement->elsewhere, &ns->id, target) == 0) {
		ns->pid = target->pid;
		if (target->pid)
			is_readable(search.procfs, target->pid, &ns->inode);
		else
			ns->inode = inode_of(target->descriptor);
		return 0;
	}
	if (search.best.pid == 0 && search.error == 0) {
		int descriptor = enter_through_socket(ns);

		ns->pid = 0;
		target->descriptor = descriptor < 0 ? 0 : descriptor;
		return descriptor < 0 ? -ESRCH : 0;
	}
	if (search.best.pid == 0)
		return search.error;
	if (search.inode == 0)
		search.member = search.best;
	/* No ancestor lives in a PID namespace further inside. */
	parent = search.closed && search.member.depth == 1 ? 0 : search.best.ppid;
	for (int i = 0; i < ANCESTORS_MAX && parent > 0 && !search.best.init; i++)
		parent = consider_at(&search, parent, search.member.depth == 1);
	/* If a member has entered a container from outside, the init process of the container is
	 * not its ancestor. */
	if (!search.best.init && search.member.depth > 1)
		consider(&search, inits_find(&placement->inits, &ns->id));
	/* A member whose namespace can be opened is preferred to an init process whose namespace
	 * cannot. */
	if (search.inode)
		ns->inode = search.inode;
	else if (!is_readable(search.procfs, search.best.pid, &ns->inode) &&
	         is_readable(search.procfs, search.member.pid, &ns->inode))
		search.best = search.member;
	if (ns->inode == 0)
		ns->inode = own_inode(search.procfs, &ns->id);
	ns->pid = search.best.pid;
	target->pid = search.best.pid;
	target->start_time = search.best.start_time;
	return 0;
}
