/* SPDX-License-Identifier: MIT */
/* namespace_entry.c - chooses the process by which a network namespace is entered: its init */
#include <string.h>

#include "caps.h"
#include "cleanup.h"
#include "subscription.h"

#define ANCESTORS_MAX 64

struct candidate {
	pid_t pid;
	uint64_t start_time;
	unsigned int depth; /* of its PID namespace; 0: not known */
	bool init;          /* it is PID 1 in its innermost PID namespace */
};

struct search {
	const struct procfs *procfs;
	const struct netns_id *id;
	struct candidate best;
};

static bool is_better(const struct candidate *candidate, const struct candidate *best)
{
	if (best->pid == 0 || candidate->init != best->init)
		return best->pid == 0 || candidate->init;
	return candidate->start_time < best->start_time;
}

/* Looks at one process. Returns its parent where it lives in the namespace, else 0. */
static pid_t consider(struct search *search, pid_t pid)
{
	CLEANUP_CLOSE int process = procfs_open_process(search->procfs, pid);
	struct candidate candidate = {.pid = pid};
	struct process_stat stat;
	struct netns_id id;
	pid_t innermost = 0;

	if (process < 0 || procfs_netns(process, &id) < 0 || id.ino != search->id->ino ||
	    id.dev != search->id->dev || procfs_read_stat(process, &stat) < 0)
		return 0;
	procfs_read_nspid(process, &innermost, &candidate.depth);
	candidate.init = innermost == 1;
	candidate.start_time = stat.start_time;
	if (is_better(&candidate, &search->best))
		search->best = candidate;
	return stat.ppid;
}

static void consider_members(struct search *search, struct portwatch_namespace *ns)
{
	struct view *view;

	list_each (view, &ns->views, struct view, of_namespace) {
		struct process *process = NULL;

		while (!search->best.init &&
		       (process = process_tree_next(view->subscription->tree, process)))
			if (process->netns_known && process->netns.ino == ns->id.ino &&
			    process->netns.dev == ns->id.dev)
				consider(search, process->pid);
	}
}

static int consider_any(void *data, long pid)
{
	struct search *search = data;

	consider(search, (pid_t)pid);
	return search->best.init;
}

static bool is_readable(const struct procfs *procfs, pid_t pid, uint64_t *inode)
{
	CLEANUP_CLOSE int process = procfs_open_process(procfs, pid);
	uint64_t found = 0;

	if (process < 0 || procfs_netns_inode(process, &found) < 0)
		return false;
	if (found == 0) {
		unsigned int taken = caps_begin(CAPS_READ_PROCESS);

		if (taken && procfs_netns_inode(process, &found) < 0)
			found = 0;
		caps_end(taken);
	}
	if (found == 0)
		return false;
	*inode = found;
	return true;
}

bool namespace_entry(struct portwatch_namespace *ns, struct reader_target *target)
{
	struct search search = {.procfs = &ns->monitor->procfs, .id = &ns->id};
	struct candidate member;
	pid_t parent;

	consider_members(&search, ns);
	if (search.best.pid == 0)
		return false;
	member = search.best;
	parent = consider(&search, member.pid);
	for (int i = 0; i < ANCESTORS_MAX && parent > 0 && !search.best.init; i++)
		parent = consider(&search, parent);
	/* The init of a container that a member has entered from outside is nobody's ancestor here.
	 */
	if (!search.best.init && member.depth > 1)
		procfs_each_number(search.procfs->fd, ".", consider_any, &search);
	/* An init that may not be opened helps less than a member that may. */
	if (!is_readable(search.procfs, search.best.pid, &ns->inode) &&
	    is_readable(search.procfs, member.pid, &ns->inode))
		search.best = member;
	ns->pid = search.best.pid;
	*target = (struct reader_target){
		.procfs = search.procfs,
		.pid = search.best.pid,
		.start_time = search.best.start_time,
		.netns = ns->id,
		.nsenter = NSENTER_PATH,
	};
	return true;
}
