/* SPDX-License-Identifier: MIT */
/* process_tree.h - who belongs to a watched root
 *
 * The layer proc knows what /proc says about processes. procfs.h opens and reads the files, parse.h
 * says what their texts mean, process_table.h has the processes that are watched, and this header
 * the trees that they form. process_scan.h finds who has come and gone, and process_orphans.h those
 * whose parents have exited. fds.h finds the sockets that a process holds, and fd_tables.h spares
 * it the tables that processes share. inits.h finds the init processes of containers. Everything
 * that reads an unbounded number of files can be done in slices.
 *
 * A process_tree is a root and all its descendants; trees may overlap. Once a member, a process
 * stays one until it exits, also after it is reparented. Only the monitor thread calls these
 * functions. */
#ifndef PROCESS_TREE_H
#define PROCESS_TREE_H

#include "proc/process_table.h"

/* Makes the tree of one root, or takes another reference to an existing one with the same (pid,
 * start_time), adopts_orphans and limit. The root joins, and its descendants known from /proc,
 * before it returns. -ESRCH: no such process, or another one with its number. adopts_orphans:
 * children of the calling process (getpid) that aren't ignored and weren't there at the time of
 * this call (unless they are the root) belong to the tree as well. limit: no more members than
 * this; who would come then, and is still there when there is room again, joins with a later
 * refresh. */
int process_tree_new(struct process_tree **tree, struct process_table *table, pid_t pid,
                     uint64_t start_time, bool adopts_orphans, size_t limit);
/* Drops a reference; the last frees the tree, and forgets its processes without calling `left`. */
void process_tree_unref(struct process_tree *tree);

/* The members of a tree, oldest first by joining order; NULL after the last. Stable while
 * nothing adds or drops members. */
struct process *process_tree_next(const struct process_tree *tree, const struct process *previous);
bool process_tree_contains(const struct process_tree *tree, const struct process *process);
/* The trees that a process belongs to; NULL after the last. */
const struct process_tree *process_tree_of(const struct process *process,
                                           const struct process_tree *previous);
size_t process_tree_count(const struct process_tree *tree);
pid_t process_tree_root(const struct process_tree *tree);
/* How often a process was refused for the limit so far, and whether any was since the last refresh
 * began. */
uint64_t process_tree_refused(const struct process_tree *tree);
bool process_tree_refuses(const struct process_tree *tree);

#endif
