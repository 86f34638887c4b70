/* SPDX-License-Identifier: MIT */
/* process_children.c - the children of a process, also where the kernel doesn't list them
 *
 * Without CONFIG_PROC_CHILDREN every process of the system is asked for its parent, once in a pass.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "cleanup.h"
#include "process_table.h"

/* The children of a parent by their PIDs, as the kernel usually lists them. */
static int compare_parents(const void *left, const void *right)
{
	const struct parentage *a = left, *b = right;

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	return (a->child > b->child) - (a->child < b->child);
}

static int add_row(struct parents *parents, pid_t parent, pid_t child)
{
	if (parents->count == parents->capacity) {
		size_t capacity = parents->capacity ? parents->capacity * 2 : 256;
		void *rows = realloc(parents->rows, capacity * sizeof(*parents->rows));

		if (!rows)
			return -ENOMEM;
		parents->rows = rows;
		parents->capacity = capacity;
	}
	parents->rows[parents->count++] = (struct parentage){parent, child};
	return 0;
}

static int ask_parent(void *data, long pid)
{
	struct process_table *table = data;
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	int result;

	if (pid > INT_MAX)
		return 0;
	result = process_read(table, (pid_t)pid, &directory, &stat);
	if (result != PROCESS_ALIVE)
		return result < 0 ? result : 0;
	return add_row(&table->parents, stat.ppid, (pid_t)pid);
}

static int ask_everyone(struct process_table *table)
{
	struct parents *parents = &table->parents;
	int result;

	if (parents->pass == table->pass)
		return 0;
	parents->count = 0;
	result = procfs_each_number(table->procfs->fd, ".", ask_parent, table);
	if (result < 0)
		return result;
	if (parents->count > 1)
		qsort(parents->rows, parents->count, sizeof(*parents->rows), compare_parents);
	parents->pass = table->pass;
	return 0;
}

/* The first row of a parent, or where it would stand. */
static size_t first_row(const struct parents *parents, pid_t parent)
{
	size_t low = 0, high = parents->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (parents->rows[middle].parent < parent)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int each_known_child(struct process_table *table, pid_t parent, procfs_visit visit,
                            void *data)
{
	const struct parents *parents = &table->parents;
	int result = ask_everyone(table);

	if (result < 0)
		return result;
	for (size_t i = first_row(parents, parent); i < parents->count; i++) {
		if (parents->rows[i].parent != parent)
			break;
		result = visit(data, parents->rows[i].child);
		if (result != 0)
			return result;
	}
	return 0;
}

int table_each_child(struct process_table *table, int directory, const struct process_stat *stat,
                     procfs_visit visit, void *data)
{
	int result;

	if (table->lists_no_children)
		return each_known_child(table, stat->pid, visit, data);
	result = procfs_each_child(directory, stat, visit, data);
	if (result == -ENOENT) {
		table->lists_no_children = true;
		return each_known_child(table, stat->pid, visit, data);
	}
	return result == -ESRCH ? 0 : result;
}
