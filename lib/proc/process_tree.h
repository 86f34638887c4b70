/* SPDX-License-Identifier: MIT */
/* process_tree.h - a watched root and its descendants
 *
 * The layer `proc` reads processes in /proc. procfs.h opens and reads the files, parse.h parses
 * them, process_table.h has the watched processes, and this header the trees that they form.
 * process_scan.h finds processes that have joined and left, and process_orphans.h processes whose
 * parents have exited. fds.h finds the sockets that a process holds, and fd_tables.h avoids reading
 * shared descriptor tables twice. inits.h finds the init processes of containers. All work that
 * reads an unbounded number of files can be divided into slices.
 *
 * A process_tree is a root and all its descendants; trees may overlap. Once a member, a process
 * stays one until it exits, also after it is reparented. Only the monitor thread calls these
 * functions. */
#ifndef PROCESS_TREE_H
#define PROCESS_TREE_H

#include "proc/process_table.h"

/* Creates the tree of one root, or returns another reference to an existing one with the same (pid,
 * start_time), adopts_orphans and limit. The root and its descendants in /proc join before the
 * function returns. -ESRCH: no such process, or another one with its PID. adopts_orphans: children
 * of the calling process (getpid) that are not ignored and did not exist at this call (unless they
 * are the root) belong to the tree as well. limit: the most members; a process beyond the limit
 * joins with a later refresh, if it still exists when there is room. */
int process_tree_new(struct process_tree **tree, struct process_table *table, pid_t pid,
                     uint64_t start_time, bool adopts_orphans, size_t limit);
/* Releases a reference. The last one frees the tree and its processes without calling `left`. */
void process_tree_unref(struct process_tree *tree);

/* Iterates over the members of a tree in the order in which they joined; NULL after the last.
 * Stable while no member is added or dropped. */
struct process *process_tree_next(const struct process_tree *tree, const struct process *previous);
bool process_tree_contains(const struct process_tree *tree, const struct process *process);
/* The trees that a process belongs to; NULL after the last. */
const struct process_tree *process_tree_of(const struct process *process,
                                           const struct process_tree *previous);
size_t process_tree_count(const struct process_tree *tree);
pid_t process_tree_root(const struct process_tree *tree);
/* How often a process was refused because of the limit so far, and whether one was since the last
 * refresh began. */
uint64_t process_tree_refused(const struct process_tree *tree);
bool process_tree_refuses(const struct process_tree *tree);

#endif
