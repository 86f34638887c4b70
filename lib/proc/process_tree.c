/* SPDX-License-Identifier: MIT */
/* process_tree.c - a root and those who belong to it */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "util/cleanup.h"
#include "proc/process_table.h"

/* Ends every membership, and forgets who belongs nowhere any more. */
static void tree_empty(struct process_tree *tree, bool leave)
{
	struct membership *membership;

	list_each (membership, &tree->members, struct membership, of_tree) {
		struct entry *entry = membership->entry;

		membership_end(membership, leave);
		if (list_empty(&entry->memberships))
			table_free_entry(tree->table, entry);
	}
}

static void tree_free(struct process_tree *tree, bool leave)
{
	tree_empty(tree, leave);
	list_remove(&tree->link);
	free(tree->preexisting);
	tree_end_orphans(tree);
	free(tree);
}

static struct process_tree *find_tree(struct process_table *table, pid_t pid, uint64_t start_time,
                                      bool adopts_orphans)
{
	struct process_tree *tree;

	list_each (tree, &table->trees, struct process_tree, link)
		if (tree->root == pid && tree->start_time == start_time &&
		    tree->adopts_orphans == adopts_orphans)
			return tree;
	return NULL;
}

/* Brings what was read of the root into the table. */
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

/* Has the root and all its descendants join. */
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
	tree_begin_orphans(tree, &stat);
	result = enter_root(tree, &stat, directory);
	if (result < 0)
		return result;
	/* A scan of the other trees that is under way goes on after this one. */
	list_init(&others);
	list_splice(&others, &tree->table->queue);
	table_queue(tree->table, table_find(tree->table, tree->root));
	tree->table->pass++;
	result = table_examine_queue(tree->table);
	list_splice(&tree->table->queue, &others);
	return result;
}

int process_tree_new(struct process_tree **tree, struct process_table *table, pid_t pid,
                     uint64_t start_time, bool adopts_orphans)
{
	struct process_tree *new = find_tree(table, pid, start_time, adopts_orphans);
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

size_t process_tree_count(const struct process_tree *tree)
{
	return tree->count;
}

pid_t process_tree_root(const struct process_tree *tree)
{
	return tree->root;
}

/* --- orphans that became children of the calling process (PR_SET_CHILD_SUBREAPER) */

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

static int note_preexisting(void *data, long pid)
{
	struct process_tree *tree = data;
	struct preexisting child = {.pid = (pid_t)pid};
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	void *grown;
	int result;

	if (pid > INT_MAX || pid == tree->root)
		return 0;
	result = process_read(tree->table, (pid_t)pid, &directory, &stat);
	if (result != PROCESS_ALIVE)
		return result < 0 ? result : 0;
	child.start_time = stat.start_time;
	grown = realloc(tree->preexisting,
	                (tree->preexisting_count + 1) * sizeof(*tree->preexisting));
	if (!grown)
		return -ENOMEM;
	tree->preexisting = grown;
	tree->preexisting[tree->preexisting_count++] = child;
	return 0;
}

int tree_note_preexisting(struct process_tree *tree)
{
	tree->table->pass++;
	return each_own_child(tree->table, note_preexisting, tree);
}

static bool is_preexisting(const struct process_tree *tree, const struct process_stat *stat)
{
	for (size_t i = 0; i < tree->preexisting_count; i++)
		if (tree->preexisting[i].pid == stat->pid &&
		    tree->preexisting[i].start_time == stat->start_time)
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
		if (!tree->adopts_orphans || is_preexisting(tree, stat))
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

/* --- takes in the fork records of the kernel
 *
 * A record is read some time after the fork. By then either process may have exited, and another
 * may have its number. */

/* Whether a child that names the parent, which is dead, is another one's: it was read before the
 * parent died, or a stranger has the parent's number. The kernel gives children away before it
 * shows their parent as dead. */
static bool still_names(const struct process_table *table, const struct entry *parent,
                        const struct process_stat *child)
{
	CLEANUP_CLOSE int directory = -1;
	struct process_stat now;

	return process_read(table, child->pid, &directory, &now) == PROCESS_ALIVE &&
	       now.start_time == child->start_time && now.ppid == parent->process.pid;
}

/* Whether what was read of the child is the one that the parent has forked, and not a stranger with
 * the number of either. While the parent lives, the child names it, or its own parent
 * (CLONE_PARENT, as container runtimes use it); once it is dead, another one. */
static bool is_forked_by(const struct process_table *table, const struct entry *parent,
                         const struct process_stat *child)
{
	bool named = child->ppid == parent->process.pid;
	int lives = process_still_lives(table, parent);

	if (lives == 0)
		return !named || !still_names(table, parent, child);
	return lives < 0 || named || child->ppid == parent->process.ppid;
}

static int add_forked(struct process_table *table, struct entry *parent, pid_t pid,
                      const struct process_stat *stat, int directory, bool exited)
{
	struct entry *entry = entry_new(table, pid, parent->process.pid, stat, directory);
	int result;

	if (!entry)
		return -ENOMEM;
	entry->exited = exited;
	result = tree_inherit(entry, parent);
	if (list_empty(&entry->memberships))
		table_free_entry(table, entry);
	else
		list_remove(&entry->queued); /* the next refresh examines everyone */
	return result;
}

int process_table_forked(struct process_table *table, pid_t parent, pid_t child)
{
	struct entry *forker = table_find(table, parent), *known;
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	int reading;

	if (!forker || parent == child || table->hooks.ignored(table->data, child))
		return 0;
	reading = process_read(table, child, &directory, &stat);
	known = table_find(table, child);
	if (known && (reading != PROCESS_ALIVE || (!known->exited && entry_is(known, &stat))))
		return tree_inherit(known, forker);
	if (known)
		table_leave(table, known);
	if (reading != PROCESS_ALIVE)
		return add_forked(table, forker, child, NULL, -1, reading == PROCESS_GONE);
	if (!is_forked_by(table, forker, &stat))
		return 0;
	return add_forked(table, forker, child, &stat, directory, false);
}
