/* SPDX-License-Identifier: MIT */
/* process_table.c - processes by their PID */
#include <errno.h>
#include <stdlib.h>

#include "util/clock.h"
#include "proc/process_table.h"

#define FIRST_BUCKETS 64

int process_table_new(struct process_table **table, const struct procfs *procfs,
                      const struct process_hooks *hooks, void *data)
{
	struct process_table *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->buckets = calloc(FIRST_BUCKETS, sizeof(*new->buckets));
	if (!new->buckets) {
		free(new);
		return -ENOMEM;
	}
	new->bucket_count = FIRST_BUCKETS;
	new->procfs = procfs;
	new->hooks = *hooks;
	new->data = data;
	list_init(&new->trees);
	list_init(&new->queue);
	list_init(&new->parting);
	*table = new;
	return 0;
}

void process_table_free(struct process_table *table)
{
	struct process_tree *tree;

	if (!table)
		return;
	list_each (tree, &table->trees, struct process_tree, link) {
		tree->references = 1;
		process_tree_unref(tree);
	}
	table_end_orphans(table);
	free(table->parents.rows);
	free(table->found);
	free(table->buckets);
	free(table);
}

/* PIDs are given out one after the other: their last bits spread well. */
static struct entry **bucket(const struct process_table *table, pid_t pid)
{
	return &table->buckets[(size_t)pid & (table->bucket_count - 1)];
}

struct entry *table_find(const struct process_table *table, pid_t pid)
{
	struct entry *entry = *bucket(table, pid);

	while (entry && entry->process.pid != pid)
		entry = entry->next;
	return entry;
}

struct process *process_table_find(const struct process_table *table, pid_t pid)
{
	struct entry *entry = table_find(table, pid);

	return entry ? &entry->process : NULL;
}

void process_table_each(const struct process_table *table,
                        void (*visit)(void *data, struct process *process), void *data)
{
	for (size_t i = 0; i < table->bucket_count; i++)
		for (struct entry *entry = table->buckets[i]; entry; entry = entry->next)
			visit(data, &entry->process);
}

size_t process_table_count(const struct process_table *table)
{
	return table->count;
}

static void insert(struct process_table *table, struct entry *entry)
{
	struct entry **head = bucket(table, entry->process.pid);

	entry->next = *head;
	*head = entry;
}

/* Without memory for it the buckets just get longer. */
static void grow(struct process_table *table)
{
	struct entry **old = table->buckets;
	size_t old_count = table->bucket_count;
	struct entry **new = calloc(old_count * 2, sizeof(*new));

	if (!new)
		return;
	table->buckets = new;
	table->bucket_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++) {
		struct entry *entry = old[i];

		while (entry) {
			struct entry *next = entry->next;

			insert(table, entry);
			entry = next;
		}
	}
	free(old);
}

struct entry *table_add(struct process_table *table, pid_t pid)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	if (table->count >= table->bucket_count)
		grow(table);
	entry->process.pid = pid;
	entry->process.seen = clock_now(CLOCK_MONOTONIC);
	list_init(&entry->memberships);
	list_init(&entry->queued);
	list_init(&entry->parting);
	insert(table, entry);
	table->count++;
	return entry;
}

void table_remove(struct process_table *table, struct entry *entry)
{
	struct entry **at = bucket(table, entry->process.pid);

	while (*at && *at != entry)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = entry->next;
	table->count--;
}

void table_free_entry(struct process_table *table, struct entry *entry)
{
	table_remove(table, entry);
	list_remove(&entry->queued);
	list_remove(&entry->parting);
	free(entry);
}

void table_queue(struct process_table *table, struct entry *entry)
{
	list_remove(&entry->queued);
	list_append(&table->queue, &entry->queued);
}

void process_table_exited(struct process_table *table, struct process *process)
{
	struct entry *entry = table_find(table, process->pid);

	if (entry)
		entry->exited = true;
}

void process_table_defer(struct process_table *table, bool defer)
{
	table->defers = defer;
	if (!defer)
		process_table_part(table);
}

bool process_table_is_parting(const struct process_table *table)
{
	return !list_empty(&table->parting);
}

void process_table_part(struct process_table *table)
{
	struct entry *entry;

	list_each (entry, &table->parting, struct entry, parting)
		table_leave(table, entry);
}

/* --- which process belongs to which trees */

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
	table->left++;
	table_remove(table, entry);
	list_each (membership, &entry->memberships, struct membership, of_process)
		membership_end(membership, true);
	table_free_entry(table, entry);
}
