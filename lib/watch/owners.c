/* SPDX-License-Identifier: MIT */
/* owners.c - finds the members that hold new sockets
 *
 * Only over members of the subscription's tree, and only where there is a question: sockets that
 * nobody was asked about, members that were not asked yet; and all of it again, sparingly, because
 * a socket can be passed to a member. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "watch/owners.h"
#include "util/caps.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define VERIFY_INTERVAL (5 * NSEC_PER_SEC)
/* In a tree of so many members not all are asked where the notifier says whom to ask. */
#define LARGE_TREE 17
#define SCANNED_CANDIDATES_MAX 64
/* Looking at everything again costs at most this part of the time. */
#define VERIFY_SHARE 2000

/* Asks each member: about pending sockets always, about all others if it is new or everything is
 * verified. False if not all could be asked. */
static bool scan_members(struct subscription *subscription, struct question *pending,
                         struct question *others, bool verify)
{
	struct process *process = NULL;
	bool complete = true;

	while ((process = scope_next(subscription->scope, process))) {
		bool new = verify || process->seen >= subscription->scanned;
		CLEANUP_CLOSE int directory = -1;

		if (pending->count == 0 && !(new && others->count > 0))
			continue;
		directory = procfs_open_process(&subscription->monitor->procfs, process->pid);
		complete &= question_scan(pending, subscription, process, directory);
		if (new)
			complete &= question_scan(others, subscription, process, directory);
	}
	return complete;
}

static const struct fds_holder nobody = {.pid = 0};

/* A socket that no member holds. One that a member held is let go after two complete reads that
 * still show it: usually it is gone with its owner. */
static void nobody_holds(struct view *view, struct socket *socket)
{
	if (socket->state == SOCKET_OWNERLESS) {
		if (view->ns->completed > socket->looked) {
			socket->looked = view->ns->completed;
			socket->looks++;
		}
		if (socket->looks < 2) {
			netns_read_now(view->ns);
			return;
		}
	}
	view->subscription->pending--;
	if (scope_counts_everybody(view->subscription->scope))
		socket_hold(view, socket, &nobody);
	else
		socket_release(view, socket, SOCKET_UNATTRIBUTED);
}

/* A new member holds a socket that nobody held. Others that were asked before may have got it as
 * well: all are asked again, for the oldest. */
static void resolve_again(struct view *view, struct socket *socket)
{
	socket->state = SOCKET_NEW;
	view->subscription->pending++;
	view->subscription->attribute = true;
	view->subscription->monitor->touched = true;
}

static void resolve(struct view *view, struct socket *socket, const struct fds_holder *found,
                    bool complete, bool verify)
{
	if (found && found->pid && !verify && socket->state == SOCKET_UNATTRIBUTED) {
		resolve_again(view, socket);
	} else if (found && found->pid) {
		view->subscription->pending -= socket_is_pending(socket);
		socket_hold(view, socket, found);
	} else if (!complete) {
		return;
	} else if (socket_is_pending(socket)) {
		nobody_holds(view, socket);
	} else if (!socket->port && scope_counts_everybody(view->subscription->scope)) {
		socket_hold(view, socket, &nobody); /* there was no memory before */
	} else if (verify && socket->state == SOCKET_HELD) {
		socket_lose_owner(view, socket);
		netns_read_now(view->ns);
	}
}

static void resolve_all(struct subscription *subscription, struct question *pending,
                        struct question *others, bool complete, bool verify)
{
	struct view *view;
	struct socket *socket;

	list_each (view, &subscription->views, struct view, of_subscription)
		list_each (socket, &view->sockets, struct socket, link) {
			struct question *question = socket_is_pending(socket) ? pending : others;

			/* A held socket that a new member shares keeps its owner until it is
			 * verified. */
			if (!socket_is_pending(socket) && !verify && socket->state == SOCKET_HELD)
				continue;
			resolve(view, socket,
			        fds_find(question->sockets, question->count,
			                 socket->listener.inode),
			        complete, verify);
		}
}

void owners_add_candidate(struct subscription *subscription, const struct process *process)
{
	if (subscription->candidate_count == CANDIDATES_MAX)
		subscription->candidate_count = 0; /* then all are asked */
	subscription->candidates[subscription->candidate_count++] = process->pid;
}

/* The processes that are asked about fresh sockets in a large tree: those told to listen and their
 * ancestors. */
struct candidate_list {
	const struct process *processes[SCANNED_CANDIDATES_MAX];
	size_t count;
};

static bool is_candidate(const struct candidate_list *line, const struct process *process)
{
	for (size_t i = 0; i < line->count; i++)
		if (line->processes[i] == process)
			return true;
	return false;
}

static void candidate_list(struct subscription *subscription, struct candidate_list *line)
{
	struct process_table *table = subscription->monitor->processes;

	for (unsigned int i = 0; i < subscription->candidate_count; i++) {
		const struct process *process =
			process_table_find(table, subscription->candidates[i]);

		while (process && scope_contains(subscription->scope, process) &&
		       line->count < SCANNED_CANDIDATES_MAX && !is_candidate(line, process)) {
			line->processes[line->count++] = process;
			process = process_table_find(table, process->ppid);
		}
	}
}

/* In a large tree: who was told to listen, and who may have handed it the socket by fork(2), that
 * is its ancestors. A socket that is younger than its siblings is held by nobody else but its
 * children. True if nothing is left to ask. */
static bool scan_candidates(struct subscription *subscription)
{
	struct question question = {0}, nothing = {0};
	struct candidate_list line = {.count = 0};

	if (subscription->candidate_count == 0 || scope_count(subscription->scope) < LARGE_TREE ||
	    question_make(&question, subscription, true) < 0)
		return false;
	candidate_list(subscription, &line);
	for (size_t i = 0; i < line.count; i++) {
		CLEANUP_CLOSE int directory =
			procfs_open_process(&subscription->monitor->procfs, line.processes[i]->pid);

		question_scan(&question, subscription, line.processes[i], directory);
	}
	resolve_all(subscription, &question, &nothing, false, false);
	free(question.sockets);
	subscription->candidate_count = 0;
	return subscription->pending == 0;
}

/* Asks all members. */
static bool scan_all(struct subscription *subscription, uint64_t now, bool verify)
{
	struct question pending = {0}, others = {0};
	bool complete = false;

	if (question_make(&pending, subscription, true) == 0 &&
	    question_make(&others, subscription, false) == 0) {
		complete = scan_members(subscription, &pending, &others, verify);
		resolve_all(subscription, &pending, &others, complete, verify);
	}
	if (complete)
		subscription->scanned = now;
	free(pending.sockets);
	free(others.sockets);
	return complete;
}

bool owners_resolve(struct subscription *subscription, uint64_t now)
{
	bool verify = now >= subscription->verify;
	uint64_t before = clock_now(CLOCK_THREAD_CPUTIME_ID), cost;
	bool fresh = subscription->pending > 0, complete;

	subscription->attribute = false;
	subscription->scan_error = 0;
	if (!verify && fresh && scan_candidates(subscription)) {
		subscription->attribute_again = true; /* new members about the other sockets */
		return true;
	}
	complete = scan_all(subscription, now, verify);
	if (verify) {
		cost = clock_now(CLOCK_THREAD_CPUTIME_ID) - before;
		subscription->verify = now + VERIFY_INTERVAL;
		if (cost * VERIFY_SHARE > VERIFY_INTERVAL)
			subscription->verify = now + cost * VERIFY_SHARE;
	}
	return complete;
}

/* --- asks processes which of a set of sockets they hold */

static bool belongs(const struct socket *socket, bool pending)
{
	return socket_is_pending(socket) == pending;
}

static size_t count_sockets(struct subscription *subscription, bool pending)
{
	struct view *view;
	struct socket *socket;
	size_t count = 0;

	list_each (view, &subscription->views, struct view, of_subscription)
		list_each (socket, &view->sockets, struct socket, link)
			count += belongs(socket, pending);
	return count;
}

int question_make(struct question *question, struct subscription *subscription, bool pending)
{
	struct view *view;
	struct socket *socket;
	size_t count = count_sockets(subscription, pending);

	if (count == 0)
		return 0;
	question->sockets = calloc(count, sizeof(*question->sockets));
	if (!question->sockets)
		return -ENOMEM;
	list_each (view, &subscription->views, struct view, of_subscription)
		list_each (socket, &view->sockets, struct socket, link)
			if (belongs(socket, pending))
				question->sockets[question->count++].inode = socket->listener.inode;
	fds_sort(question->sockets, question->count);
	return 0;
}

/* Whether the answer of a member that couldn't be read is as good as "no": it is gone, or will
 * never be readable. What else failed (no descriptors left, no memory) is no information. */
static bool is_answer(struct subscription *subscription, const struct process *process,
                      ssize_t result)
{
	if (result >= 0)
		unreadable_forget(subscription, process);
	if (result >= 0 || result == -ESRCH || result == -ENOENT)
		return true;
	if (result != -EACCES && result != -EPERM)
		subscription->scan_error = (int)result;
	unreadable_note(subscription, process, (int)result);
	return result == -EACCES || result == -EPERM;
}

ssize_t owners_scan_process(int directory, pid_t pid, uint64_t start_time,
                            struct fds_holder *sockets, size_t count)
{
	ssize_t result = fds_scan_process(directory, pid, start_time, sockets, count);
	caps_set taken;

	if (result != -EACCES && result != -EPERM)
		return result;
	taken = caps_begin(CAPS_READ_PROCESS);
	if (taken)
		result = fds_scan_process(directory, pid, start_time, sockets, count);
	caps_end(taken);
	return result;
}

/* A process that exits belongs to root from when its memory is gone: that it can't be read then is
 * no news. */
static bool is_exiting(int directory)
{
	struct process_stat stat;

	return directory >= 0 && procfs_read_stat(directory, &stat) == 0 && stat.exiting &&
	       stat.threads <= 1;
}

bool question_scan(struct question *question, struct subscription *subscription,
                   const struct process *process, int directory)
{
	ssize_t result = directory;

	if (question->count == 0)
		return true;
	if (directory >= 0)
		result = owners_scan_process(directory, process->pid, process->start_time,
		                             question->sockets, question->count);
	if ((result == -EACCES || result == -EPERM) && is_exiting(directory))
		result = -ESRCH;
	subscription->monitor->stats[PORTWATCH_STAT_SCANS]++;
	return is_answer(subscription, process, result);
}
