/* SPDX-License-Identifier: MIT */
/* process_refresh.c - reads the members again: who has exited, who has new children */
#include <errno.h>
#include <limits.h>

#include "cleanup.h"
#include "process_table.h"

/* How far up an orphan may find a new parent. */
#define ANCESTORS 64
/* How often our own children are listed in one pass, at most. */
#define ADOPTIONS 8

/* The children of one member, which this pass has found alive. */
struct children {
	struct process_table *table;
	struct entry *parent;
};

static bool was_found_alive(const struct process_table *table, const struct entry *entry)
{
	return entry->pass == table->pass;
}

/* Adds a process to the trees of its parent. */
static int add_child(struct process_table *table, struct entry *parent, pid_t pid,
                     const struct process_stat *stat, int directory)
{
	struct entry *entry = entry_new(table, pid, parent->process.pid, stat, directory);
	int result;

	if (!entry)
		return -ENOMEM;
	result = tree_inherit(entry, parent);
	if (list_empty(&entry->memberships))
		table_free_entry(table, entry);
	return result;
}

/* A child that the table doesn't know. Where it says that it has another parent, either its own has
 * exited just now, or it has, and a stranger got its number. */
static int discover(struct process_table *table, struct entry *parent, pid_t pid)
{
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	int result = process_read(table, pid, &directory, &stat);
	int lives;

	if (result == PROCESS_CLOSED)
		return add_child(table, parent, pid, NULL, -1);
	if (result != PROCESS_ALIVE)
		return result < 0 ? result : 0;
	if (stat.ppid != parent->process.pid) {
		lives = process_still_lives(table, parent);
		if (lives != 0)
			return lives < 0 ? lives : 0;
	}
	return add_child(table, parent, pid, &stat, directory);
}

static int visit_child(void *data, long pid)
{
	struct children *children = data;
	struct process_table *table = children->table;
	struct entry *child;

	if (pid > INT_MAX)
		return 0;
	child = table_find(table, (pid_t)pid);
	if (!child && table->hooks.ignored(table->data, (pid_t)pid))
		return 0;
	if (!child)
		return discover(table, children->parent, (pid_t)pid);
	if (was_found_alive(table, child))
		return tree_inherit(child, children->parent);
	/* Perhaps the number of an old member: its own turn tells, and looks for its parent. */
	table_queue(table, child);
	return 0;
}

/* The parent that a process says it has, if that is a member. Not one that is still to be examined:
 * that will find its child itself. */
static struct entry *find_parent(struct process_table *table, pid_t ppid)
{
	struct entry *parent = table_find(table, ppid);

	return parent && was_found_alive(table, parent) ? parent : NULL;
}

/* The children of a process that exits go to the nearest of its ancestors that takes orphans:
 * those that were listed before its exit was known are listed once more. */
static void queue_ancestors(struct process_table *table, const struct entry *entry)
{
	for (int i = 0; i < ANCESTORS; i++) {
		struct entry *parent = table_find(table, entry->process.ppid);

		if (!parent || parent == entry)
			return;
		table_queue(table, parent);
		entry = parent;
	}
}

static void leave(struct process_table *table, struct entry *entry)
{
	queue_ancestors(table, entry);
	table_leave(table, entry);
}

/* The process in the table has exited, another one has its number. */
static int replace(struct process_table *table, struct entry *entry,
                   const struct process_stat *stat, int directory)
{
	pid_t pid = entry->process.pid;
	struct entry *parent;

	leave(table, entry);
	parent = find_parent(table, stat->ppid);
	if (!parent || table->hooks.ignored(table->data, pid))
		return 0;
	return add_child(table, parent, pid, stat, directory);
}

/* Whether it is the one that a fork record has told of, for a process whose start time isn't known
 * yet. */
static int is_as_told(struct process_table *table, const struct entry *entry,
                      const struct process_stat *stat)
{
	const struct entry *parent = table_find(table, entry->process.ppid);
	int lives;

	if (entry->start_known || stat->ppid == entry->process.ppid || !parent)
		return 1;
	lives = process_still_lives(table, parent);
	return lives < 0 ? lives : !lives;
}

static int examine_living(struct process_table *table, struct entry *entry,
                          const struct process_stat *stat, int directory)
{
	struct children children = {table, entry};
	struct entry *parent = find_parent(table, stat->ppid);
	int result = 0;

	entry_update(entry, stat);
	entry->pass = table->pass;
	if (parent)
		result = tree_inherit(entry, parent);
	if (result < 0)
		return result;
	list_remove(&entry->queued);
	return table_each_child(table, directory, stat, visit_child, &children);
}

static int examine(struct process_table *table, struct entry *entry)
{
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	int result = process_read(table, entry->process.pid, &directory, &stat);
	int told;

	if (result == PROCESS_GONE || (result == PROCESS_CLOSED && entry->exited)) {
		leave(table, entry);
		return 0;
	}
	if (result != PROCESS_ALIVE)
		return result < 0 ? result : 0;
	told = is_as_told(table, entry, &stat);
	if (told < 0)
		return told;
	if (!told || entry->exited || !entry_is(entry, &stat))
		return replace(table, entry, &stat, directory);
	return examine_living(table, entry, &stat, directory);
}

/* Ends: a process is examined once, and again only when another has exited or it has got another
 * tree. */
int table_examine_queue(struct process_table *table)
{
	int first = 0, result;

	while (!list_empty(&table->queue)) {
		struct entry *entry = container_of(table->queue.next, struct entry, queued);

		list_remove(&entry->queued);
		result = examine(table, entry);
		if (result < 0 && first == 0)
			first = result;
	}
	return first;
}

/* Orphans come to us while we look, when their parents exit: until nothing moves any more. */
static int adopt_all(struct process_table *table)
{
	int first = 0;

	for (int round = 0; round < ADOPTIONS; round++) {
		uint64_t before = table->changes;
		int result = table_adopt_orphans(table), examined = table_examine_queue(table);

		if (first == 0)
			first = result < 0 ? result : examined;
		if (table->changes == before)
			break;
	}
	return first;
}

int process_table_refresh(struct process_table *table)
{
	int members, orphans;

	table->pass++;
	for (size_t i = 0; i < table->bucket_count; i++)
		for (struct entry *entry = table->buckets[i]; entry; entry = entry->next)
			table_queue(table, entry);
	members = table_examine_queue(table);
	/* Last, when it is known whose children have become ours. */
	orphans = adopt_all(table);
	return members < 0 ? members : orphans;
}
