/* SPDX-License-Identifier: MIT */
/* scope.c - the processes whose ports a subscription reports: a tree, or a namespace */
#include <errno.h>
#include <stdlib.h>

#include "watch/scope.h"

/* The rules of a kind of scope. */
struct scope_rules {
	/* Whether the known namespace of a member is read. */
	bool (*reads)(struct scope *scope, const struct process *member);
	bool counts_everybody;
	bool leaves_ports_open;
};

struct scope {
	const struct scope_rules *rules;
	struct process_tree *tree;
	struct netns_id target; /* the last known namespace of the root */
	bool target_known;
};

static bool reads_any(struct scope *scope, const struct process *member)
{
	(void)scope;
	(void)member;
	return true;
}

/* Reads only the namespace of the root. While the root's namespace is unknown, and after the root
 * has exited, the first member replaces the root. */
static bool reads_target(struct scope *scope, const struct process *member)
{
	if (member->pid == process_tree_root(scope->tree) || !scope->target_known) {
		scope->target = member->netns;
		scope->target_known = true;
	}
	return netns_id_is_same(&scope->target, &member->netns);
}

static const struct scope_rules tree_rules = {
	.reads = reads_any,
};

static const struct scope_rules netns_rules = {
	.reads = reads_target,
	.counts_everybody = true,
	.leaves_ports_open = true,
};

static const struct scope_rules *find_rules(enum portwatch_scope kind)
{
	return kind == PORTWATCH_SCOPE_NETNS ? &netns_rules : &tree_rules;
}

bool scope_needs_root(enum portwatch_scope kind)
{
	return !find_rules(kind)->counts_everybody;
}

int scope_new(struct scope **scope, struct process_table *processes,
              const struct scope_target *target)
{
	struct scope *new = calloc(1, sizeof(*new));
	int result;

	if (!new)
		return -ENOMEM;
	new->rules = find_rules(target->kind);
	result = process_tree_new(&new->tree, processes, target->pid, target->start_time,
	                          target->adopts_orphans, target->limit);
	if (result < 0)
		free(new);
	else
		*scope = new;
	return result;
}

void scope_free(struct scope *scope)
{
	if (!scope)
		return;
	process_tree_unref(scope->tree);
	free(scope);
}

struct process *scope_next(const struct scope *scope, const struct process *previous)
{
	return process_tree_next(scope->tree, previous);
}

bool scope_contains(const struct scope *scope, const struct process *process)
{
	return process_tree_contains(scope->tree, process);
}

size_t scope_count(const struct scope *scope)
{
	return process_tree_count(scope->tree);
}

uint64_t scope_left_out(const struct scope *scope)
{
	return process_tree_refused(scope->tree);
}

bool scope_leaves_out(const struct scope *scope)
{
	return process_tree_refuses(scope->tree);
}

const struct process_tree *scope_tree(const struct scope *scope)
{
	return scope->tree;
}

bool scope_counts_everybody(const struct scope *scope)
{
	return scope->rules->counts_everybody;
}

bool scope_reads(struct scope *scope, const struct process *member)
{
	return member->netns_known && scope->rules->reads(scope, member);
}

bool scope_has_ended(const struct scope *scope)
{
	return process_tree_count(scope->tree) == 0;
}

bool scope_leaves_ports_open(const struct scope *scope)
{
	return scope->rules->leaves_ports_open;
}
