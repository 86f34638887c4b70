/* SPDX-License-Identifier: MIT */
/* owners.c - searches for the holders of the sockets of a subscription */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/failure.h"
#include "util/fd.h"
#include "watch/owners.h"
#include "watch/schedule.h"
#include "watch/subscription.h"

/* The approximate maximum length of a slice of a search. The next slice follows after the other
 * work of the monitor. */
#define SLICE (2 * NSEC_PER_MSEC)
/* The most CPU time for the candidates, which are scanned in one piece. */
#define CANDIDATES_TIME (5 * NSEC_PER_MSEC)
/* After a search, a pause of this many times its length, unless the search was well below one
 * slice. */
#define REST 4
#define SHORT NSEC_PER_MSEC
/* A search that has taken this CPU time rests after each further slice, not at its end. */
#define UNPACED (250 * NSEC_PER_MSEC)
/* The factor after a search of newcomers, whose sockets only change the number of holders. */
#define NEWCOMERS_REST 16
/* The pause before a search if a socket seems to be gone and only a search can confirm it. */
#define AGAIN (20 * NSEC_PER_MSEC)
#define VERIFY_INTERVAL (5 * NSEC_PER_SEC)
/* Full checks of all processes for all sockets cost at most this fraction of the time. */
#define VERIFY_SHARE 2000
/* In a tree of at least this many members, the search starts with the candidates of the
 * notifier. */
#define LARGE_TREE 17
/* The most processes that are scanned at once because they may share the socket of a candidate. */
#define RELATIVES_MAX 64
/* The most non-members whose exit is watched. */
#define WATCHES_MAX 64
/* Descriptors that are reserved for other purposes. */
#define WATCHES_RESERVE 256

/* --- known holders --- */

/* Watches for the exit of a non-member that owns a socket. */
struct watch {
	struct source source;
	struct subscription *subscription;
	pid_t pid;
	uint64_t start_time;
	struct list link;
};

static void changed(void *data, struct holder_set *set)
{
	struct subscription *subscription = data;
	struct socket *socket = container_of(set, struct socket, holders);

	if (socket->dropped || socket_is_pending(socket))
		return;
	list_move(&subscription->changed_sockets, &socket->of_work);
	subscription_ask(subscription);
}

static void end_watch(struct watch *watch)
{
	struct owners *owners = &watch->subscription->owners;

	loop_remove(&watch->subscription->context->loop, &watch->source);
	fd_close(watch->source.fd);
	list_remove(&watch->link);
	owners->watch_count--;
	free(watch);
}

static void forgotten(void *data, struct holder *holder)
{
	(void)data;
	if (holder->watch)
		end_watch(holder->watch);
}

static void outsider_exited(struct source *source)
{
	struct watch *watch = container_of(source, struct watch, source);
	struct subscription *subscription = watch->subscription;
	pid_t pid = watch->pid;
	uint64_t start_time = watch->start_time;

	/* This call frees the watch. */
	holders_exited(&subscription->owners.holders, pid, start_time);
}

/* Without a pidfd, the next full check notices the exit. */
static void watch_outsider(struct subscription *subscription, struct holder *holder)
{
	struct owners *owners = &subscription->owners;
	struct watch *watch;

	if (holder->watch || owners->watch_count >= WATCHES_MAX || fd_room() < WATCHES_RESERVE)
		return;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return;
	*watch = (struct watch){
		.source.ready = outsider_exited,
		.subscription = subscription,
		.pid = holder->pid,
		.start_time = holder->start_time,
	};
	watch->source.fd =
		procfs_open_pidfd(&subscription->context->procfs, holder->pid, holder->start_time);
	if (watch->source.fd < 0 || loop_add(&subscription->context->loop, &watch->source) < 0) {
		fd_close(watch->source.fd);
		free(watch);
		return;
	}
	list_append(&owners->watches, &watch->link);
	owners->watch_count++;
	holder->watch = watch;
}

/* Sets the pause after work that has lasted this long and has taken this CPU time, unless the work
 * was short. While other processes had the CPU, the work has cost nothing; while it waited in the
 * kernel, the others had to wait too. */
static uint64_t rest_after(uint64_t took, uint64_t cpu)
{
	return cpu * REST > took ? cpu * REST : took;
}

static void rest(struct owners *owners, uint64_t took, uint64_t cpu)
{
	if (took > SHORT)
		owners->earliest = clock_now(CLOCK_MONOTONIC) + rest_after(took, cpu);
}

static const struct process *find_member(const struct subscription *subscription, pid_t pid)
{
	const struct process *process = process_table_find(subscription->context->processes, pid);

	return process && scope_contains(subscription->scope, process) ? process : NULL;
}

void owners_init(struct subscription *subscription)
{
	struct owners *owners = &subscription->owners;

	*owners = (struct owners){
		.directory = -1, .stat = -1, .fds = FDS_SCAN_NONE, .ask_all_members = true};
	holders_init(&owners->holders, changed, forgotten, subscription);
	list_init(&owners->watches);
	hash_init(&subscription->sockets);
	list_init(&subscription->pending_sockets);
	list_init(&subscription->changed_sockets);
	list_init(&owners->undecided);
	list_init(&owners->unheld);
}

void owners_add_candidate(struct subscription *subscription, pid_t pid)
{
	struct owners *owners = &subscription->owners;

	if (owners->candidate_count == CANDIDATES_MAX)
		owners->candidate_count = 0; /* then all members are scanned */
	owners->candidates[owners->candidate_count++] = pid;
}

static void add_newcomer(struct subscription *subscription, pid_t pid)
{
	struct owners *owners = &subscription->owners;

	if (owners->newcomer_count == NEWCOMERS_MAX)
		owners->ask_all_members = true;
	else
		owners->newcomers[owners->newcomer_count++] = pid;
	subscription_ask(subscription);
}

void owners_joined(struct subscription *subscription, const struct process *process)
{
	add_newcomer(subscription, process->pid);
}

/* After an exec the process has another name, and has closed its close-on-exec descriptors. */
void owners_execed(struct subscription *subscription, const struct process *process)
{
	const struct holder *holder = holders_find(&subscription->owners.holders, process->pid);

	if (!holder)
		return;
	holders_touch(&subscription->owners.holders, holder);
	add_newcomer(subscription, process->pid);
}

void owners_left(struct subscription *subscription, const struct process *process)
{
	holders_exited(&subscription->owners.holders, process->pid, process->start_time);
}

/* --- scanning one process --- */

/* Usually one socket has this inode number. For a moment there can be two, if a socket has listened
 * on two ports one after the other. */
static void visit_socket(void *data, uint64_t inode)
{
	struct subscription *subscription = data;
	struct owners *owners = &subscription->owners;
	struct hash_link *link = hash_find(&subscription->sockets, inode);
	bool first = false;

	for (; link; link = hash_next(link)) {
		struct socket *socket = container_of(link, struct socket, by_inode);

		first |= socket->holders.noted != owners->answer.number;
		holder_answer_holds(&subscription->owners.answer, &socket->holders);
		subscription->owners.holds_pending |= socket_is_pending(socket);
	}
	/* One copy of a descriptor is enough. */
	if (first && fds_reads_first(&owners->fds))
		fd_tables_add(&owners->tables, owners->fds.number, inode);
}

/* Whether the process is exiting. Its /proc files belong to root as soon as its memory is gone, so
 * a refusal at this time means nothing. */
static bool is_exiting(int directory)
{
	struct process_stat stat;

	return directory >= 0 && procfs_read_stat(directory, &stat) == 0 && stat.exiting &&
	       stat.threads <= 1;
}

/* Notes that a process could not be scanned. After a refusal an early repetition is useless; after
 * other failures the search is repeated. */
static void note_failure(struct subscription *subscription, const struct process *member, int error)
{
	if (member)
		unreadable_note(subscription, member, error);
	if (error_is_refusal(error)) {
		subscription->owners.refused = true;
		return;
	}
	subscription->scan_error = error;
	subscription->owners.complete = false;
}

/* Evaluates the end of a scan. A scan that was refused or has failed changes nothing: the process
 * still holds its known sockets. The same holds if the kernel does not name the sockets that are
 * registered with an io_uring of the process. -EAGAIN: the scan was interrupted. */
static void end_answer(struct subscription *subscription, int result)
{
	struct owners *owners = &subscription->owners;
	const struct process *member = find_member(subscription, owners->answer.pid);
	bool named = owners->fds.unnamed == 0;
	struct holder *holder;

	if (error_is_refusal(result) && is_exiting(owners->directory))
		result = -ESRCH;
	if (holder_answer_end(&owners->answer, result == 0 && named) < 0 && result == 0)
		result = -ENOMEM;
	if (result == 0 && member)
		unnamed_note(subscription, member, !named);
	if (result == -ESRCH) {
		holders_exited(&owners->holders, owners->answer.pid, owners->answer.start_time);
		subscription->context->exited |= member != NULL;
	} else if (result == -EAGAIN) {
		owners->complete = false; /* a search scans it */
	} else if (result < 0) {
		note_failure(subscription, member, result);
	} else if (member) {
		unreadable_forget(subscription, member);
	}
	holder = holders_find(&owners->holders, owners->answer.pid);
	if (holder && !member)
		watch_outsider(subscription, holder);
	fd_tables_end(&owners->tables, result == 0, owners->fds.seen, owners->fds.privileged);
	fds_end(&owners->fds);
	fd_close(owners->directory);
	owners->directory = -1;
}

/* Returns the descriptor table of another process that this search has scanned, if the process
 * shares it and its leader has not exited. */
static const struct fd_table *find_known_table(struct owners *owners, pid_t pid)
{
	size_t count = owners->tables.count > 0 ? fds_count_first(&owners->fds) : 0;
	const struct fd_table *table;
	struct process_stat stat;

	if (count > 0 && count < FD_TABLES_LARGE)
		return NULL;
	table = fd_tables_find(&owners->tables, pid, owners->fds.privileged);
	if (table && (procfs_read_stat(owners->directory, &stat) < 0 || stat.exiting))
		return NULL;
	return table;
}

/* If the first descriptor table of a process is known, uses its sockets instead of reading it
 * again. */
static void skip_known_table(struct subscription *subscription, pid_t pid)
{
	struct owners *owners = &subscription->owners;
	const struct fd_table *known = NULL, *table;

	if (!owners->fds.thread)
		known = find_known_table(owners, pid);
	table = known;
	for (size_t i = 0; table && i < table->count; i++) {
		if (fds_first_has(&owners->fds, table->sockets[i].number, table->sockets[i].inode))
			visit_socket(subscription, table->sockets[i].inode);
		else
			table = NULL;
	}
	if (table)
		fds_skip_first(&owners->fds);
	else if (!owners->fds.thread && !known) /* sockets of a known table were reported already */
		fd_tables_begin(&owners->tables, pid);
}

/* Stores the present name of the process. */
static void take_name(struct owners *owners, const struct process_stat *stat)
{
	struct holder *holder = holders_find(&owners->holders, stat->pid);

	if (!holder || holder->start_time != stat->start_time ||
	    strcmp(holder->name, stat->name) == 0)
		return;
	memcpy(holder->name, stat->name, sizeof(holder->name));
	holders_touch(&owners->holders, holder);
}

/* The descriptor is kept until the search has ended: the owner is read again before an event
 * names it, and most often is the process that was asked last. */
static int read_stat(struct owners *owners, pid_t pid, struct process_stat *stat)
{
	fd_close(owners->stat);
	owners->asked = pid;
	owners->stat = procfs_open_stat(owners->directory);
	return owners->stat < 0 ? owners->stat : procfs_reread_stat(owners->stat, stat);
}

static void forget_asked(struct owners *owners)
{
	fd_close(owners->stat);
	owners->stat = -1;
}

/* Starts to scan a process. Returns false if the process is gone. */
static bool begin_answer(struct subscription *subscription, pid_t pid)
{
	struct owners *owners = &subscription->owners;
	struct process_stat stat;
	int result;

	owners->directory = procfs_open_process(&subscription->context->procfs, pid);
	result = owners->directory < 0 ? owners->directory : read_stat(owners, pid, &stat);
	if (result < 0 || procfs_is_dead(&stat)) {
		const struct process *member = find_member(subscription, pid);

		/* Unless the process is certainly gone, its known sockets stay. */
		if (result == 0 ||
		    (result == -ESRCH && !procfs_is_hidden(&subscription->context->procfs, pid))) {
			holders_exited(&owners->holders, pid, 0);
			subscription->context->exited |= member != NULL;
		} else {
			note_failure(subscription, member, result == -ESRCH ? -EACCES : result);
		}
		fd_close(owners->directory);
		owners->directory = -1;
		return false;
	}
	subscription->context->stats[PORTWATCH_STAT_SCANS]++;
	holder_answer_begin(&owners->answer, &owners->holders, pid, stat.start_time,
	                    owners->phase >= OWNERS_MEMBERS);
	take_name(owners, &stat);
	result = fds_begin(&owners->fds, owners->directory, pid);
	if (result == 0) {
		skip_known_table(subscription, pid);
		return true;
	}
	end_answer(subscription, result);
	return false;
}

/* Continues to scan the present process. */
static void go_on(struct subscription *subscription)
{
	struct owners *owners = &subscription->owners;
	int result = fds_next(&owners->fds, visit_socket, subscription);

	if (result == 1)
		return;
	end_answer(subscription, result);
}

/* --- candidates of the notifier, and their relatives --- */

/* The processes that are scanned at once for new sockets. */
struct relatives {
	struct subscription *subscription;
	uint64_t deadline; /* CLOCK_THREAD_CPUTIME_ID: a busy machine must not hide holders */
	pid_t pids[RELATIVES_MAX];
	bool holds[RELATIVES_MAX]; /* whether it holds a pending socket */
	size_t count;
};

/* Scans a process completely. If the scan takes too long, a search repeats it. */
static void ask(struct relatives *relatives, pid_t pid)
{
	struct subscription *subscription = relatives->subscription;
	struct owners *owners = &subscription->owners;

	owners->holds_pending = false;
	if (!begin_answer(subscription, pid))
		return;
	while (owners->directory >= 0) {
		if (clock_now(CLOCK_THREAD_CPUTIME_ID) < relatives->deadline) {
			go_on(subscription);
			continue;
		}
		end_answer(subscription, -EAGAIN);
		relatives->count = RELATIVES_MAX;
	}
}

/* Scans a process once, if it counts. Returns true if it was scanned now. */
static bool ask_relative(struct relatives *relatives, pid_t pid)
{
	struct subscription *subscription = relatives->subscription;
	size_t index = relatives->count;

	if (index == RELATIVES_MAX || (!find_member(subscription, pid) &&
	                               (pid <= 1 || !scope_counts_everybody(subscription->scope))))
		return false;
	for (size_t i = 0; i < index; i++)
		if (relatives->pids[i] == pid)
			return false;
	relatives->pids[relatives->count++] = pid;
	ask(relatives, pid);
	relatives->holds[index] = subscription->owners.holds_pending;
	return true;
}

static int ask_child(void *data, long pid)
{
	struct relatives *relatives = data;

	if (pid <= INT_MAX)
		ask_relative(relatives, (pid_t)pid);
	return relatives->count == RELATIVES_MAX;
}

/* Scans a candidate and its ancestors, which may have passed the socket on by fork(2). */
static void ask_line(struct relatives *relatives, pid_t pid)
{
	const struct procfs *procfs = &relatives->subscription->context->procfs;

	while (ask_relative(relatives, pid)) {
		CLEANUP_CLOSE int directory = procfs_open_process(procfs, pid);
		struct process_stat stat;

		if (directory < 0 || procfs_read_stat(directory, &stat) < 0)
			return;
		pid = stat.ppid;
	}
}

/* Scans the descendants of the scanned processes that hold a pending socket: apart from the
 * ancestors, only they can have inherited a new socket. */
static void ask_descendants(struct relatives *relatives)
{
	const struct procfs *procfs = &relatives->subscription->context->procfs;

	for (size_t i = 0; i < relatives->count && relatives->count < RELATIVES_MAX; i++) {
		CLEANUP_CLOSE int directory = -1;
		struct process_stat stat;

		if (!relatives->holds[i])
			continue;
		directory = procfs_open_process(procfs, relatives->pids[i]);
		if (directory >= 0 && procfs_read_stat(directory, &stat) == 0)
			procfs_each_child(directory, &stat, ask_child, relatives);
	}
}

/* Opens the ports of pending sockets whose holders are known now. */
static void hold_found(struct subscription *subscription)
{
	struct socket *socket;

	list_each (socket, &subscription->pending_sockets, struct socket, of_work)
		if (socket->holders.named > 0)
			socket_hold(socket);
}

/* In a large tree, and in a scope that counts every process: scans the processes that were reported
 * to listen, and their relatives, which may share the socket. */
static void ask_candidates(struct subscription *subscription)
{
	struct owners *owners = &subscription->owners;
	struct relatives relatives = {.subscription = subscription};
	uint64_t began, cpu;

	if (owners->candidate_count == 0 || subscription->pending == 0 ||
	    (scope_count(subscription->scope) < LARGE_TREE &&
	     !scope_counts_everybody(subscription->scope)))
		return;
	began = clock_now(CLOCK_MONOTONIC);
	cpu = clock_now(CLOCK_THREAD_CPUTIME_ID);
	relatives.deadline = cpu + CANDIDATES_TIME;
	for (unsigned int i = 0; i < owners->candidate_count; i++)
		ask_line(&relatives, owners->candidates[i]);
	ask_descendants(&relatives);
	owners->candidate_count = 0;
	fd_tables_clear(&owners->tables);
	hold_found(subscription);
	forget_asked(owners);
	rest(owners, clock_now(CLOCK_MONOTONIC) - began, clock_now(CLOCK_THREAD_CPUTIME_ID) - cpu);
}

/* --- the result of the search --- */

/* Schedules another search, because no event may cause one. */
static void search_again(struct subscription *subscription)
{
	struct owners *owners = &subscription->owners;
	uint64_t when = clock_now(CLOCK_MONOTONIC) + AGAIN;

	if (owners->again > when || owners->again == 0)
		owners->again = when;
}

/* Whether the trees were scanned after the socket became pending and before the search. The holder
 * may be a child that no fork event has reported. */
static bool is_scanned_since(const struct socket *socket)
{
	struct subscription *subscription = socket->view->subscription;
	struct context *context = subscription->context;

	if (subscription->owners.scanned > socket->scan)
		return true;
	context->forked |= process_table_completed(context->processes) <= socket->scan;
	return false;
}

/* Whether the result for this socket decides if an open port closes. */
static bool decides_port(const struct socket *socket)
{
	const struct subscription *subscription = socket->view->subscription;

	if (socket->state == SOCKET_OWNERLESS)
		return true;
	return !scope_counts_everybody(subscription->scope) &&
	       outbox_has_open(subscription->outbox, socket->view->ns->serial, &socket->listener);
}

/* The search has found no holder of a socket. Usually a socket that was held is gone together with
 * its owner. It therefore counts as held by no process only after two complete reads that still
 * show it or, if its namespace cannot be read any more, after two searches. With SO_REUSEPORT a new
 * socket may take over the port of a closed one. A socket that decides a port therefore also waits
 * for a scan of the trees. */
static void nobody_holds(struct socket *socket)
{
	const struct netns *ns = socket->view->ns;
	struct subscription *subscription = socket->view->subscription;

	if (socket->state == SOCKET_OWNERLESS) {
		if (ns->completed > socket->last_miss || ns->exhausted) {
			socket->last_miss = ns->completed;
			socket->misses++;
		}
		if (socket->misses < 2) {
			netns_read_now(socket->view->ns);
			if (ns->exhausted)
				search_again(subscription);
			return;
		}
	}
	if (decides_port(socket) && !is_scanned_since(socket)) {
		search_again(subscription);
		return;
	}
	if (socket_has_heir(socket)) {
		netns_read_now(socket->view->ns);
		search_again(subscription);
		return;
	}
	if (scope_counts_everybody(subscription->scope)) {
		socket_show(socket);
	} else {
		socket_release(socket);
		unnamed_warn(subscription, &socket->listener);
	}
}

/* Prepares the result of a search: every possible holder of the sockets that were pending at its
 * beginning was scanned. */
static void begin_result(struct subscription *subscription)
{
	struct owners *owners = &subscription->owners;

	if (owners->phase == OWNERS_NEWCOMERS) {
		owners->newcomers_earliest =
			clock_now(CLOCK_MONOTONIC) + owners->took * NEWCOMERS_REST;
	} else if (owners->complete) {
		holders_end_count(&owners->holders);
	}
	owners->ask_all_members |= !owners->complete;
	owners->decides = true;
	if (owners->phase >= OWNERS_MEMBERS)
		list_splice(&owners->undecided, &subscription->pending_sockets);
}

/* Handles the sockets that were pending: first all that have a holder, because they may take over
 * the ports of the others. Returns false if the time is over. */
static bool resolve_pending(struct subscription *subscription, uint64_t deadline)
{
	struct owners *owners = &subscription->owners;

	while (!list_empty(&owners->undecided) || !list_empty(&owners->unheld)) {
		bool first = !list_empty(&owners->undecided);
		struct list *list = first ? &owners->undecided : &owners->unheld;
		struct socket *socket = container_of(list->next, struct socket, of_work);

		if (clock_now(CLOCK_MONOTONIC) >= deadline)
			return false;
		list_move(&subscription->pending_sockets, &socket->of_work);
		if (socket->holders.named > 0)
			socket_hold(socket);
		else if (first)
			list_move(&owners->unheld, &socket->of_work);
		else if (owners->complete && socket->since < owners->number)
			nobody_holds(socket);
	}
	return true;
}

/* Handles the sockets whose holders have changed. If a socket had no holder, a process may have
 * received it after its scan, so all are scanned again to find the oldest holder. Returns false if
 * the time is over. */
static bool resolve_changed(struct subscription *subscription, uint64_t deadline)
{
	bool everybody = subscription->owners.phase >= OWNERS_MEMBERS;

	while (!list_empty(&subscription->changed_sockets)) {
		struct socket *socket =
			container_of(subscription->changed_sockets.next, struct socket, of_work);

		if (clock_now(CLOCK_MONOTONIC) >= deadline)
			return false;
		list_remove(&socket->of_work);
		if (socket->holders.named == 0 && socket->state == SOCKET_HELD)
			socket_lose_owner(socket);
		else if (socket->holders.named == 0 && socket->hidden &&
		         !scope_counts_everybody(subscription->scope))
			socket_release(socket); /* no process that counts holds it any more */
		else if (socket->holders.named > 0 && (socket->state == SOCKET_HELD || everybody))
			socket_hold(socket);
		else if (socket->holders.named > 0)
			socket_set_pending(socket, SOCKET_NEW);
	}
	return true;
}

/* Whether the port of an unattributed socket counts as closed. Usually the table decides. If the
 * table cannot be read any more, the port is closed when two searches have found no holder. */
static bool counts_as_closed(const struct subscription *subscription, struct socket *socket)
{
	const struct owners *owners = &subscription->owners;

	if (!socket->view->ns->exhausted || owners->phase != OWNERS_ANYWHERE || owners->refused ||
	    !owners->complete)
		return false;
	return ++socket->misses >= 2;
}

/* Retries unattributed sockets: ports that could not be opened because there was no memory, and
 * sockets whose end no table can show. */
static void retry_unattributed(struct subscription *subscription)
{
	bool full = subscription->port_count >= subscription->options.ports;
	struct view *view;
	struct socket *socket;

	list_each (view, &subscription->views, struct view, of_subscription)
		list_each (socket, &view->sockets, struct socket, link) {
			if (socket->state != SOCKET_UNATTRIBUTED || (full && socket->hidden))
				continue;
			if (socket->port && counts_as_closed(subscription, socket))
				socket_release(socket);
			else if (socket->port)
				continue;
			else if (socket->holders.named > 0)
				socket_hold(socket);
			else if (scope_counts_everybody(subscription->scope))
				socket_show(socket);
		}
}

/* --- the search --- */

/* Whether a pending socket without a known holder exists. */
static bool misses_holders(const struct subscription *subscription)
{
	struct socket *socket;

	list_each (socket, &subscription->pending_sockets, struct socket, of_work)
		if (socket->holders.named == 0)
			return true;
	return false;
}

static bool has_unattributed(const struct subscription *subscription)
{
	struct view *view;
	struct socket *socket;

	list_each (view, &subscription->views, struct view, of_subscription)
		list_each (socket, &view->sockets, struct socket, link)
			if (socket->holders.named == 0)
				return true;
	return false;
}

static int add_to_queue(void *data, long pid)
{
	struct owners *owners = data;
	pid_t *queue = array_grow(owners->queue, &owners->capacity, owners->count, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	owners->queue = queue;
	if (pid <= INT_MAX)
		owners->queue[owners->count++] = (pid_t)pid;
	return 0;
}

static int queue_members(struct subscription *subscription)
{
	struct process *process = NULL;
	int result = 0;

	while (result == 0 && (process = scope_next(subscription->scope, process)))
		result = add_to_queue(&subscription->owners, process->pid);
	return result;
}

static int queue_newcomers(struct owners *owners)
{
	int result = 0;

	for (size_t i = 0; i < owners->newcomer_count && result == 0; i++)
		result = add_to_queue(owners, owners->newcomers[i]);
	return result;
}

static int queue_known(struct subscription *subscription)
{
	struct holder *holder;
	int result = 0;

	list_each (holder, &subscription->owners.holders.list, struct holder, link)
		if (result == 0 && !find_member(subscription, holder->pid))
			result = add_to_queue(&subscription->owners, holder->pid);
	return result;
}

/* Queues the processes of a phase. Returns 0, or a negative errno if some are missing. */
static int fill_queue(struct subscription *subscription)
{
	struct owners *owners = &subscription->owners;
	int result;

	owners->count = 0;
	owners->next = 0;
	switch (owners->phase) {
	case OWNERS_NEWCOMERS:
		return queue_newcomers(owners);
	case OWNERS_MEMBERS:
		return queue_members(subscription);
	case OWNERS_KNOWN:
		return queue_known(subscription);
	case OWNERS_OUTSIDE:
	case OWNERS_ANYWHERE:
		/* Known holders come first: they may have exited or moved to another namespace. */
		result = queue_known(subscription);
		return result < 0 ? result
		                  : procfs_each_number(subscription->context->procfs.fd, ".",
		                                       add_to_queue, owners);
	case OWNERS_IDLE:
		break;
	}
	return 0;
}

static void enter_phase(struct subscription *subscription, enum owners_phase phase)
{
	subscription->owners.phase = phase;
	if (fill_queue(subscription) < 0)
		subscription->owners.complete = false;
}

/* Enters the next phase after all processes of the queue were scanned. Returns false after the last
 * phase. */
static bool enter_next_phase(struct subscription *subscription)
{
	struct owners *owners = &subscription->owners;
	enum owners_phase next;

	if (owners->phase < OWNERS_MEMBERS || owners->phase >= OWNERS_OUTSIDE ||
	    !scope_counts_everybody(subscription->scope))
		return false;
	if (!owners->verifies && !misses_holders(subscription))
		return false;
	next = owners->phase == OWNERS_MEMBERS ? OWNERS_KNOWN : OWNERS_OUTSIDE;
	if (owners->verifies)
		next = has_unattributed(subscription) ? OWNERS_ANYWHERE : OWNERS_OUTSIDE;
	enter_phase(subscription, next);
	return true;
}

/* Whether a process of the queue is to be scanned. */
static bool is_to_be_asked(const struct subscription *subscription, pid_t pid)
{
	const struct owners *owners = &subscription->owners;
	const struct holder *holder;
	struct netns_id id = {0};

	if (owners->phase <= OWNERS_MEMBERS)
		return find_member(subscription, pid) != NULL;
	holder = holders_find(&owners->holders, pid);
	if (find_member(subscription, pid) || (holder && holder->answered >= owners->first_answer))
		return false;
	return holder || owners->phase == OWNERS_ANYWHERE ||
	       (procfs_netns_of(&subscription->context->procfs, pid, &id) == 0 &&
	        view_find_netns(subscription, &id));
}

/* Scans processes until the last phase is finished (true) or the time is over (false). */
static bool ask_queue(struct subscription *subscription, uint64_t deadline)
{
	struct owners *owners = &subscription->owners;

	do {
		if (owners->directory >= 0) {
			go_on(subscription);
		} else if (owners->next < owners->count) {
			pid_t pid = owners->queue[owners->next++];

			if (is_to_be_asked(subscription, pid))
				begin_answer(subscription, pid);
		} else if (!enter_next_phase(subscription)) {
			return true;
		}
	} while (clock_now(CLOCK_MONOTONIC) < deadline);
	return false;
}

/* Begins a search if one is necessary. */
static void begin(struct subscription *subscription, uint64_t now)
{
	struct owners *owners = &subscription->owners;
	bool newcomers = owners->newcomer_count > 0;

	owners->verifies = now >= subscription->verify;
	if (!owners->verifies && !owners->ask_all_members && subscription->pending == 0) {
		owners->waiting = newcomers && now < owners->newcomers_earliest;
		if (!newcomers || owners->waiting)
			return;
	}
	owners->complete = true;
	owners->refused = false;
	owners->took = 0;
	owners->cpu = 0;
	owners->paced = 0;
	subscription->scan_error = 0;
	if (!owners->verifies && !owners->ask_all_members && subscription->pending == 0) {
		enter_phase(subscription, OWNERS_NEWCOMERS);
	} else {
		owners->number++;
		owners->scanned = process_table_completed(subscription->context->processes);
		owners->first_answer = owners->holders.answers + 1;
		owners->ask_all_members = false;
		holders_begin_count(&owners->holders);
		enter_phase(subscription, OWNERS_MEMBERS);
	}
	owners->newcomer_count = 0;
}

/* Ends a search whose result was evaluated. */
static void finish(struct subscription *subscription)
{
	struct owners *owners = &subscription->owners;
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	owners->decides = false;
	if (owners->verifies) {
		retry_unattributed(subscription);
		owners->verify_cost = schedule_smooth(owners->verify_cost, owners->cpu);
		subscription->verify = now + VERIFY_INTERVAL;
		if (owners->verify_cost * VERIFY_SHARE > VERIFY_INTERVAL)
			subscription->verify = now + owners->verify_cost * VERIFY_SHARE;
	}
	forget_asked(owners);
	fd_tables_clear(&owners->tables);
	free(owners->queue);
	owners->queue = NULL;
	owners->capacity = 0;
	owners->phase = OWNERS_IDLE;
	if (owners->paced)
		owners->earliest = now + UNPACED * REST;
	else
		rest(owners, owners->took, owners->cpu);
}

bool owners_resolve(struct subscription *subscription, uint64_t now)
{
	struct owners *owners = &subscription->owners;
	uint64_t before, took, cpu;
	bool done;

	subscription->attribute = false;
	if (now >= owners->again)
		owners->again = 0;
	if (owners->phase == OWNERS_IDLE) {
		if (!resolve_changed(subscription, clock_now(CLOCK_MONOTONIC) + SLICE)) {
			subscription_ask(subscription); /* the others with the next pass */
			return true;
		}
		owners->waiting = now < owners->earliest;
		if (!owners->waiting) {
			ask_candidates(subscription);
			begin(subscription, now);
		}
		if (owners->phase == OWNERS_IDLE)
			return true;
	}
	if (now < owners->paced)
		return true;
	before = clock_now(CLOCK_MONOTONIC);
	cpu = clock_now(CLOCK_THREAD_CPUTIME_ID);
	done = owners->decides || ask_queue(subscription, before + SLICE);
	if (done && !owners->decides)
		begin_result(subscription);
	done = done && resolve_pending(subscription, before + SLICE) &&
	       resolve_changed(subscription, before + SLICE);
	took = clock_now(CLOCK_MONOTONIC) - before;
	cpu = clock_now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	owners->took += took;
	owners->cpu += cpu;
	/* A start waits for its search. */
	if (owners->cpu > UNPACED && subscription->state == SUBSCRIPTION_RUNNING)
		owners->paced = before + took + rest_after(took, cpu);
	if (done)
		finish(subscription);
	return !done || owners->complete;
}

uint64_t owners_due(const struct subscription *subscription, uint64_t verify)
{
	const struct owners *owners = &subscription->owners;
	/* A full check that is due does not begin during a pause either. */
	uint64_t due = verify > owners->earliest ? verify : owners->earliest, waits;

	if (owners->phase != OWNERS_IDLE)
		return owners->paced;
	if (owners->waiting) {
		waits = owners->earliest > owners->newcomers_earliest ? owners->earliest
		                                                      : owners->newcomers_earliest;
		due = clock_earlier(due, waits);
	}
	return owners->again ? clock_earlier(due, owners->again) : due;
}

void owners_clear(struct subscription *subscription)
{
	struct owners *owners = &subscription->owners;

	fds_end(&owners->fds);
	fd_close(owners->directory);
	fd_close(owners->stat);
	fd_tables_clear(&owners->tables);
	free(owners->queue);
	holders_clear(&owners->holders);
	hash_clear(&subscription->sockets);
}
