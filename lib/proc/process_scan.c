/* SPDX-License-Identifier: MIT */
/* process_scan.c - finds processes that join and leave the trees, in /proc and in fork records */
#include "proc/process_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/number.h"
#include "proc/process_inside.h"
#include "proc/process_orphans.h"

/* The most new PIDs that are read in one piece: this takes about 4 ms. */
#define NEW_MAX 512
/* The most ancestors of an exiting process that may adopt its children. */
#define ANCESTORS 64
/* How often the children of the calling process are listed in one pass at most. */
#define ADOPTIONS 8

/* The children of one live member. */
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

/* Adds a child that is not in the table. If the child names another parent, its own parent has
 * exited meanwhile; or the child itself has, and another process has its number. */
static int discover(struct process_table *table, struct entry *parent, pid_t pid)
{
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	int result = process_read(table, pid, &directory, &stat);
	int lives;

	if (result == PROCESS_CLOSED)
		return add_child(table, parent, pid, NULL, -1);
	/* Like a member that leaves, it may have left orphans. */
	table->left += result == PROCESS_GONE;
	if (result != PROCESS_ALIVE)
		return result < 0 ? result : 0;
	if (stat.ppid != parent->process.pid) {
		lives = process_still_lives(table, parent);
		table->left += lives == PROCESS_LIVES;
		if (lives != PROCESS_DEAD)
			return lives < 0 ? lives : 0;
	}
	return add_child(table, parent, pid, &stat, directory);
}

/* Queues a child for the next step of the scan, because one process may have thousands of children.
 * Without memory the child is read at once. */
static int add_found(struct process_table *table, const struct entry *parent, pid_t pid)
{
	void *rows = array_grow(table->found, &table->found_capacity, table->found_count,
	                        sizeof(*table->found));

	if (!rows)
		return -ENOMEM;
	table->found = rows;
	table->found[table->found_count++] = (struct parentage){parent->process.pid, pid};
	return 0;
}

static int visit_child(void *data, long pid);

/* Examines the first queued child. Its parent cannot have left meanwhile, because members leave
 * when they are examined, which happens later. If another file has replaced the parent between two
 * slices, the child is found through its present parent. */
static int examine_found(struct process_table *table)
{
	struct parentage found = table->found[table->found_next++];
	struct entry *parent = table_find(table, found.parent);
	struct children children = {table, parent};

	if (!parent)
		return 0;
	if (table_find(table, found.child))
		return visit_child(&children, found.child);
	return discover(table, parent, found.child);
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
		return add_found(table, children->parent, (pid_t)pid);
	if (was_found_alive(table, child))
		return tree_inherit(child, children->parent);
	/* The PID may be that of an old member. The examination determines this, and the parent. */
	table_queue(table, child);
	return 0;
}

/* Returns the parent that a process names, if the parent is a member. A parent that is still queued
 * is not returned, because its examination finds the child. */
static struct entry *find_parent(struct process_table *table, pid_t ppid)
{
	struct entry *parent = table_find(table, ppid);

	return parent && was_found_alive(table, parent) ? parent : NULL;
}

/* The children of an exiting process go to its nearest ancestor that adopts orphans, so ancestors
 * that were listed before the exit was known are listed again. */
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

/* Handles the exit of a member. If forks are reported, the reports of its children may not be
 * handled yet. Until then it stays a member. */
static void member_exited(struct process_table *table, struct entry *entry)
{
	if (!table->defers) {
		leave(table, entry);
	} else if (list_empty(&entry->dropping)) {
		queue_ancestors(table, entry);
		list_append(&table->dropping, &entry->dropping);
	}
}

/* Replaces a process in the table that has exited by another one that has its PID. */
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

/* Whether a process whose start time is not known yet is the one of the fork record. */
static int matches_record(struct process_table *table, const struct entry *entry,
                          const struct process_stat *stat)
{
	const struct entry *parent = table_find(table, entry->process.ppid);
	int lives;

	if (entry->start_known || stat->ppid == entry->process.ppid || !parent)
		return 1;
	lives = process_still_lives(table, parent);
	return lives < 0 ? lives : lives != PROCESS_LIVES;
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
	table_note_kinship(table, entry);
	list_remove(&entry->queued);
	return table_each_child(table, directory, stat, visit_child, &children);
}

static int examine(struct process_table *table, struct entry *entry)
{
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	int result = process_read(table, entry->process.pid, &directory, &stat);
	int matches;

	if (result == PROCESS_GONE || (result == PROCESS_CLOSED && entry->exited)) {
		member_exited(table, entry);
		return 0;
	}
	if (result != PROCESS_ALIVE)
		return result < 0 ? result : 0;
	matches = matches_record(table, entry, &stat);
	if (matches < 0)
		return matches;
	if (!matches || entry->exited || !entry_is(entry, &stat))
		return replace(table, entry, &stat, directory);
	return examine_living(table, entry, &stat, directory);
}

/* Does one step: a queued child, or the next process of the queue. Returns false if there is
 * none. */
static bool step(struct process_table *table)
{
	struct entry *entry;
	int result;

	if (table->found_next < table->found_count) {
		result = examine_found(table);
	} else if (!list_empty(&table->queue)) {
		entry = container_of(table->queue.next, struct entry, queued);
		list_remove(&entry->queued);
		table->found_next = 0;
		table->found_count = 0;
		result = examine(table, entry);
	} else {
		return false;
	}
	if (result < 0 && table->error == 0)
		table->error = result;
	return true;
}

/* The loop terminates: a process is examined once, and again only if another one has exited or if
 * it has joined another tree. */
int table_examine_queue(struct process_table *table)
{
	int result;

	table->error = 0;
	while (step(table))
		continue;
	result = table->error;
	table->error = 0;
	return result;
}

/* Each refresh finds processes beyond the limit again and refuses them again. After a complete
 * refresh it is known whether any are left out. */
static void begin_refusals(struct process_table *table)
{
	struct process_tree *tree;

	list_each (tree, &table->trees, struct process_tree, link) {
		if (!table->refreshing)
			tree->refused_before = tree->refused_then;
		tree->refused_then = tree->refused;
	}
}

static void end_refusals(struct process_table *table)
{
	struct process_tree *tree;

	list_each (tree, &table->trees, struct process_tree, link)
		tree->refused_before = tree->refused_then;
}

void process_table_refresh_begin(struct process_table *table)
{
	begin_refusals(table);
	table->begun = ++table->pass;
	for (size_t i = 0; i < table->bucket_count; i++)
		for (struct entry *entry = table->buckets[i]; entry; entry = entry->next)
			table_queue(table, entry);
	table->refreshing = true;
	table_begin_orphans(table);
	table->adoptions = 0;
	table->error = 0;
}

/* Lists the children of the calling process again, until no new orphan appears, because parents may
 * exit during the scan. This is the last step, when the parents of the orphans are known. Returns
 * false if no orphan has appeared. */
static bool adopt_more(struct process_table *table)
{
	int result;

	if (table->adoptions == ADOPTIONS ||
	    (table->adoptions > 0 && table->changes == table->changes_adopted))
		return false;
	table->adoptions++;
	table->changes_adopted = table->changes;
	result = table_adopt_orphans(table);
	if (result < 0 && table->error == 0)
		table->error = result;
	return true;
}

/* The same for orphans that became children of other processes: examines one of them. */
static bool find_more(struct process_table *table)
{
	int result = table_search_orphans_next(table);

	if (result < 0 && table->error == 0)
		table->error = result;
	return result > 0;
}

int process_table_refresh_continue(struct process_table *table, uint64_t deadline)
{
	while (step(table) || adopt_more(table) || find_more(table))
		if (clock_now(CLOCK_MONOTONIC) >= deadline)
			return 1;
	table->refreshing = false;
	table_end_orphans(table, table->error == 0);
	end_refusals(table);
	table->complete = table->begun;
	return table->error;
}

int process_table_refresh(struct process_table *table)
{
	process_table_refresh_begin(table);
	return process_table_refresh_continue(table, UINT64_MAX);
}

int process_table_find_delayed_orphans(struct process_table *table)
{
	int result = table_search_orphans(table), examined;

	/* Then their children are examined. */
	examined = table->refreshing ? 0 : table_examine_queue(table);
	return result < 0 ? result : examined;
}

/* --- handles the fork records of the kernel
 *
 * A record is read some time after the fork. By then either process may have exited, and another
 * may have its number. */

/* Whether a child that names a dead parent belongs to another process: either the child was read
 * before the parent died, or another process has the parent's PID. The kernel gives children to
 * their new parent before it shows the old one as dead. */
static bool still_names(const struct process_table *table, const struct entry *parent,
                        const struct process_stat *child)
{
	CLEANUP_CLOSE int directory = -1;
	struct process_stat now;

	return process_read(table, child->pid, &directory, &now) == PROCESS_ALIVE &&
	       now.start_time == child->start_time && now.ppid == parent->process.pid;
}

/* Whether the child that was read is the one that the parent has forked, and neither PID was
 * reused. While the parent lives, the child names the parent, or the parent's parent (CLONE_PARENT,
 * as container runtimes use it). While the parent exits, the child names it or another process;
 * after its death, another process. */
static bool is_forked_by(const struct process_table *table, const struct entry *parent,
                         const struct process_stat *child)
{
	bool named = child->ppid == parent->process.pid;
	int lives = process_still_lives(table, parent);

	if (lives == PROCESS_DEAD)
		return !named || !still_names(table, parent, child);
	return lives != PROCESS_LIVES || named || child->ppid == parent->process.ppid;
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
		list_remove(&entry->queued); /* the next refresh examines all processes */
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

/* --- examines new PIDs only: for a large tree on a system where other processes fork */

#define SECOND_LOOK NSEC_PER_SEC

static bool is_due(const struct recent_pids *recent, uint64_t now)
{
	return recent->again && now >= recent->again;
}

pid_t recent_pids_after(const struct recent_pids *recent, pid_t last, uint64_t now)
{
	return is_due(recent, now) && last ? recent->from : recent->last;
}

void recent_pids_seen(struct recent_pids *recent, pid_t last, uint64_t now)
{
	if (recent->again && !is_due(recent, now)) {
		recent->last = last;
		return;
	}
	/* PIDs up to the mark are one second old. */
	recent->from = recent->again ? recent->mark : recent->last;
	recent->mark = last;
	recent->last = last;
	recent->again = recent->from != last ? now + SECOND_LOOK : 0;
}

/* Reads the beginning of a file of a process, in one call. The size, or a negative errno. */
static ssize_t read_start(const struct procfs *procfs, pid_t pid, const char *name, char *text,
                          size_t size)
{
	CLEANUP_CLOSE int fd = -1;
	char path[48];
	ssize_t count;

	snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
	fd = procfs_open_at(procfs->fd, path, O_RDONLY);
	if (fd < 0)
		return fd;
	count = read(fd, text, size - 1);
	text[count > 0 ? count : 0] = '\0';
	return count;
}

/* Threads have PIDs too, and name the parent of their process. */
static bool is_thread(const struct procfs *procfs, pid_t pid)
{
	static const char tgid[] = "\nTgid:\t";
	char text[512];
	const char *group;
	uint64_t leader;

	if (read_start(procfs, pid, "status", text, sizeof(text)) <= 0)
		return true; /* gone */
	group = strstr(text, tgid);
	if (!group)
		return true;
	group += strlen(tgid);
	return !decimal_parse(&group, text + strlen(text), &leader) || leader != (uint64_t)pid;
}

static int probe(struct process_table *table, pid_t pid)
{
	struct process_stat stat;
	char text[1024];
	ssize_t size = read_start(table->procfs, pid, "stat", text, sizeof(text));

	if (size <= 0 || procfs_parse_stat(text, (size_t)size, &stat) < 0 ||
	    !table_find(table, stat.ppid) || is_thread(table->procfs, pid))
		return 0;
	return process_table_forked(table, stat.ppid, pid);
}

bool process_scan_new(struct process_table *table, pid_t after, pid_t last)
{
	struct process_tree *tree;

	/* The PIDs have wrapped around, or there are more new PIDs than members, or more than one
	 * slice has room for. Orphans keep their PIDs. */
	if (after <= 0 || last < after || (size_t)(last - after) > table->count ||
	    last - after > NEW_MAX)
		return false;
	list_each (tree, &table->trees, struct process_tree, link)
		if (tree->adopts_orphans)
			return false;
	for (pid_t pid = after + 1; pid <= last; pid++)
		if (probe(table, pid) < 0)
			return false;
	table->orphan_search.due = true;
	return process_table_find_delayed_orphans(table) == 0;
}
