/* SPDX-License-Identifier: MIT */
/* process_table.c - processes by their PID, their trees, and their data in /proc */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/failure.h"
#include "proc/process_inside.h"

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
	list_init(&new->dropping);
	*table = new;
	return 0;
}

void process_table_free(struct process_table *table)
{
	struct process_tree *tree;

	if (!table)
		return;
	list_each (tree, &table->trees, struct process_tree, link)
		tree_free(tree, false);
	free(table->orphan_search.reapers);
	free(table->orphan_search.children);
	free(table->orphan_search.listed);
	free(table->parents.rows);
	free(table->found);
	free(table->buckets);
	free(table);
}

/* PIDs are assigned one after the other, so their last bits spread well. */
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

uint64_t process_table_begun(const struct process_table *table)
{
	return table->begun;
}

uint64_t process_table_completed(const struct process_table *table)
{
	return table->complete;
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

/* Creates an entry that does not belong to a tree yet; NULL: out of memory. */
static struct entry *table_add(struct process_table *table, pid_t pid)
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
	list_init(&entry->dropping);
	insert(table, entry);
	table->count++;
	return entry;
}

/* Removes an entry from the hash, so that its PID is free for another process. */
static void table_remove(struct process_table *table, struct entry *entry)
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
	list_remove(&entry->dropping);
	free(entry);
}

void table_queue(struct process_table *table, struct entry *entry)
{
	list_move(&table->queue, &entry->queued);
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
		process_table_drop_exited(table);
}

bool process_table_has_dropping(const struct process_table *table)
{
	return !list_empty(&table->dropping);
}

void process_table_drop_exited(struct process_table *table)
{
	struct entry *entry;

	list_each (entry, &table->dropping, struct entry, dropping)
		table_leave(table, entry);
}

/* --- memberships */

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
	if (tree->count >= tree->limit && entry->process.pid != tree->root) {
		tree->refused++;
		if (tree->table->hooks.refused)
			tree->table->hooks.refused(tree->table->data, tree);
		return 0;
	}
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

/* Ends one membership, and with `leave` calls the hook. The entry stays. */
static void membership_end(struct membership *membership, bool leave)
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

/* Ends all memberships of a tree, and frees processes without a membership. */
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

void tree_free(struct process_tree *tree, bool leave)
{
	tree_empty(tree, leave);
	list_remove(&tree->link);
	free(tree->preexisting);
	free(tree->kinships);
	free(tree);
}

/* --- the data of one process in /proc */

static int classify(const struct process_table *table, pid_t pid, int error)
{
	if (error_is_refusal(error))
		return PROCESS_CLOSED;
	if (error != -ESRCH)
		return error;
	return procfs_is_hidden(table->procfs, pid) ? PROCESS_CLOSED : PROCESS_GONE;
}

int process_read(const struct process_table *table, pid_t pid, int *directory,
                 struct process_stat *stat)
{
	CLEANUP_CLOSE int process = procfs_open_process(table->procfs, pid);
	int result = process < 0 ? process : procfs_read_stat(process, stat);

	if (result < 0)
		return classify(table, pid, result);
	if (procfs_is_dead(stat))
		return PROCESS_GONE;
	*directory = process;
	process = -1;
	return PROCESS_ALIVE;
}

int process_still_lives(const struct process_table *table, const struct entry *entry)
{
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	int result;

	if (entry->exited)
		return PROCESS_DEAD;
	result = process_read(table, entry->process.pid, &directory, &stat);
	if (result < 0)
		return result;
	if (result == PROCESS_CLOSED)
		return PROCESS_LIVES;
	if (result == PROCESS_GONE || !entry_is(entry, &stat))
		return PROCESS_DEAD;
	return stat.exiting || stat.state == 'Z' ? PROCESS_EXITS : PROCESS_LIVES;
}

bool entry_is(const struct entry *entry, const struct process_stat *stat)
{
	return !entry->start_known || entry->process.start_time == stat->start_time;
}

void entry_update(struct entry *entry, const struct process_stat *stat)
{
	struct process *process = &entry->process;

	process->ppid = stat->ppid;
	process->start_time = stat->start_time;
	entry->group = stat->group;
	entry->session = stat->session;
	memcpy(process->name, stat->name, sizeof(process->name));
	entry->start_known = true;
}

struct entry *entry_new(struct process_table *table, pid_t pid, pid_t ppid,
                        const struct process_stat *stat, int directory)
{
	struct entry *entry = table_add(table, pid);

	if (!entry)
		return NULL;
	entry->process.ppid = ppid;
	if (stat) {
		entry_update(entry, stat);
		entry->process.netns_known = procfs_netns(directory, &entry->process.netns) == 0;
	}
	return entry;
}

int process_table_reread(struct process_table *table, struct process *process)
{
	struct entry *entry = container_of(process, struct entry, process);
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	int result = process_read(table, process->pid, &directory, &stat);

	if (result < 0 || result == PROCESS_CLOSED)
		return result < 0 ? result : 1;
	if (result == PROCESS_GONE || entry->exited || !entry_is(entry, &stat))
		return 0;
	entry_update(entry, &stat);
	return 1;
}

/* A quick check with one call. If the namespace has not changed, it does not matter whether the PID
 * was reused. */
static bool is_where_it_was(const struct process_table *table, const struct process *process)
{
	struct netns_id netns = {0};

	return process->netns_known && procfs_netns_of(table->procfs, process->pid, &netns) == 0 &&
	       netns_id_is_same(&netns, &process->netns);
}

static int locate_anew(struct process_table *table, struct process *process)
{
	CLEANUP_CLOSE int directory = procfs_open_process(table->procfs, process->pid);
	struct netns_id netns;
	struct process_stat stat;
	int result;

	if (directory < 0)
		return directory;
	result = procfs_netns(directory, &netns);
	if (result < 0)
		return result;
	if (process->netns_known && netns_id_is_same(&netns, &process->netns))
		return 0;
	result = procfs_read_stat(directory, &stat);
	if (result < 0)
		return result;
	if (!entry_is(container_of(process, struct entry, process), &stat))
		return -ESRCH;
	process->netns = netns;
	process->netns_known = true;
	return 1;
}

int process_locate(struct process_table *table, struct process *process)
{
	return is_where_it_was(table, process) ? 0 : locate_anew(table, process);
}

/* --- the children of a process, also if the kernel does not list them
 *
 * Without CONFIG_PROC_CHILDREN the parent of every process of the system is read, once in a pass.
 */

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
	void *rows = array_grow(parents->rows, &parents->capacity, parents->count,
	                        sizeof(*parents->rows));

	if (!rows)
		return -ENOMEM;
	parents->rows = rows;
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

/* The first row of a parent, or the position at which it would be inserted. */
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
