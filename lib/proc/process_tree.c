/* SPDX-License-Identifier: MIT */
/* process_tree.c - a root and its descendants */
#include <errno.h>
#include <stdlib.h>

#include "util/cleanup.h"
#include "proc/process_inside.h"
#include "proc/process_orphans.h"
#include "proc/process_scan.h"
#include "proc/process_tree.h"

static struct process_tree *find_tree(struct process_table *table, pid_t pid, uint64_t start_time,
                                      bool adopts_orphans, size_t limit)
{
	struct process_tree *tree;

	list_each (tree, &table->trees, struct process_tree, link)
		if (tree->root == pid && tree->start_time == start_time &&
		    tree->adopts_orphans == adopts_orphans && tree->limit == limit)
			return tree;
	return NULL;
}

/* Adds the root, which was read, to the table. */
static int enter_root(struct process_tree *tree, const struct process_stat *stat, int directory)
{
	struct process_table *table = tree->table;
	struct entry *entry = table_find(table, tree->root);

	if (entry && (entry->exited || !entry_is(entry, stat))) {
		table_leave(table, entry);
		entry = NULL;
	}
	if (!entry)
		entry = entry_new(table, tree->root, stat->ppid, stat, directory);
	if (!entry)
		return -ENOMEM;
	entry_update(entry, stat);
	if (tree_join(tree, entry) == 0)
		return 0;
	if (list_empty(&entry->memberships))
		table_free_entry(table, entry);
	return -ENOMEM;
}

/* Makes the root and all its descendants members. */
static int tree_fill(struct process_tree *tree)
{
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	struct list others;
	int result = process_read(tree->table, tree->root, &directory, &stat);

	if (result != PROCESS_ALIVE)
		return result == PROCESS_GONE     ? -ESRCH
		       : result == PROCESS_CLOSED ? -EACCES
		                                  : result;
	if (stat.start_time != tree->start_time)
		return -ESRCH;
	result = tree->adopts_orphans ? tree_note_preexisting(tree) : 0;
	if (result < 0)
		return result;
	/* Orphans of the other trees must be found before the present orphans are marked for this
	 * tree. */
	if (table_search_orphans_at_once(tree->table) && !tree->table->refreshing)
		table_examine_queue(tree->table);
	tree_begin_orphans(tree, &stat);
	result = enter_root(tree, &stat, directory);
	if (result < 0)
		return result;
	/* A scan of the other trees that is in progress continues after this one. */
	list_init(&others);
	list_splice(&others, &tree->table->queue);
	table_queue(tree->table, table_find(tree->table, tree->root));
	tree->table->pass++;
	tree->filling = true;
	result = table_examine_queue(tree->table);
	tree->filling = false;
	list_splice(&tree->table->queue, &others);
	return result;
}

int process_tree_new(struct process_tree **tree, struct process_table *table, pid_t pid,
                     uint64_t start_time, bool adopts_orphans, size_t limit)
{
	struct process_tree *new = find_tree(table, pid, start_time, adopts_orphans, limit);
	int result;

	if (new) {
		new->references++;
		*tree = new;
		return 0;
	}
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->table = table;
	new->root = pid;
	new->start_time = start_time;
	new->adopts_orphans = adopts_orphans;
	new->limit = limit;
	new->references = 1;
	list_init(&new->members);
	list_init(&new->link);
	list_append(&table->trees, &new->link);
	result = tree_fill(new);
	if (result < 0)
		tree_free(new, true);
	else
		*tree = new;
	return result;
}

void process_tree_unref(struct process_tree *tree)
{
	if (--tree->references == 0)
		tree_free(tree, false);
}

/* The membership of a process in this tree. */
static struct membership *find_membership(const struct process_tree *tree,
                                          const struct process *process)
{
	const struct entry *entry = container_of(process, struct entry, process);
	struct membership *membership;

	list_each (membership, &entry->memberships, struct membership, of_process)
		if (membership->tree == tree)
			return membership;
	return NULL;
}

struct process *process_tree_next(const struct process_tree *tree, const struct process *previous)
{
	const struct membership *membership = previous ? find_membership(tree, previous) : NULL;
	const struct list *next = membership ? membership->of_tree.next : tree->members.next;

	if (next == &tree->members)
		return NULL;
	return &container_of(next, struct membership, of_tree)->entry->process;
}

bool process_tree_contains(const struct process_tree *tree, const struct process *process)
{
	return find_membership(tree, process) != NULL;
}

const struct process_tree *process_tree_of(const struct process *process,
                                           const struct process_tree *previous)
{
	const struct entry *entry = container_of(process, struct entry, process);
	const struct membership *membership = previous ? find_membership(previous, process) : NULL;
	const struct list *next =
		membership ? membership->of_process.next : entry->memberships.next;

	if (next == &entry->memberships)
		return NULL;
	return container_of(next, struct membership, of_process)->tree;
}

size_t process_tree_count(const struct process_tree *tree)
{
	return tree->count;
}

pid_t process_tree_root(const struct process_tree *tree)
{
	return tree->root;
}

uint64_t process_tree_refused(const struct process_tree *tree)
{
	return tree->refused;
}

bool process_tree_refuses(const struct process_tree *tree)
{
	return tree->refused > tree->refused_before;
}
