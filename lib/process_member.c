/* SPDX-License-Identifier: MIT */
/* process_member.c - which process belongs to which trees */
#include <errno.h>
#include <stdlib.h>

#include "process_table.h"

bool tree_has(const struct process_tree *tree, const struct entry *entry)
{
	struct membership *membership;

	list_each (membership, &entry->memberships, struct membership, of_process)
		if (membership->tree == tree)
			return true;
	return false;
}

int tree_join(struct process_tree *tree, struct entry *entry)
{
	struct membership *membership;

	if (tree_has(tree, entry))
		return 0;
	membership = malloc(sizeof(*membership));
	if (!membership)
		return -ENOMEM;
	membership->entry = entry;
	membership->tree = tree;
	list_append(&entry->memberships, &membership->of_process);
	list_append(&tree->members, &membership->of_tree);
	tree->count++;
	tree->table->changes++;
	table_queue(tree->table, entry);
	tree->table->hooks.joined(tree->table->data, tree, &entry->process);
	return 0;
}

int tree_inherit(struct entry *entry, const struct entry *parent)
{
	struct membership *membership;
	int result;

	list_each (membership, &parent->memberships, struct membership, of_process) {
		result = tree_join(membership->tree, entry);
		if (result < 0)
			return result;
	}
	return 0;
}

void membership_end(struct membership *membership, bool leave)
{
	struct process_tree *tree = membership->tree;

	list_remove(&membership->of_process);
	list_remove(&membership->of_tree);
	tree->count--;
	if (leave)
		tree->table->hooks.left(tree->table->data, tree, &membership->entry->process);
	free(membership);
}

void table_leave(struct process_table *table, struct entry *entry)
{
	struct membership *membership;

	table->changes++;
	table_remove(table, entry);
	list_each (membership, &entry->memberships, struct membership, of_process)
		membership_end(membership, true);
	table_free_entry(table, entry);
}
