/* SPDX-License-Identifier: MIT */
/* process_scan.h - finds processes that join and leave the trees, in /proc and in fork records */
#ifndef PROCESS_SCAN_H
#define PROCESS_SCAN_H

#include "proc/process_table.h"

/* Reads every process of the table again: exited members leave, new children join (repeated until
 * nothing new is found, so that a child found in this pass has its own children read as well). A
 * member whose PID belongs to another process now leaves. If the kernel has no task/TID/children,
 * the ppid in /proc/PID/stat of all processes is read instead. A failure to read a process does not
 * drop it while it lives. Returns 0 or -ENOMEM, -EMFILE... (then the pass may be incomplete: call
 * again). */
int process_table_refresh(struct process_table *table);

/* The same in slices. process_table_refresh_begin() starts a refresh, or restarts the present one.
 * The second function continues it until it is complete or the deadline (CLOCK_MONOTONIC) has
 * passed. Returns 1 while the refresh is not complete, otherwise as above. Every other function may
 * be called between two slices. */
void process_table_refresh_begin(struct process_table *table);
int process_table_refresh_continue(struct process_table *table, uint64_t deadline);

/* Does the search for orphans (process_orphans.h) that was postponed because of its cost. Returns
 * -EAGAIN if there are so many processes that a refresh, in slices, must do it. */
int process_table_find_delayed_orphans(struct process_table *table);

/* A fork record: parent (a PID of any process) has forked child. Adds the child to the trees of the
 * parent, if it has any, even if the child has exited by now (then it leaves at the next refresh,
 * but its own children, which later records report, become members). Returns 0 (also for
 * non-members) or -ENOMEM. */
int process_table_forked(struct process_table *table, pid_t parent, pid_t child);

/* --- new PIDs alone ---
 *
 * fork(2) assigns the PID first, and the process becomes visible a little later: after
 * microseconds, or, if the forking thread is preempted in between, when it runs again
 * (copy_process() in the kernel's kernel/fork.c). Each new PID is therefore examined twice: at
 * once, and again when it is a second old. */

struct recent_pids {
	pid_t last;     /* the last PID that was examined; 0: none yet */
	uint64_t again; /* CLOCK_MONOTONIC of the second examination; 0: none is due */
	pid_t from;     /* the second examination begins after this PID */
	pid_t mark;     /* PIDs up to this one are a second old then */
};

/* Returns the PID after which all PIDs are to be examined now, up to `last`, the last assigned PID.
 * Returns `last` if there is nothing to examine. */
pid_t recent_pids_after(const struct recent_pids *recent, pid_t last, uint64_t now);

/* Notes that these PIDs were examined after `last` was assigned. */
void recent_pids_seen(struct recent_pids *recent, pid_t last, uint64_t now);

/* Adds the children of members among the processes with a PID above `after` up to `last`: cheaper
 * than a refresh in a large tree if few processes were forked. Returns false if this is not
 * sufficient: then a refresh is needed. The function does not find processes whose parents have
 * exited by now (neither does a refresh), and does not notice exits. */
bool process_scan_new(struct process_table *table, pid_t after, pid_t last);

/* Examines the queue until it is empty; for process_tree.c. Returns 0 or the first error. */
int table_examine_queue(struct process_table *table);

#endif
