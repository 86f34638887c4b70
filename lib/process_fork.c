/* SPDX-License-Identifier: MIT */
/* process_fork.c - takes in the fork records of the kernel
 *
 * A record is read some time after the fork. By then either process may have exited, and another
 * may have its number. */
#include <errno.h>

#include "cleanup.h"
#include "process_table.h"

/* Whether what was read of the child is the one that the parent has forked, and not a stranger with
 * the number of either. While the parent lives, the child names it, or its own parent
 * (CLONE_PARENT, as container runtimes use it); once it is dead, another one. */
static bool is_forked_by(const struct process_table *table, const struct entry *parent,
                         const struct process_stat *child)
{
	bool named = child->ppid == parent->process.pid;
	int lives = process_still_lives(table, parent);

	if (lives == 0)
		return !named;
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
