/* SPDX-License-Identifier: MIT */
/* process_scan.h - which processes join and leave the trees: from /proc, and from fork records */
#ifndef PROCESS_SCAN_H
#define PROCESS_SCAN_H

#include "proc/process_table.h"

/* Reads every process of the table again: exited members leave, new children join (repeated until
 * nothing new is found, so that a child found in this pass has its own children read as well). A
 * member whose PID was given to another process left. Where the kernel has no task/TID/children,
 * /proc/PID/stat of all processes is read for its ppid instead. A failure to read one process never
 * drops it while it lives. Returns 0 or -ENOMEM, -EMFILE... (then the pass may be incomplete: call
 * again). */
int process_table_refresh(struct process_table *table);

/* The same in slices: begins anew, also where one is under way; then goes on until it is done or
 * the deadline (CLOCK_MONOTONIC) has passed. Returns 1 while there is more to do, else as above.
 * Every other function may be called between two slices. */
void process_table_refresh_begin(struct process_table *table);
int process_table_refresh_continue(struct process_table *table, uint64_t deadline);

/* Looks now for the orphans (process_orphans.h) for whom that was put off because it would have
 * cost too much. -EAGAIN: there are so many to look at that a refresh, in slices, has to. */
int process_table_find_delayed_orphans(struct process_table *table);

/* A fork record: parent (a PID of any process) has forked child. Adds the child to the trees of the
 * parent, if it has any, even where the child has exited by now (then it leaves at the next
 * refresh, but its own children, reported by later records, belong). Returns 0 (also for
 * non-members) or -ENOMEM. */
int process_table_forked(struct process_table *table, pid_t parent, pid_t child);

/* --- new PIDs alone ---
 *
 * fork(2) gives out the number first and shows the process under it a little later: after
 * microseconds, or, where the forking thread loses its CPU in between, whenever it gets it back
 * (copy_process() in the kernel's kernel/fork.c). So what was given out is looked at twice: at
 * once, and again when it is a second old. */

struct recent_pids {
	pid_t last;     /* looked at; 0: none yet */
	uint64_t again; /* CLOCK_MONOTONIC of the second look; 0: there is nothing to look at */
	pid_t from;     /* the second look goes over those given out after this one */
	pid_t mark;     /* those up to this one are a second old then */
};

/* The PID after which all are to be looked at now, up to last, the one given out last. Equal to
 * last where there is nothing to do. */
pid_t recent_pids_after(const struct recent_pids *recent, pid_t last, uint64_t now);

/* Notes that they have been looked at, after last was given out. */
void recent_pids_seen(struct recent_pids *recent, pid_t last, uint64_t now);

/* Takes in the children of members among the processes with a number above `after` up to `last`:
 * cheaper than a refresh in a large tree, where few processes were forked. False where that won't
 * do: refresh then. It finds nobody whose parent has exited by now, and doesn't notice who has
 * exited; nor does the refresh find the former. */
bool process_scan_new(struct process_table *table, pid_t after, pid_t last);

/* Examines what is queued until nothing is; for process_tree.c. 0, or the first error. */
int table_examine_queue(struct process_table *table);

#endif
