/* SPDX-License-Identifier: MIT */
/* process_adopt.c - orphans that became children of the calling process (PR_SET_CHILD_SUBREAPER) */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "cleanup.h"
#include "process_table.h"

/* Calls visit for each child of the calling process. */
static int each_own_child(struct process_table *table, procfs_visit visit, void *data)
{
	CLEANUP_CLOSE int self = procfs_open_at(table->procfs->fd, "self", O_PATH | O_DIRECTORY);
	struct process_stat stat;
	int result = self < 0 ? self : procfs_read_stat(self, &stat);

	if (result < 0)
		return result;
	table->self = stat.pid;
	return table_each_child(table, self, &stat, visit, data);
}

static int note_bystander(void *data, long pid)
{
	struct process_tree *tree = data;
	struct bystander bystander = {.pid = (pid_t)pid};
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	void *bystanders;
	int result;

	if (pid > INT_MAX || pid == tree->root)
		return 0;
	result = process_read(tree->table, (pid_t)pid, &directory, &stat);
	if (result != PROCESS_ALIVE)
		return result < 0 ? result : 0;
	bystander.start_time = stat.start_time;
	bystanders =
		realloc(tree->bystanders, (tree->bystander_count + 1) * sizeof(*tree->bystanders));
	if (!bystanders)
		return -ENOMEM;
	tree->bystanders = bystanders;
	tree->bystanders[tree->bystander_count++] = bystander;
	return 0;
}

int tree_note_bystanders(struct process_tree *tree)
{
	tree->table->pass++;
	return each_own_child(tree->table, note_bystander, tree);
}

static bool is_bystander(const struct process_tree *tree, const struct process_stat *stat)
{
	for (size_t i = 0; i < tree->bystander_count; i++)
		if (tree->bystanders[i].pid == stat->pid &&
		    tree->bystanders[i].start_time == stat->start_time)
			return true;
	return false;
}

static bool has_adopting_tree(const struct entry *entry)
{
	struct membership *membership;

	list_each (membership, &entry->memberships, struct membership, of_process)
		if (membership->tree->adopts_orphans)
			return true;
	return false;
}

static int join_adopting_trees(struct process_table *table, struct entry *entry,
                               const struct process_stat *stat)
{
	struct process_tree *tree;
	int result;

	list_each (tree, &table->trees, struct process_tree, link) {
		if (!tree->adopts_orphans || is_bystander(tree, stat))
			continue;
		result = tree_join(tree, entry);
		if (result < 0)
			return result;
	}
	return 0;
}

static int adopt(void *data, long pid)
{
	struct process_table *table = data;
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	struct entry *entry;
	int result;

	if (pid > INT_MAX || table->hooks.ignored(table->data, (pid_t)pid))
		return 0;
	entry = table_find(table, (pid_t)pid);
	/* Whose orphan it is is known: other trees have no claim to it. */
	if (entry && has_adopting_tree(entry))
		return 0;
	result = process_read(table, (pid_t)pid, &directory, &stat);
	if (result == PROCESS_GONE)
		table->changes++; /* its own children are ours now */
	if (result != PROCESS_ALIVE)
		return result < 0 ? result : 0;
	if (stat.ppid != table->self || (entry && !entry_is(entry, &stat)))
		return 0;
	if (!entry)
		entry = entry_new(table, (pid_t)pid, stat.ppid, &stat, directory);
	if (!entry)
		return -ENOMEM;
	result = join_adopting_trees(table, entry, &stat);
	if (list_empty(&entry->memberships))
		table_free_entry(table, entry);
	return result;
}

int table_adopt_orphans(struct process_table *table)
{
	struct process_tree *tree;

	list_each (tree, &table->trees, struct process_tree, link)
		if (tree->adopts_orphans)
			return each_own_child(table, adopt, table);
	return 0;
}
