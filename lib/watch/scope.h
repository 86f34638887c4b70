/* SPDX-License-Identifier: MIT */
/* scope.h - the processes whose ports a subscription reports
 *
 * A scope decides which processes count, which network namespaces are read, and when the watch
 * ends. No other module depends on the kind of scope. The kinds are the tree (a process and all its
 * descendants) and the namespace (every port in the network namespace of a process). */
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
	size_t limit;        /* of members, see process_tree_new() */
};

/* Creates a scope and finds its members. Returns 0; -ESRCH (no such process, or another one with
 * the same PID); another errno of process_tree_new(). The process table must outlive the scope. */
int scope_new(struct scope **scope, struct process_table *processes,
              const struct scope_target *target);
void scope_free(struct scope *scope);
/* Whether a scope of this kind is useless if the descriptors of the root cannot be read. */
bool scope_needs_root(enum portwatch_scope kind);

/* --- which processes count --- */

/* Iterates over the members in the order in which they joined; NULL after the last. See
 * process_tree_next(). */
struct process *scope_next(const struct scope *scope, const struct process *previous);
bool scope_contains(const struct scope *scope, const struct process *process);
size_t scope_count(const struct scope *scope);
/* How often a process was left out because of the limit of members, and whether some are left out
 * now. */
uint64_t scope_left_out(const struct scope *scope);
bool scope_leaves_out(const struct scope *scope);
/* The tree of the scope: a process joins and leaves the scope together with the tree. */
const struct process_tree *scope_tree(const struct scope *scope);
/* Whether every process counts: then non-members may own a socket, and a socket counts even if its
 * owner is unknown. Otherwise a socket counts only while a member holds it. */
bool scope_counts_everybody(const struct scope *scope);

/* --- which network namespaces are read --- */

/* Whether the namespace in which a member lives is read. */
bool scope_reads(struct scope *scope, const struct process *member);

/* --- when the watch ends --- */

bool scope_has_ended(const struct scope *scope);
/* Whether ports that are open at the end may stay open. They are then not reported as closed. */
bool scope_leaves_ports_open(const struct scope *scope);

#endif
