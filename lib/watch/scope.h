/* SPDX-License-Identifier: MIT */
/* scope.h - whose ports a subscription reports
 *
 * A scope decides which processes count, which network namespaces are read, and when the watch
 * ends. The other modules put these questions to it; none of them knows which scope it serves.
 * Today there are the tree (a process and everything that it starts) and the namespace (every port
 * in the network namespace of a process). */
#ifndef SCOPE_H
#define SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "portwatch.h"
#include "proc/process_tree.h"

struct scope;

struct scope_target {
	enum portwatch_scope kind;
	pid_t pid;           /* the watched process ... */
	uint64_t start_time; /* ... and its start time, clock ticks since boot */
	bool adopts_orphans; /* see process_tree_new() */
	size_t limit;        /* of members, likewise */
};

/* Makes a scope; its members are known when this returns. Returns 0; -ESRCH (no such process, or
 * another one with its number); another errno of process_tree_new(). The table must outlive it. */
int scope_new(struct scope **scope, struct process_table *processes,
              const struct scope_target *target);
void scope_free(struct scope *scope);
/* Whether a scope of this kind is of no use where the descriptors of the process can't be read. */
bool scope_needs_root(enum portwatch_scope kind);

/* --- which processes count --- */

/* The members, oldest first by joining order; NULL after the last. See process_tree_next(). */
struct process *scope_next(const struct scope *scope, const struct process *previous);
bool scope_contains(const struct scope *scope, const struct process *process);
size_t scope_count(const struct scope *scope);
/* How often a process was left out because there are as many members as there may be, and whether
 * some are left out now. */
uint64_t scope_left_out(const struct scope *scope);
bool scope_leaves_out(const struct scope *scope);
/* The tree: those who join and leave it join and leave the scope. */
const struct process_tree *scope_tree(const struct scope *scope);
/* Whether a socket counts whoever holds it: then non-members may be its owners, and it counts also
 * while its owner is unknown. Otherwise it counts only while a member holds it. */
bool scope_counts_everybody(const struct scope *scope);

/* --- which network namespaces are read --- */

/* Whether the namespace in which a member lives is read. */
bool scope_reads(struct scope *scope, const struct process *member);

/* --- when the watch ends --- */

bool scope_has_ended(const struct scope *scope);
/* Whether the ports that are open at the end stay open, as far as the scope can know. They are not
 * reported as closed then. */
bool scope_leaves_ports_open(const struct scope *scope);

#endif
