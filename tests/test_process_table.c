/* SPDX-License-Identifier: MIT */
/* test_process_table.c - the processes of a table and their memberships, without scans
 *
 * The processes are those of a fake /proc, and the trees are the test's own: who joins them is what
 * the test says. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/process_inside.h"
#include "support/check_main.h"
#include "support/fake_proc.h"
#include "util/fd.h"

enum { MANY = 1000 };

static struct fake_proc fake;
static struct process_table *table;
static char events[1024]; /* "+10:42 -10:42 !10:0 ": joined, left and refused by the tree of 10 */
static bool found_when_left;

static void note(char what, const struct process_tree *tree, pid_t pid)
{
	size_t size = strlen(events);

	snprintf(events + size, sizeof(events) - size, "%c%d:%d ", what, (int)tree->root, (int)pid);
}

static bool ignored(void *data, pid_t pid)
{
	(void)data, (void)pid;
	return false;
}

static void joined(void *data, struct process_tree *tree, struct process *process)
{
	ck_assert_ptr_eq(data, &fake);
	ck_assert_ptr_eq(process_table_find(table, process->pid), process);
	note('+', tree, process->pid);
}

static void left(void *data, struct process_tree *tree, struct process *process)
{
	ck_assert_ptr_eq(data, &fake);
	found_when_left |= process_table_find(table, process->pid) == process;
	note('-', tree, process->pid);
}

static void refused(void *data, struct process_tree *tree)
{
	ck_assert_ptr_eq(data, &fake);
	note('!', tree, 0);
}

static void make_table(bool hears_refusals)
{
	struct process_hooks hooks = {ignored, joined, left, hears_refusals ? refused : NULL};

	ck_assert_int_eq(process_table_new(&table, &fake.procfs, &hooks, &fake), 0);
}

static void setup(void)
{
	events[0] = '\0';
	found_when_left = false;
	fake_proc_setup(&fake, true);
	fake_proc_self(&fake, 1);
	fake_proc_add(&fake, 1, 0, 0);
	fake_proc_add(&fake, 10, 1, 100);
	fake_proc_add(&fake, 20, 10, 200);
	make_table(true);
}

static void teardown(void)
{
	process_table_free(table);
	fake_proc_teardown(&fake);
}

static void expect(const char *expected)
{
	ck_assert_str_eq(events, expected);
	events[0] = '\0';
}

static struct process_tree *make_tree(pid_t root, size_t limit)
{
	struct process_tree *tree = calloc(1, sizeof(*tree));

	ck_assert_ptr_nonnull(tree);
	tree->table = table;
	tree->root = root;
	tree->limit = limit;
	list_init(&tree->members);
	list_append(&table->trees, &tree->link);
	return tree;
}

static struct entry *add(pid_t pid)
{
	struct process_stat stat;
	struct entry *entry;
	int directory = -1;

	ck_assert_int_eq(process_read(table, pid, &directory, &stat), PROCESS_ALIVE);
	entry = entry_new(table, pid, stat.ppid, &stat, directory);
	fd_close(directory);
	ck_assert_ptr_nonnull(entry);
	return entry;
}

static void change(pid_t pid, uint64_t start_time, char state, bool exiting)
{
	struct fake_process *process = fake_proc_find(&fake, pid);

	process->start_time = start_time;
	process->state = state;
	process->exiting = exiting;
	fake_proc_write(&fake, process);
}

static bool is_queued(const struct entry *entry)
{
	struct entry *queued;

	list_each (queued, &table->queue, struct entry, queued)
		if (queued == entry)
			return true;
	return false;
}

/* --- the hash */

START_TEST(a_process_is_found_by_its_number)
{
	struct entry *entry;

	ck_assert_ptr_null(process_table_find(table, 10));
	ck_assert_uint_eq(process_table_count(table), 0);
	entry = add(10);
	ck_assert_ptr_eq(table_find(table, 10), entry);
	ck_assert_ptr_eq(process_table_find(table, 10), &entry->process);
	ck_assert_ptr_null(process_table_find(table, 74)); /* in the same bucket */
	ck_assert_int_eq(entry->process.ppid, 1);
	ck_assert_uint_eq(entry->process.start_time, 100);
	ck_assert_uint_gt(entry->process.seen, 0);
	ck_assert(entry->start_known);
	table_free_entry(table, entry);
	ck_assert_ptr_null(process_table_find(table, 10));
	ck_assert_uint_eq(process_table_count(table), 0);
}
END_TEST

static void count_visit(void *data, struct process *process)
{
	((unsigned char *)data)[process->pid]++;
}

/* More than there are buckets at first; in steps of 64 all are in one of those. */
START_TEST(many_are_found)
{
	unsigned char visits[64 * MANY + 1] = {0};
	int step = _i ? 64 : 1;

	for (int i = 1; i <= MANY; i++)
		ck_assert_ptr_nonnull(entry_new(table, i * step, 1, NULL, -1));
	ck_assert_uint_eq(process_table_count(table), MANY);
	ck_assert_uint_ge(table->bucket_count, MANY);
	process_table_each(table, count_visit, visits);
	for (int i = 1; i <= MANY; i++) {
		struct process *process = process_table_find(table, i * step);

		ck_assert_ptr_nonnull(process);
		ck_assert_int_eq(process->pid, i * step);
		ck_assert_int_eq(visits[i * step], 1);
	}
	/* Every other one goes; the rest stays where it is. */
	for (int i = 1; i <= MANY; i += 2)
		table_free_entry(table, table_find(table, i * step));
	ck_assert_uint_eq(process_table_count(table), MANY / 2);
	for (int i = 1; i <= MANY; i++)
		ck_assert_int_eq(process_table_find(table, i * step) != NULL, i % 2 == 0);
	for (int i = 2; i <= MANY; i += 2)
		table_free_entry(table, table_find(table, i * step));
	ck_assert_uint_eq(process_table_count(table), 0);
}
END_TEST

START_TEST(an_entry_is_queued_once_at_the_end)
{
	struct entry *first = add(10), *second = add(20);

	table_queue(table, first);
	table_queue(table, second);
	ck_assert_ptr_eq(table->queue.next, &first->queued);
	table_queue(table, first);
	ck_assert_ptr_eq(table->queue.next, &second->queued);
	ck_assert_ptr_eq(second->queued.next, &first->queued);
	ck_assert_ptr_eq(first->queued.next, &table->queue);
	/* One that is freed is in no list. */
	table_free_entry(table, second);
	ck_assert_ptr_eq(table->queue.next, &first->queued);
	table_free_entry(table, first);
	ck_assert(list_empty(&table->queue));
}
END_TEST

/* --- memberships */

START_TEST(a_member_joins_once)
{
	struct process_tree *tree = make_tree(10, SIZE_MAX), *other = make_tree(20, SIZE_MAX);
	struct entry *entry = add(10);

	ck_assert(!tree_has(tree, entry));
	ck_assert_int_eq(tree_join(tree, entry), 0);
	expect("+10:10 ");
	ck_assert(tree_has(tree, entry));
	ck_assert(!tree_has(other, entry));
	ck_assert(is_queued(entry));
	ck_assert_uint_eq(tree->count, 1);
	ck_assert_uint_eq(table->changes, 1);
	list_remove(&entry->queued);
	ck_assert_int_eq(tree_join(tree, entry), 0);
	expect("");
	ck_assert_uint_eq(tree->count, 1);
	ck_assert(!is_queued(entry));
}
END_TEST

START_TEST(a_full_tree_refuses_all_but_its_root)
{
	struct process_tree *tree = make_tree(10, 1);
	struct entry *child = add(20), *root = add(10);

	ck_assert_int_eq(tree_join(tree, child), 0);
	expect("+10:20 ");
	ck_assert_int_eq(tree_join(tree, add(1)), 0);
	expect("!10:0 ");
	ck_assert_uint_eq(tree->refused, 1);
	ck_assert(!tree_has(tree, table_find(table, 1)));
	ck_assert_int_eq(tree_join(tree, root), 0);
	expect("+10:10 ");
	ck_assert_uint_eq(tree->count, 2);
	/* One that is a member isn't refused. */
	ck_assert_int_eq(tree_join(tree, child), 0);
	expect("");
	ck_assert_uint_eq(tree->refused, 1);
	table_free_entry(table, table_find(table, 1));
}
END_TEST

START_TEST(the_hook_for_refusals_is_optional)
{
	struct entry *entry;

	process_table_free(table);
	make_table(false);
	entry = add(20);
	ck_assert_int_eq(tree_join(make_tree(10, 0), entry), 0);
	expect("");
	ck_assert(list_empty(&entry->memberships));
	table_free_entry(table, entry);
}
END_TEST

START_TEST(a_child_inherits_all_trees)
{
	struct process_tree *one = make_tree(10, SIZE_MAX), *other = make_tree(1, SIZE_MAX);
	struct entry *parent = add(10), *child = add(20);

	ck_assert_int_eq(tree_inherit(child, parent), 0);
	expect("");
	tree_join(one, parent);
	tree_join(other, parent);
	tree_join(other, child);
	expect("+10:10 +1:10 +1:20 ");
	ck_assert_int_eq(tree_inherit(child, parent), 0);
	expect("+10:20 ");
	ck_assert_uint_eq(one->count, 2);
	ck_assert_uint_eq(other->count, 2);
}
END_TEST

START_TEST(a_process_that_leaves_is_not_found)
{
	struct process_tree *one = make_tree(10, SIZE_MAX), *other = make_tree(1, SIZE_MAX);
	struct entry *entry = add(10);
	uint64_t changes;

	tree_join(one, entry);
	tree_join(other, entry);
	expect("+10:10 +1:10 ");
	changes = table->changes;
	table_leave(table, entry);
	expect("-10:10 -1:10 ");
	ck_assert(!found_when_left);
	ck_assert_ptr_null(process_table_find(table, 10));
	ck_assert_uint_eq(process_table_count(table), 0);
	ck_assert_uint_eq(one->count + other->count, 0);
	ck_assert(list_empty(&table->queue));
	ck_assert_uint_eq(table->left, 1);
	ck_assert_uint_eq(table->changes, changes + 1);
}
END_TEST

START_TEST(a_tree_takes_those_who_have_no_other)
{
	struct process_tree *one = make_tree(10, SIZE_MAX), *other = make_tree(1, SIZE_MAX);
	struct entry *both = add(10), *single = add(20);

	tree_join(one, both);
	tree_join(one, single);
	tree_join(other, both);
	events[0] = '\0';
	tree_free(one, _i);
	expect(_i ? "-10:10 -10:20 " : "");
	ck_assert_ptr_eq(table_find(table, 10), both);
	ck_assert(tree_has(other, both));
	ck_assert_ptr_null(table_find(table, 20));
	ck_assert_ptr_eq(table->trees.next, &other->link);
	ck_assert_ptr_eq(other->link.next, &table->trees);
	tree_free(other, _i);
	expect(_i ? "-1:10 " : "");
	ck_assert_uint_eq(process_table_count(table), 0);
	ck_assert(list_empty(&table->trees));
}
END_TEST

START_TEST(deferred_exits_leave_later)
{
	struct process_tree *tree = make_tree(10, SIZE_MAX);
	struct entry *entries[] = {add(10), add(20)};

	ck_assert(!process_table_has_dropping(table));
	process_table_defer(table, true);
	ck_assert(table->defers);
	for (int i = 0; i < 2; i++) {
		tree_join(tree, entries[i]);
		list_append(&table->dropping, &entries[i]->dropping);
	}
	events[0] = '\0';
	ck_assert(process_table_has_dropping(table));
	process_table_defer(table, true);
	expect("");
	ck_assert_uint_eq(process_table_count(table), 2);
	/* They leave at once where none is to be kept any more. */
	if (_i)
		process_table_defer(table, false);
	else
		process_table_drop_exited(table);
	expect("-10:10 -10:20 ");
	ck_assert(!process_table_has_dropping(table));
	ck_assert_uint_eq(process_table_count(table), 0);
	ck_assert_int_eq(table->defers, !_i);
}
END_TEST

START_TEST(a_table_is_freed_without_reports)
{
	struct process_tree *tree = make_tree(10, SIZE_MAX);

	tree_join(tree, add(10));
	tree_join(tree, add(20));
	events[0] = '\0';
	process_table_free(table);
	expect("");
	process_table_free(NULL);
	make_table(true);
}
END_TEST

/* --- one process */

START_TEST(a_process_is_read)
{
	unsigned int room = fd_room();
	struct process_stat stat;
	int directory = -1;

	ck_assert_int_eq(process_read(table, 10, &directory, &stat), PROCESS_ALIVE);
	ck_assert_int_ge(directory, 0);
	ck_assert_uint_eq(stat.start_time, 100);
	fd_close(directory);
	directory = -1;
	ck_assert_int_eq(process_read(table, 99, &directory, &stat), PROCESS_GONE);
	ck_assert_int_eq(directory, -1);
	/* One that has exited and isn't reaped. */
	change(20, 200, 'Z', true);
	ck_assert_int_eq(process_read(table, 20, &directory, &stat), PROCESS_GONE);
	ck_assert_int_eq(directory, -1);
	/* What is no answer is no exit. */
	fake_proc_file(&fake, "nonsense", "10/stat");
	ck_assert_int_lt(process_read(table, 10, &directory, &stat), 0);
	ck_assert_int_eq(directory, -1);
	ck_assert_uint_eq(fd_room(), room);
}
END_TEST

START_TEST(the_start_time_shows_whether_a_process_lives)
{
	struct entry *entry = add(10), *unread = entry_new(table, 20, 10, NULL, -1);

	ck_assert_int_eq(process_still_lives(table, entry), PROCESS_LIVES);
	change(10, 100, 'S', true);
	ck_assert_int_eq(process_still_lives(table, entry), PROCESS_EXITS);
	change(10, 101, 'S', false);
	ck_assert_int_eq(process_still_lives(table, entry), PROCESS_DEAD);
	change(10, 100, 'S', false);
	ck_assert_int_eq(process_still_lives(table, entry), PROCESS_LIVES);
	/* A pidfd knows better than the start time. */
	process_table_exited(table, &entry->process);
	ck_assert_int_eq(process_still_lives(table, entry), PROCESS_DEAD);
	/* One that was never read may have any start time. */
	ck_assert(!unread->start_known);
	ck_assert_int_eq(process_still_lives(table, unread), PROCESS_LIVES);
	fake_proc_file(&fake, "nonsense", "20/stat");
	ck_assert_int_lt(process_still_lives(table, unread), 0);
	fake_proc_remove(&fake, 20);
	ck_assert_int_eq(process_still_lives(table, unread), PROCESS_DEAD);
	table_free_entry(table, entry);
	table_free_entry(table, unread);
}
END_TEST

START_TEST(a_name_is_read_again)
{
	struct entry *entry = add(10);

	fake_proc_find(&fake, 10)->name = "other";
	change(10, 100, 'S', false);
	ck_assert_int_eq(process_table_reread(table, &entry->process), 1);
	ck_assert_str_eq(entry->process.name, "other");
	/* The name of another process with its number is not its own. */
	fake_proc_find(&fake, 10)->name = "another";
	change(10, 101, 'S', false);
	ck_assert_int_eq(process_table_reread(table, &entry->process), 0);
	ck_assert_str_eq(entry->process.name, "other");
	fake_proc_file(&fake, "nonsense", "10/stat");
	ck_assert_int_lt(process_table_reread(table, &entry->process), 0);
	fake_proc_remove(&fake, 10);
	ck_assert_int_eq(process_table_reread(table, &entry->process), 0);
	ck_assert_str_eq(entry->process.name, "other");
	table_free_entry(table, entry);
}
END_TEST

START_TEST(a_namespace_is_that_of_the_same_process)
{
	struct entry *entry;
	struct netns_id before;

	fake_proc_delete(&fake, "10/net");
	entry = add(10);
	ck_assert(!entry->process.netns_known);
	ck_assert_int_lt(process_locate(table, &entry->process), 0);
	fake_proc_netns(&fake, 10, "one");
	ck_assert_int_eq(process_locate(table, &entry->process), 1);
	ck_assert(entry->process.netns_known);
	ck_assert_int_eq(process_locate(table, &entry->process), 0);
	before = entry->process.netns;
	/* Another process with its number lives elsewhere. */
	fake_proc_delete(&fake, "10/net");
	fake_proc_netns(&fake, 10, "other");
	change(10, 101, 'S', false);
	ck_assert_int_eq(process_locate(table, &entry->process), -ESRCH);
	ck_assert(netns_id_is_same(&entry->process.netns, &before));
	/* It has moved. */
	change(10, 100, 'S', false);
	ck_assert_int_eq(process_locate(table, &entry->process), 1);
	ck_assert(!netns_id_is_same(&entry->process.netns, &before));
	before = entry->process.netns;
	fake_proc_remove(&fake, 10);
	ck_assert_int_lt(process_locate(table, &entry->process), 0);
	ck_assert(netns_id_is_same(&entry->process.netns, &before));
	table_free_entry(table, entry);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("process_table");
	TCase *hash = tcase_create("hash"), *members = tcase_create("members");
	TCase *one = tcase_create("one");

	tcase_add_checked_fixture(hash, setup, teardown);
	tcase_add_test(hash, a_process_is_found_by_its_number);
	tcase_add_loop_test(hash, many_are_found, 0, 2);
	tcase_add_test(hash, an_entry_is_queued_once_at_the_end);
	suite_add_tcase(suite, hash);
	tcase_add_checked_fixture(members, setup, teardown);
	tcase_add_test(members, a_member_joins_once);
	tcase_add_test(members, a_full_tree_refuses_all_but_its_root);
	tcase_add_test(members, the_hook_for_refusals_is_optional);
	tcase_add_test(members, a_child_inherits_all_trees);
	tcase_add_test(members, a_process_that_leaves_is_not_found);
	tcase_add_loop_test(members, a_tree_takes_those_who_have_no_other, 0, 2);
	tcase_add_loop_test(members, deferred_exits_leave_later, 0, 2);
	tcase_add_test(members, a_table_is_freed_without_reports);
	suite_add_tcase(suite, members);
	tcase_add_checked_fixture(one, setup, teardown);
	tcase_add_test(one, a_process_is_read);
	tcase_add_test(one, the_start_time_shows_whether_a_process_lives);
	tcase_add_test(one, a_name_is_read_again);
	tcase_add_test(one, a_namespace_is_that_of_the_same_process);
	suite_add_tcase(suite, one);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
