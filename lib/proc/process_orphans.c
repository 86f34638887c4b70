/* SPDX-License-Identifier: MIT */
/* process_orphans.c - members of a tree whose parents have exited before a scan found them
 *
 * --- orphans whose session or process group shows their descent
 *
 * If the kernel does not report forks, a process may have lost its parent before a scan finds it
 * for the first time. It is then a child of the init process, or of another ancestor of the root
 * that adopts orphans. Its inherited session or process group may still show its descent.
 *
 * - A session consists of its leader and of processes that were forked in it. A process cannot
 *   enter it in another way. If a member leads it, all of them descend from this member.
 * - A process group consists of processes that were forked in it, and of processes that they
 *   themselves or their parents, such as a shell, have put there by setpgid(2). If a member other
 *   than the root leads it, these parents are members. The root's parent may have put other
 *   processes into the root's own group (`root | other`): the group counts if there was no such
 *   process when the tree was created.
 *
 * The kernel does not reuse the number of a session or group while any process is in it
 * (kernel/pid.c). A member that was in it and still is therefore proves that it is the same.
 *
 * If the kernel reports forks and some reports were lost, the same search is made once. */
#include "proc/process_orphans.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "proc/process_inside.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define KINSHIPS_MAX 64
#define REAPERS_MAX 1024
/* The most ancestors of a root that are examined. */
#define ANCESTORS 64
/* After a search, a pause of this many times its CPU time: 0.2% of one CPU. The elapsed time would
 * include the CPU time of other processes, and would make the pauses too long on a busy machine. */
#define REST 500
/* The most new children that are examined in one piece. More are left to a refresh, which is
 * divided into slices. */
#define AT_ONCE_MAX 64

/* --- processes that adopt orphans */

static bool is_reaper(const struct orphan_search *search, pid_t pid)
{
	for (size_t i = 0; i < search->reaper_count; i++)
		if (search->reapers[i] == pid)
			return true;
	return false;
}

static int add_reaper(struct process_table *table, pid_t pid)
{
	struct orphan_search *search = &table->orphan_search;

	if (is_reaper(search, pid))
		return 0;
	if (!search->reapers) {
		search->reapers = calloc(REAPERS_MAX, sizeof(*search->reapers));
		if (!search->reapers)
			return -ENOMEM;
	}
	if (search->reaper_count < REAPERS_MAX)
		search->reapers[search->reaper_count++] = pid;
	return 0;
}

/* Any ancestor may adopt orphans (PR_SET_CHILD_SUBREAPER), and /proc does not show which; otherwise
 * the init process does. */
static int add_ancestors(struct process_table *table, pid_t pid)
{
	int result = add_reaper(table, 1);

	for (int i = 0; i < ANCESTORS && pid > 1 && result == 0; i++) {
		CLEANUP_CLOSE int directory = -1;
		struct process_stat stat;

		result = add_reaper(table, pid);
		if (process_read(table, pid, &directory, &stat) != PROCESS_ALIVE)
			break;
		pid = stat.ppid;
	}
	return result;
}

/* --- sessions and groups */

static struct kinship *find_kinship(const struct process_tree *tree, pid_t id, bool group)
{
	for (size_t i = 0; i < tree->kinship_count; i++)
		if (tree->kinships[i].id == id && tree->kinships[i].group == group)
			return &tree->kinships[i];
	return NULL;
}

/* Returns a place for a new kinship. If there are too many, the one that was seen longest ago is
 * dropped. */
static struct kinship *make_kinship(struct process_tree *tree)
{
	struct kinship *oldest;

	if (!tree->kinships) {
		tree->kinships = calloc(KINSHIPS_MAX, sizeof(*tree->kinships));
		if (!tree->kinships)
			return NULL;
	}
	if (tree->kinship_count < KINSHIPS_MAX)
		return &tree->kinships[tree->kinship_count++];
	oldest = tree->kinships;
	for (size_t i = 1; i < KINSHIPS_MAX; i++)
		if (tree->kinships[i].pass < oldest->pass)
			oldest = &tree->kinships[i];
	return oldest;
}

/* Whether a process is a live member and is in the session or group. */
static bool is_in(const struct process_tree *tree, pid_t pid, const struct kinship *kinship)
{
	const struct entry *entry = table_find(tree->table, pid);
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;

	return entry && tree_has(tree, entry) &&
	       process_read(tree->table, pid, &directory, &stat) == PROCESS_ALIVE &&
	       entry_is(entry, &stat) &&
	       (kinship->group ? stat.group : stat.session) == kinship->id;
}

/* Whether the last known member, or the leader, is still in it. */
static bool has_member(const struct process_tree *tree, const struct kinship *kinship)
{
	return is_in(tree, kinship->member, kinship) ||
	       (kinship->id != kinship->member && is_in(tree, kinship->id, kinship));
}

/* Whether the process is in the session or group, and its number was not reused. In a fresh search
 * a member that was in it at the last search, and is gone now, is proof enough, because the kernel
 * cannot assign all numbers in the meantime. */
static bool proves(const struct process_tree *tree, const struct kinship *kinship,
                   const struct process_stat *stat, bool fresh)
{
	const struct process_table *table = tree->table;

	if ((kinship->group ? stat->group : stat->session) != kinship->id)
		return false;
	return (fresh && table->orphan_search.open && kinship->pass >= table->complete) ||
	       has_member(tree, kinship);
}

static bool is_relative(const struct process_tree *tree, const struct process_stat *stat,
                        bool fresh)
{
	/* A process that was an orphan before the tree was created does not count. */
	if (!tree->table->orphan_search.open && stat->start_time < tree->begun)
		return false;
	for (size_t i = 0; i < tree->kinship_count; i++)
		if (proves(tree, &tree->kinships[i], stat, fresh))
			return true;
	return false;
}

/* --- their children */

static int compare_pids(const void *left, const void *right)
{
	const pid_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static bool was_listed(const struct orphan_search *search, pid_t pid)
{
	return search->child_count > 0 &&
	       bsearch(&pid, search->children, search->child_count, sizeof(pid), compare_pids);
}

static int append(struct orphan_search *search, pid_t pid)
{
	void *grown = array_grow(search->listed, &search->listed_capacity, search->listed_count,
	                         sizeof(*search->listed));

	if (!grown)
		return -ENOMEM;
	search->listed = grown;
	search->listed[search->listed_count++] = pid;
	return 0;
}

/* Stores the present list as the last list. */
static void keep_listed(struct orphan_search *search)
{
	free(search->children);
	search->children = search->listed;
	search->child_count = search->listed_count;
	if (search->child_count > 0)
		qsort(search->children, search->child_count, sizeof(pid_t), compare_pids);
	search->listed = NULL;
	search->listed_count = 0;
	search->listed_capacity = 0;
}

/* Calls `visit` for the children of all processes that may adopt orphans; drops adopters that are
 * gone. */
static int each_child_of_reapers(struct process_table *table, procfs_visit visit, void *data)
{
	struct orphan_search *search = &table->orphan_search;
	int first = 0;

	for (size_t i = 0; i < search->reaper_count;) {
		CLEANUP_CLOSE int directory = -1;
		struct process_stat stat;
		int result = process_read(table, search->reapers[i], &directory, &stat);

		if (result == PROCESS_GONE) {
			search->reapers[i] = search->reapers[--search->reaper_count];
			continue;
		}
		if (result == PROCESS_ALIVE)
			result = table_each_child(table, directory, &stat, visit, data);
		if (result < 0 && first == 0)
			first = result;
		i++;
	}
	return first;
}

/* --- the search */

struct search {
	struct process_table *table;
	bool fresh;
};

static int take_in(struct search *search, pid_t pid, const struct process_stat *stat, int directory)
{
	struct entry *entry = NULL;
	struct process_tree *tree;
	int result = 0;

	list_each (tree, &search->table->trees, struct process_tree, link) {
		if (result < 0 || !is_relative(tree, stat, search->fresh))
			continue;
		if (!entry)
			entry = entry_new(search->table, pid, stat->ppid, stat, directory);
		result = entry ? tree_join(tree, entry) : -ENOMEM;
	}
	if (entry && list_empty(&entry->memberships))
		table_free_entry(search->table, entry);
	return result;
}

/* Whether the process is in a session or group of a member. */
static bool is_related(const struct process_table *table, const struct process_stat *stat)
{
	const struct process_tree *tree;

	list_each (tree, &table->trees, struct process_tree, link)
		if (find_kinship(tree, stat->session, false) ||
		    find_kinship(tree, stat->group, true))
			return true;
	return false;
}

static int examine(void *data, long number)
{
	struct search *search = data;
	struct process_table *table = search->table;
	CLEANUP_CLOSE int directory = -1;
	pid_t pid = (pid_t)number;
	struct process_stat stat;
	int result = PROCESS_CLOSED;

	if (number > INT_MAX)
		return 0;
	if (!was_listed(&table->orphan_search, pid) && !table_find(table, pid) &&
	    !table->hooks.ignored(table->data, pid))
		result = process_read(table, pid, &directory, &stat);
	if (result == PROCESS_ALIVE) {
		result = take_in(search, pid, &stat, directory);
		if (result < 0)
			return result;
		/* A fresh search may prove it. */
		if (!search->fresh && !table_find(table, pid) && is_related(table, &stat))
			return 0;
	}
	/* Processes that could not be read are examined again. */
	if (result >= 0)
		table->orphan_search.listed[table->orphan_search.kept++] = pid;
	return 0;
}

static int list_child(void *data, long pid)
{
	struct process_table *table = data;
	struct orphan_search *search = &table->orphan_search;

	if (pid > INT_MAX)
		return 0;
	search->unknown += !was_listed(search, (pid_t)pid);
	return append(search, (pid_t)pid);
}

/* Lists the processes to examine. Returns 0 or the first error. */
static int begin_search(struct process_table *table)
{
	struct orphan_search *search = &table->orphan_search;
	uint64_t cpu = clock_now(CLOCK_THREAD_CPUTIME_ID);
	int result;

	search->due = false;
	search->left = table->left;
	search->listed_count = 0;
	search->next = 0;
	search->kept = 0;
	search->unknown = 0;
	result = each_child_of_reapers(table, list_child, table);
	search->cpu = clock_now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	search->searching = result == 0;
	return result;
}

static void end_search(struct process_table *table)
{
	struct orphan_search *search = &table->orphan_search;

	search->earliest = clock_now(CLOCK_MONOTONIC) + search->cpu * REST;
	search->searching = false;
	search->listed_count = search->kept;
	keep_listed(search);
}

/* Examines the next process. Returns 1; 0 after the last; or a negative errno, which ends the
 * search. */
static int search_next(struct process_table *table, bool fresh)
{
	struct orphan_search *search = &table->orphan_search;
	struct search one = {table, fresh};
	uint64_t cpu = clock_now(CLOCK_THREAD_CPUTIME_ID);
	int result;

	/* Those that are known take no time. */
	for (int i = 0; i < AT_ONCE_MAX && search->next < search->listed_count; i++) {
		if (!was_listed(search, search->listed[search->next]))
			break;
		search->listed[search->kept++] = search->listed[search->next++];
	}
	if (search->next == search->listed_count) {
		end_search(table);
		return 0;
	}
	result = examine(&one, search->listed[search->next++]);
	search->searching = result >= 0;
	search->cpu += clock_now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	return result < 0 ? result : 1;
}

/* Does a whole search. Returns 0 or the first error. */
static int search_now(struct process_table *table)
{
	int result = begin_search(table);

	while (result >= 0 && table->orphan_search.searching)
		result = search_next(table, false);
	return result;
}

/* Without a session or group that a member leads, nothing shows the descent of an orphan. */
static bool has_kinships(const struct process_table *table)
{
	const struct process_tree *tree;

	list_each (tree, &table->trees, struct process_tree, link)
		if (tree->kinship_count > 0)
			return true;
	return false;
}

static bool is_wanted(const struct process_table *table)
{
	const struct orphan_search *search = &table->orphan_search;

	if (!search->due || !has_kinships(table))
		return false;
	/* A member that leaves may leave orphans, and may be the last known member. */
	return search->searches_once ||
	       (search->open &&
	        (clock_now(CLOCK_MONOTONIC) >= search->earliest || search->left != table->left));
}

int table_search_orphans(struct process_table *table)
{
	struct orphan_search *search = &table->orphan_search;
	int result;

	if (table->refreshing || !is_wanted(table))
		return 0;
	result = begin_search(table);
	if (result == 0 && search->unknown > AT_ONCE_MAX) {
		search->searching = false;
		search->due = true;
		return -EAGAIN;
	}
	while (result >= 0 && search->searching)
		result = search_next(table, false);
	return result;
}

int table_search_orphans_next(struct process_table *table)
{
	int result;

	if (table->orphan_search.searching)
		return search_next(table, true);
	if (!is_wanted(table))
		return 0;
	result = begin_search(table);
	return result < 0 ? result : 1;
}

void process_table_missed_forks(struct process_table *table)
{
	table->orphan_search.missed = true;
}

void table_begin_orphans(struct process_table *table)
{
	struct orphan_search *search = &table->orphan_search;

	search->due = true;
	search->searching = false;
	search->searches_once = search->missed && !search->open;
	search->missed = false;
	if (!search->searches_once)
		return;
	/* The results of former searches may be out of date. */
	search->reaper_count = 0;
	search->child_count = 0;
	add_reaper(table, 1);
}

void table_end_orphans(struct process_table *table, bool complete)
{
	struct orphan_search *search = &table->orphan_search;

	/* The next refresh repeats the search. */
	search->missed |= search->searches_once && !complete;
	search->searches_once = false;
}

static int dismiss(void *data, long number)
{
	struct process_table *table = data;

	return number > INT_MAX ? 0 : append(&table->orphan_search, (pid_t)number);
}

/* Marks all present orphans: they do not count. Later ones have lost a parent, so the pause after a
 * search follows here too. */
static int dismiss_all(struct process_table *table)
{
	struct orphan_search *search = &table->orphan_search;
	uint64_t cpu = clock_now(CLOCK_THREAD_CPUTIME_ID);
	int result;

	search->searching = false;
	search->due = true;
	search->left = table->left;
	search->listed_count = 0;
	result = each_child_of_reapers(table, dismiss, table);
	if (result < 0)
		return result;
	keep_listed(search);
	cpu = clock_now(CLOCK_THREAD_CPUTIME_ID) - cpu;
	search->earliest = clock_now(CLOCK_MONOTONIC) + cpu * REST;
	return 0;
}

/* Whether the group that the root leads has no process that the root's parent has put there. */
static bool owns_group(const struct process_tree *tree, pid_t session, pid_t group)
{
	const struct orphan_search *search = &tree->table->orphan_search;

	if (group != tree->root || session == tree->root)
		return false;
	for (size_t i = 0; i < search->child_count; i++) {
		CLEANUP_CLOSE int directory = -1;
		struct process_stat stat;
		int result;

		if (search->children[i] == tree->root)
			continue;
		result = process_read(tree->table, search->children[i], &directory, &stat);
		if (result != PROCESS_GONE && (result != PROCESS_ALIVE || stat.group == tree->root))
			return false;
	}
	return true;
}

/* Notes the ancestors of the root, which may adopt orphans of the tree, and marks their present
 * children. If this fails, the tree is watched without orphans. */
static void begin_marked(struct process_tree *tree, pid_t ppid, pid_t session, pid_t group)
{
	tree->knows_reapers = add_ancestors(tree->table, ppid) == 0;
	if (tree->knows_reapers && dismiss_all(tree->table) == 0)
		tree->owns_group = owns_group(tree, session, group);
}

/* Called when the first member is found that leads a session or group, before the member is noted.
 *
 * Without such a member no orphan can be found, so most trees need no marks, which take longer than
 * everything else at the start of a watcher. Processes are marked only in the first scan of the
 * tree: an older process cannot enter a session that a member creates later, and enters the group
 * of a member only by its own setpgid(2). The children of the member are listed after the marking,
 * so a process that loses its parent during the scan is not marked. */
static void begin_kinships(struct process_tree *tree, const struct entry *leader)
{
	const struct entry *root = table_find(tree->table, tree->root);
	pid_t ppid = root && tree_has(tree, root) ? root->process.ppid : leader->process.ppid;

	if (tree->filling && root)
		begin_marked(tree, ppid, root->session, root->group);
	else
		tree->knows_reapers = add_ancestors(tree->table, ppid) == 0;
}

static void note(struct process_tree *tree, const struct entry *entry, pid_t id, bool group,
                 bool leads)
{
	struct kinship *kinship = find_kinship(tree, id, group);

	if (!kinship && leads)
		kinship = make_kinship(tree);
	if (kinship)
		*kinship = (struct kinship){id, group, entry->process.pid, tree->table->pass};
}

void table_note_kinship(struct process_table *table, const struct entry *entry)
{
	pid_t pid = entry->process.pid;
	struct membership *membership;

	if (table->orphan_search.searches_once && !table_find(table, entry->process.ppid) &&
	    !is_reaper(&table->orphan_search, entry->process.ppid))
		add_ancestors(table, entry->process.ppid); /* as many as memory allows */
	list_each (membership, &entry->memberships, struct membership, of_process) {
		struct process_tree *tree = membership->tree;
		bool leads = entry->session == pid || entry->group == pid, owns_group;

		if (leads && !tree->knows_reapers && table->orphan_search.open)
			begin_kinships(tree, entry);
		owns_group = pid != tree->root || tree->owns_group;
		note(tree, entry, entry->session, false, entry->session == pid);
		/* The leader of a session also leads a group within it. */
		if (entry->session != pid)
			note(tree, entry, entry->group, true, entry->group == pid && owns_group);
	}
}

bool table_search_orphans_at_once(struct process_table *table)
{
	if (!table->orphan_search.open)
		return false;
	table->pass++;
	if (has_kinships(table))
		search_now(table);
	return true;
}

void tree_begin_orphans(struct process_tree *tree, const struct process_stat *root)
{
	struct process_table *table = tree->table;

	tree->begun = clock_now(CLOCK_BOOTTIME) / (NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
	/* While other trees are watched, the marking cannot wait: it would mark orphans of theirs
	 * that appear until then. */
	if (table->orphan_search.open && table->trees.next->next != &table->trees)
		begin_marked(tree, root->ppid, root->session, root->group);
}

int process_table_find_orphans(struct process_table *table, bool find)
{
	struct process_tree *tree;
	int result = 0;

	if (find == table->orphan_search.open)
		return 0;
	table->orphan_search.open = find;
	if (!find)
		return 0;
	list_each (tree, &table->trees, struct process_tree, link) {
		const struct entry *root = table_find(table, tree->root);

		if (root && result == 0)
			result = add_ancestors(table, root->process.ppid);
		tree->knows_reapers = root && result == 0;
	}
	return result < 0 ? result : dismiss_all(table);
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
	/* The tree of the orphan is known, so it does not join other trees. */
	if (entry && has_adopting_tree(entry))
		return 0;
	result = process_read(table, (pid_t)pid, &directory, &stat);
	if (result == PROCESS_GONE)
		table->changes++; /* its own children are children of the calling process now */
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
