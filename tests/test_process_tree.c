/* SPDX-License-Identifier: MIT */
/* test_process_tree.c - which processes belong to a watched root */
#include <check.h>
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "proc/process_orphans.h"
#include "proc/process_scan.h"
#include "proc/process_tree.h"
#include "support/check_main.h"
#include "support/fake_proc.h"
#include "support/puppet.h"
#include "support/sandbox.h"
#include "support/skip.h"

static struct fake_proc fake;
static struct procfs real;
static struct process_table *table;
/* What the hooks have reported: "+10:42 -10:42 " if 42 has joined and left the tree of 10. */
static char events[4096];
static pid_t ignored_pid;
/* Changes the processes in the middle of a pass. */
static void (*when_left)(void);

static bool ignored(void *data, pid_t pid)
{
	(void)data;
	return pid == ignored_pid;
}

static void note(char what, const struct process_tree *tree, const struct process *process)
{
	size_t size = strlen(events);

	snprintf(events + size, sizeof(events) - size, "%c%d:%d ", what,
	         (int)process_tree_root(tree), (int)process->pid);
}

static void joined(void *data, struct process_tree *tree, struct process *process)
{
	(void)data;
	ck_assert(process_tree_contains(tree, process));
	ck_assert_ptr_eq(process_table_find(table, process->pid), process);
	note('+', tree, process);
}

static void left(void *data, struct process_tree *tree, struct process *process)
{
	(void)data;
	ck_assert(!process_tree_contains(tree, process));
	ck_assert_ptr_ne(process_table_find(table, process->pid), process);
	note('-', tree, process);
	if (when_left)
		when_left();
}

static const struct process_hooks hooks = {ignored, joined, left, NULL};

static void setup_table(const struct procfs *procfs)
{
	events[0] = '\0';
	ignored_pid = 0;
	when_left = NULL;
	ck_assert_int_eq(process_table_new(&table, procfs, &hooks, NULL), 0);
}

/* 1 is the init; 10 and its child 20 exist, and a non-member. */
static void fill_fake(bool lists_children)
{
	fake_proc_setup(&fake, lists_children);
	fake_proc_add(&fake, 1, 0, 0);
	fake_proc_add(&fake, 10, 1, 100);
	fake_proc_add(&fake, 20, 10, 200);
	fake_proc_add(&fake, 99, 1, 90);
	setup_table(&fake.procfs);
}

static void setup_fake(void)
{
	fill_fake(true);
}

/* Imitates a kernel without CONFIG_PROC_CHILDREN. */
static void setup_unlisted(void)
{
	fill_fake(false);
}

static void teardown_fake(void)
{
	process_table_free(table);
	fake_proc_teardown(&fake);
}

static void setup_real(void)
{
	ck_assert_int_eq(procfs_open(&real, "/proc"), 0);
	puppets_setup();
	setup_table(&real);
}

static void teardown_real(void)
{
	process_table_free(table);
	puppets_teardown();
	procfs_close(&real);
}

static struct process_tree *watch_from(pid_t pid, uint64_t start_time, bool adopts_orphans)
{
	struct process_tree *tree = NULL;

	ck_assert_int_eq(process_tree_new(&tree, table, pid, start_time, adopts_orphans, SIZE_MAX),
	                 0);
	return tree;
}

static struct process_tree *watch(pid_t pid, uint64_t start_time)
{
	return watch_from(pid, start_time, false);
}

static struct process_tree *watch_real(pid_t pid, bool adopts_orphans)
{
	CLEANUP_CLOSE int process = procfs_open_process(&real, pid);
	struct process_stat stat;

	ck_assert_int_eq(procfs_read_stat(process, &stat), 0);
	return watch_from(pid, stat.start_time, adopts_orphans);
}

static void refresh(void)
{
	ck_assert_int_eq(process_table_refresh(table), 0);
}

static void forked(pid_t parent, pid_t child)
{
	ck_assert_int_eq(process_table_forked(table, parent, child), 0);
}

/* Expects what the hooks have reported since the last time. */
static void expect(const char *expected)
{
	ck_assert_str_eq(events, expected);
	events[0] = '\0';
}

/* The same, for PIDs that the kernel has chosen. */
#define expect_pids(...)                                                                           \
	do {                                                                                       \
		char expected_[128];                                                               \
                                                                                                   \
		snprintf(expected_, sizeof(expected_), __VA_ARGS__);                               \
		expect(expected_);                                                                 \
	} while (0)

static bool has(const struct process_tree *tree, pid_t pid)
{
	const struct process *process = process_table_find(table, pid);

	return process && process_tree_contains(tree, process);
}

START_TEST(descendants_join)
{
	struct process_tree *tree;

	fake_proc_add(&fake, 21, 10, 210);
	fake_proc_add(&fake, 30, 20, 300);
	tree = watch(10, 100);
	expect("+10:10 +10:20 +10:21 +10:30 ");
	ck_assert_uint_eq(process_tree_count(tree), 4);
	ck_assert_uint_eq(process_table_count(table), 4);
	fake_proc_add(&fake, 40, 30, 400);
	fake_proc_add(&fake, 50, 40, 500);
	refresh();
	expect("+10:40 +10:50 ");
	refresh();
	expect("");
}
END_TEST

START_TEST(process_is_described)
{
	const struct process *process;

	fake_proc_find(&fake, 20)->name = ") x\n";
	fake_proc_write(&fake, fake_proc_find(&fake, 20));
	watch(10, 100);
	process = process_table_find(table, 20);
	ck_assert_int_eq(process->pid, 20);
	ck_assert_int_eq(process->ppid, 10);
	ck_assert_uint_eq(process->start_time, 200);
	ck_assert_uint_gt(process->seen, 0);
	ck_assert_str_eq(process->name, ") x\n");
	ck_assert(process->netns_known);
	fake_proc_find(&fake, 20)->name = "exec'd";
	fake_proc_write(&fake, fake_proc_find(&fake, 20));
	refresh();
	ck_assert_str_eq(process->name, "exec'd");
}
END_TEST

START_TEST(members_in_joining_order)
{
	struct process_tree *tree = watch(10, 100);
	struct process *process = NULL;
	char order[64] = "";

	fake_proc_add(&fake, 5, 20, 300);
	refresh();
	while ((process = process_tree_next(tree, process)))
		snprintf(order + strlen(order), sizeof(order) - strlen(order), "%d ",
		         (int)process->pid);
	ck_assert_str_eq(order, "10 20 5 ");
}
END_TEST

START_TEST(many_members_found)
{
	struct process_tree *tree = watch(10, 100);

	/* Fork records of processes that have exited: more than the first buckets hold. */
	for (pid_t pid = 1000; pid < 3000; pid++)
		forked(10, pid);
	ck_assert_uint_eq(process_tree_count(tree), 2002);
	for (pid_t pid = 1000; pid < 3000; pid++)
		ck_assert_int_eq(process_table_find(table, pid)->pid, pid);
	ck_assert_ptr_null(process_table_find(table, 3000));
	refresh();
	ck_assert_uint_eq(process_tree_count(tree), 2);
	ck_assert_uint_eq(process_table_count(table), 2);
	events[0] = '\0';
}
END_TEST

START_TEST(no_such_root)
{
	struct process_tree *tree;

	ck_assert_int_eq(process_tree_new(&tree, table, 10, 101, false, SIZE_MAX), -ESRCH);
	ck_assert_int_eq(process_tree_new(&tree, table, 11, 100, false, SIZE_MAX), -ESRCH);
	fake_proc_find(&fake, 10)->state = 'Z';
	fake_proc_write(&fake, fake_proc_find(&fake, 10));
	ck_assert_int_eq(process_tree_new(&tree, table, 10, 100, false, SIZE_MAX), -ESRCH);
	ck_assert_uint_eq(process_table_count(table), 0);
	expect("");
}
END_TEST

START_TEST(members_leave)
{
	struct process_tree *tree = watch(10, 100);

	expect("+10:10 +10:20 ");
	fake_proc_find(&fake, 20)->state = 'Z';
	fake_proc_write(&fake, fake_proc_find(&fake, 20));
	refresh();
	expect("-10:20 ");
	fake_proc_remove(&fake, 10);
	refresh();
	expect("-10:10 ");
	ck_assert_uint_eq(process_tree_count(tree), 0);
	ck_assert_ptr_null(process_tree_next(tree, NULL));
	ck_assert_int_eq(process_tree_root(tree), 10);
}
END_TEST

START_TEST(headless_process_stays)
{
	watch(10, 100);
	fake_proc_find(&fake, 20)->state = 'Z';
	fake_proc_find(&fake, 20)->threads = 2;
	fake_proc_write(&fake, fake_proc_find(&fake, 20));
	fake_proc_add(&fake, 30, 0, 300);
	fake_proc_file(&fake, "30 ", "20/task/21/children");
	refresh();
	expect("+10:10 +10:20 ");
	fake_proc_reparent(&fake, 30, 20);
	refresh();
	expect("+10:30 ");
}
END_TEST

START_TEST(reparented_member_stays)
{
	struct process_tree *tree;

	fake_proc_add(&fake, 30, 20, 300);
	tree = watch(10, 100);
	fake_proc_reparent(&fake, 30, 1);
	fake_proc_remove(&fake, 20);
	refresh();
	expect("+10:10 +10:20 +10:30 -10:20 ");
	fake_proc_remove(&fake, 10);
	refresh();
	expect("-10:10 ");
	fake_proc_add(&fake, 40, 30, 400);
	refresh();
	expect("+10:40 ");
	ck_assert_uint_eq(process_tree_count(tree), 2);
	ck_assert(!has(tree, 1));
}
END_TEST

/* A non-member that has got the PID of a member does not join; a child of a member does. */
START_TEST(reused_numbers)
{
	struct process_tree *tree = watch(10, 100);

	expect("+10:10 +10:20 ");
	fake_proc_remove(&fake, 20);
	fake_proc_add(&fake, 20, 1, 777);
	fake_proc_add(&fake, 30, 20, 800);
	refresh();
	expect("-10:20 ");
	ck_assert_uint_eq(process_tree_count(tree), 1);
	fake_proc_add(&fake, 40, 10, 400);
	refresh();
	expect("+10:40 ");
	fake_proc_remove(&fake, 40);
	fake_proc_add(&fake, 40, 10, 888);
	refresh();
	expect("-10:40 +10:40 ");
	ck_assert_uint_eq(process_table_find(table, 40)->start_time, 888);
}
END_TEST

/* The root's PID goes to a non-member, whose children have the PIDs of the root's children. */
START_TEST(reused_family)
{
	static const pid_t family[] = {10, 5, 20};
	struct process_tree *tree;

	fake_proc_add(&fake, 5, 10, 150);
	tree = watch(10, 100);
	ck_assert_uint_eq(process_tree_count(tree), 3);
	events[0] = '\0';
	for (size_t i = 0; i < 3; i++)
		fake_proc_remove(&fake, family[i]);
	for (size_t i = 0; i < 3; i++)
		fake_proc_add(&fake, family[i], i ? 10 : 1, 777 + i);
	refresh();
	ck_assert_uint_eq(process_table_count(table), 0);
	ck_assert_ptr_null(strchr(events, '+'));
	ck_assert_uint_eq(strlen(events), strlen("-10:10 -10:5 -10:20 "));
}
END_TEST

/* A child gets the PID of another tree's member that is examined later in the same pass. */
START_TEST(number_of_a_member_elsewhere)
{
	struct process_tree *tree = watch(10, 100), *other;

	fake_proc_add(&fake, 50, 1, 500);
	other = watch(50, 500);
	expect("+10:10 +10:20 +50:50 ");
	fake_proc_remove(&fake, 50);
	fake_proc_add(&fake, 50, 10, 600);
	refresh();
	expect("-50:50 +10:50 ");
	ck_assert_uint_eq(process_tree_count(other), 0);
	ck_assert_uint_eq(process_tree_count(tree), 3);
}
END_TEST

static void become_orphan(void)
{
	fake_proc_add(&fake, 40, 10, 400);
}

/* An orphan goes to an ancestor that was examined before the exit of its parent was known. */
START_TEST(orphan_of_the_same_pass)
{
	watch(10, 100);
	expect("+10:10 +10:20 ");
	fake_proc_remove(&fake, 20);
	when_left = become_orphan;
	refresh();
	expect("-10:20 +10:40 ");
}
END_TEST

START_TEST(overlapping_trees)
{
	struct process_tree *inner = watch(20, 200), *outer, *leaf;

	fake_proc_add(&fake, 30, 20, 300);
	refresh();
	outer = watch(10, 100);
	expect("+20:20 +20:30 +10:10 +10:20 +10:30 ");
	ck_assert_uint_eq(process_table_count(table), 3);
	leaf = watch(30, 300);
	expect("+30:30 ");
	fake_proc_add(&fake, 40, 30, 400);
	refresh();
	expect("+20:40 +10:40 +30:40 ");
	fake_proc_remove(&fake, 30);
	fake_proc_reparent(&fake, 40, 1);
	refresh();
	expect("-20:30 -10:30 -30:30 ");
	process_tree_unref(outer);
	ck_assert_uint_eq(process_table_count(table), 2);
	ck_assert(has(inner, 20) && has(inner, 40) && has(leaf, 40));
	process_tree_unref(inner);
	ck_assert_uint_eq(process_table_count(table), 1);
	expect("");
}
END_TEST

/* A member of one tree becomes a child of another tree's member. */
START_TEST(member_joins_second_tree)
{
	struct process_tree *tree = watch(10, 100), *other;

	fake_proc_add(&fake, 50, 1, 500);
	fake_proc_add(&fake, 60, 50, 600);
	fake_proc_add(&fake, 70, 60, 700);
	other = watch(50, 500);
	fake_proc_reparent(&fake, 60, 20);
	refresh();
	ck_assert(has(tree, 60) && has(other, 60));
	ck_assert(has(tree, 70) && has(other, 70));
	ck_assert_uint_eq(process_tree_count(other), 3);
}
END_TEST

START_TEST(references)
{
	struct process_tree *tree = watch(10, 100);

	ck_assert_ptr_eq(watch(10, 100), tree);
	fake_proc_self(&fake, 1);
	ck_assert_ptr_ne(watch_from(10, 100, true), tree);
	process_tree_unref(tree);
	ck_assert_uint_eq(process_tree_count(tree), 2);
	process_tree_unref(tree);
	ck_assert_uint_eq(process_table_count(table), 2);
}
END_TEST

START_TEST(root_with_a_dead_members_number)
{
	struct process_tree *tree = watch(10, 100), *other;

	fake_proc_remove(&fake, 20);
	fake_proc_add(&fake, 20, 1, 777);
	other = watch(20, 777);
	expect("+10:10 +10:20 -10:20 +20:20 ");
	ck_assert(has(other, 20));
	ck_assert(!has(tree, 20));
}
END_TEST

START_TEST(helpers_are_ignored)
{
	ignored_pid = 20;
	watch(10, 100);
	fake_proc_add(&fake, 30, 20, 300);
	refresh();
	forked(10, 20);
	expect("+10:10 ");
}
END_TEST

START_TEST(fork_record_of_the_living)
{
	watch(10, 100);
	fake_proc_add(&fake, 30, 20, 300);
	forked(20, 30);
	forked(20, 30);
	expect("+10:10 +10:20 +10:30 ");
	ck_assert_uint_eq(process_table_find(table, 30)->start_time, 300);
	ck_assert(process_table_find(table, 30)->netns_known);
	refresh();
	expect("");
}
END_TEST

START_TEST(fork_record_of_non_members)
{
	watch(10, 100);
	fake_proc_add(&fake, 100, 99, 300);
	forked(99, 100);
	forked(1234, 1235);
	forked(10, 10);
	expect("+10:10 +10:20 ");
}
END_TEST

/* A double fork: both parents are dead before their records are read. */
START_TEST(fork_record_of_a_daemon)
{
	struct process_tree *tree = watch(10, 100);

	fake_proc_add(&fake, 50, 1, 500);
	forked(10, 30);
	forked(30, 40);
	forked(40, 50);
	expect("+10:10 +10:20 +10:30 +10:40 +10:50 ");
	ck_assert(!process_table_find(table, 30)->netns_known);
	refresh();
	ck_assert_uint_eq(process_tree_count(tree), 3);
	ck_assert(has(tree, 50));
}
END_TEST

/* Numbers that were given to others between fork and record. */
/* That a process has exited is seen before what it did is reported. */
START_TEST(fork_record_of_the_departed)
{
	struct process_tree *tree = watch(10, 100);

	events[0] = '\0';
	process_table_defer(table, true);
	fake_proc_remove(&fake, 20);
	fake_proc_add(&fake, 30, 1, 300);
	refresh();
	refresh();
	expect("");
	ck_assert(process_table_has_dropping(table));
	ck_assert(has(tree, 20));
	forked(20, 30);
	expect("+10:30 ");
	process_table_drop_exited(table);
	expect("-10:20 ");
	ck_assert(!process_table_has_dropping(table));
	/* Departing members leave when no further record is reported, and when their PID belongs to
	 * another process. */
	fake_proc_remove(&fake, 30);
	fake_proc_remove(&fake, 10);
	refresh();
	expect("");
	fake_proc_add(&fake, 30, 1, 999);
	refresh();
	expect("-10:30 ");
	process_table_defer(table, false);
	expect("-10:10 ");
}
END_TEST

START_TEST(fork_record_too_late)
{
	watch(10, 100);
	expect("+10:10 +10:20 ");
	fake_proc_add(&fake, 30, 99, 300); /* a non-member has the child's number */
	forked(10, 30);
	expect("");
	fake_proc_remove(&fake, 20);
	fake_proc_add(&fake, 20, 99, 777); /* and another the parent's */
	fake_proc_add(&fake, 40, 20, 800);
	forked(20, 40);
	expect("");
	fake_proc_reparent(&fake, 30, 1); /* the child of the dead one lives with init */
	forked(20, 30);
	expect("+10:30 ");
}
END_TEST

/* A process of several threads loses its children before its last thread has exited. */
START_TEST(fork_record_of_the_exiting)
{
	struct fake_process *process;

	watch(10, 100);
	expect("+10:10 +10:20 ");
	process = fake_proc_find(&fake, 20);
	process->exiting = true;
	process->threads = 2;
	fake_proc_write(&fake, process);
	fake_proc_add(&fake, 30, 1, 300);
	forked(20, 30);
	expect("+10:30 ");
	process->state = 'Z';
	fake_proc_write(&fake, process);
	fake_proc_add(&fake, 40, 1, 400);
	fake_proc_add(&fake, 50, 20, 500);
	forked(20, 40);
	forked(20, 50);
	expect("+10:40 +10:50 ");
}
END_TEST

/* clone(CLONE_PARENT): the child is a sibling. */
START_TEST(fork_record_of_a_sibling)
{
	watch(10, 100);
	fake_proc_add(&fake, 30, 1, 300);
	forked(10, 30);
	expect("+10:10 +10:20 +10:30 ");
}
END_TEST

START_TEST(fork_record_reuses_number)
{
	watch(10, 100);
	expect("+10:10 +10:20 ");
	fake_proc_remove(&fake, 20);
	fake_proc_add(&fake, 20, 10, 777);
	forked(10, 20);
	expect("-10:20 +10:20 ");
	ck_assert_uint_eq(process_table_find(table, 20)->start_time, 777);
	fake_proc_remove(&fake, 20);
	forked(10, 20);
	expect("");
	refresh();
	expect("-10:20 ");
}
END_TEST

/* A process was dead when its fork record was read, and a non-member has its PID. */
START_TEST(number_of_the_exited_reused)
{
	watch(10, 100);
	forked(10, 30);
	expect("+10:10 +10:20 +10:30 ");
	fake_proc_add(&fake, 30, 1, 300);
	refresh();
	expect("-10:30 ");
	forked(10, 40);
	fake_proc_add(&fake, 40, 10, 400);
	forked(10, 40);
	expect("+10:40 -10:40 +10:40 ");
	forked(10, 41);
	fake_proc_add(&fake, 41, 10, 410);
	refresh();
	expect("+10:41 -10:41 +10:41 ");
}
END_TEST

START_TEST(orphans_adopted)
{
	struct process_tree *tree, *other;

	fake_proc_add(&fake, 500, 1, 50);
	fake_proc_self(&fake, 500);
	fake_proc_add(&fake, 501, 500, 60); /* ours, from before */
	fake_proc_reparent(&fake, 10, 500);
	tree = watch_from(10, 100, true);
	other = watch(20, 200);
	expect("+10:10 +10:20 +20:20 ");
	fake_proc_add(&fake, 30, 500, 300);
	fake_proc_add(&fake, 31, 30, 310);
	ignored_pid = 40;
	fake_proc_add(&fake, 40, 500, 400);
	refresh();
	expect("+10:30 +10:31 ");
	fake_proc_remove(&fake, 501);
	fake_proc_add(&fake, 501, 500, 600);
	refresh();
	expect("+10:501 ");
	ck_assert_uint_eq(process_tree_count(tree), 5);
	ck_assert_uint_eq(process_tree_count(other), 1);
}
END_TEST

/* If the tree of an orphan is known, no other tree adopts the orphan. */
START_TEST(orphans_not_shared)
{
	struct process_tree *tree, *other;

	fake_proc_add(&fake, 500, 1, 50);
	fake_proc_self(&fake, 500);
	fake_proc_add(&fake, 600, 500, 60);
	tree = watch_from(10, 100, true);
	other = watch_from(600, 60, true);
	fake_proc_reparent(&fake, 20, 500);
	refresh();
	ck_assert(has(tree, 20));
	ck_assert(!has(other, 20));
	ck_assert(!has(tree, 600));
}
END_TEST

START_TEST(moves_between_namespaces)
{
	struct process *process;
	struct netns_id before;

	watch(10, 100);
	process = process_table_find(table, 20);
	before = process->netns;
	ck_assert_int_eq(process_locate(table, process), 0);
	fake_proc_netns(&fake, 20, "net:2");
	ck_assert_int_eq(process_locate(table, process), 1);
	ck_assert_uint_ne(process->netns.ino, before.ino);
	ck_assert_int_eq(process_locate(table, process), 0);
	before = process->netns;
	fake_proc_remove(&fake, 20);
	ck_assert_int_eq(process_locate(table, process), -ESRCH);
	fake_proc_add(&fake, 20, 1, 777);
	ck_assert_int_eq(process_locate(table, process), -ESRCH);
	ck_assert_uint_eq(process->netns.ino, before.ino);
}
END_TEST

START_TEST(unreadable_members_stay)
{
	watch(10, 100);
	expect("+10:10 +10:20 ");
	fake_proc_file(&fake, "nonsense", "20/stat");
	ck_assert_int_eq(process_table_refresh(table), -EPROTO);
	expect("");
	fake_proc_write(&fake, fake_proc_find(&fake, 20));
	refresh();
	expect("");
}
END_TEST

START_TEST(no_descriptors_left)
{
	struct rlimit limit, none;
	struct process_tree *tree;

	watch(10, 100);
	fake_proc_add(&fake, 30, 20, 300);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(process_table_refresh(table), -EMFILE);
	ck_assert_int_eq(process_tree_new(&tree, table, 99, 90, false, SIZE_MAX), -EMFILE);
	forked(20, 30);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	expect("+10:10 +10:20 +10:30 ");
	refresh();
	expect("");
	ck_assert_uint_eq(process_table_find(table, 30)->start_time, 300);
}
END_TEST

/* A process that couldn't be read when its fork record came is a non-member. */
START_TEST(unread_child_is_a_non_member)
{
	watch(10, 100);
	fake_proc_file(&fake, "nonsense", "30/stat");
	forked(10, 30);
	expect("+10:10 +10:20 +10:30 ");
	fake_proc_add(&fake, 30, 99, 300);
	refresh();
	expect("-10:30 ");
}
END_TEST

static void watch_for_access(int inotify, int pid)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%d", fake.path, pid);
	ck_assert_int_ge(inotify_add_watch(inotify, path, IN_OPEN | IN_ACCESS), 0);
	snprintf(path, sizeof(path), "%s/%d/task/%d", fake.path, pid, pid);
	ck_assert_int_ge(inotify_add_watch(inotify, path, IN_OPEN | IN_ACCESS), 0);
}

START_TEST(non_members_are_not_read)
{
	CLEANUP_CLOSE int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char event[4096];

	watch_for_access(inotify, 99);
	watch_for_access(inotify, 1);
	watch(10, 100);
	refresh();
	fake_proc_add(&fake, 30, 20, 300);
	forked(20, 30);
	refresh();
	fake_proc_remove(&fake, 20);
	refresh();
	ck_assert_int_eq(read(inotify, event, sizeof(event)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	/* Proves that the process would have been seen. */
	ck_assert_int_gt(procfs_read(fake.procfs.fd, "99/stat", event, sizeof(event)), 0);
	ck_assert_int_gt(read(inotify, event, sizeof(event)), 0);
}
END_TEST

START_TEST(real_daemon)
{
	pid_t root = puppet_start(0), middle, daemon;
	struct process_tree *tree = watch_real(root, false);

	expect_pids("+%d:%d ", root, root);
	middle = puppet_fork(0, 1);
	refresh();
	expect_pids("+%d:%d ", root, middle);
	daemon = puppet_fork(1, 2);
	refresh();
	expect_pids("+%d:%d ", root, daemon);
	puppet_exit(1);
	refresh();
	expect_pids("-%d:%d ", root, middle);
	puppet_reap(0, 1);
	refresh();
	expect("");
	puppet_exit(0);
	refresh();
	expect_pids("-%d:%d ", root, root);
	ck_assert(has(tree, daemon));
	ck_assert_int_ne(process_table_find(table, daemon)->ppid, middle);
	puppet_exit(2);
	refresh();
	ck_assert_uint_eq(process_tree_count(tree), 0);
}
END_TEST

START_TEST(real_daemon_by_records)
{
	pid_t root = puppet_start(0), middle, daemon;
	struct process_tree *tree = watch_real(root, false);

	middle = puppet_fork(0, 1);
	daemon = puppet_fork(1, 2);
	puppet_exit(1);
	puppet_reap(0, 1);
	refresh();
	ck_assert_uint_eq(process_tree_count(tree), 1); /* nothing else shows the process */
	forked(root, middle);
	forked(middle, daemon);
	ck_assert(has(tree, daemon));
	refresh();
	ck_assert(has(tree, daemon));
	ck_assert(!has(tree, middle));
}
END_TEST

START_TEST(real_headless_process)
{
	pid_t root = puppet_start(0), headless = puppet_fork(0, 1), child;
	struct process_tree *tree = watch_real(root, false);

	puppet_lose_leader(1);
	refresh();
	ck_assert(has(tree, headless));
	child = puppet_fork(1, 2);
	refresh();
	ck_assert(has(tree, child));
	ck_assert_int_eq(process_locate(table, process_table_find(table, headless)), 0);
	puppet_exit(1);
	refresh();
	ck_assert(!has(tree, headless));
	ck_assert(has(tree, child));
}
END_TEST

START_TEST(real_namespace)
{
	pid_t root = puppet_start(0), child = puppet_fork(0, 1);
	struct process *process;
	int refused;

	watch_real(root, false);
	process = process_table_find(table, child);
	ck_assert_uint_eq(process->netns.ino, process_table_find(table, root)->netns.ino);
	refused = puppet_unshare_net(1);
	if (refused)
		test_skip("no network namespace: %s", strerror(-refused));
	ck_assert_int_eq(process_locate(table, process), 1);
	ck_assert_uint_ne(process->netns.ino, process_table_find(table, root)->netns.ino);
}
END_TEST

START_TEST(real_orphan_adopted)
{
	pid_t root = puppet_start(0), preexisting = puppet_start(3), orphan;
	struct process_tree *tree;

	if (!procfs_is_ours(&real))
		test_skip("/proc shows another PID namespace");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		test_skip("PR_SET_CHILD_SUBREAPER: %s", strerror(errno));
	tree = watch_real(root, true);
	puppet_fork(0, 1);
	orphan = puppet_fork(1, 2);
	puppet_exit(1);
	puppet_reap(0, 1);
	refresh();
	ck_assert(has(tree, orphan));
	ck_assert(!has(tree, preexisting));
	ck_assert_uint_eq(process_tree_count(tree), 2);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}
END_TEST

static int mount_hiding(const char *path)
{
	if (!sandbox_own_mounts() || mount("proc", path, "proc", 0, "hidepid=2") < 0)
		return -errno;
	return 0;
}

/* Opens a /proc of our own that hides other users' processes. */
static void open_hiding(struct procfs *procfs)
{
	char path[] = "hidepid-XXXXXX";
	int refused;

	if (!check_forks())
		test_skip("takes a process of its own, to change its mounts");
	ck_assert_ptr_nonnull(mkdtemp(path));
	refused = mount_hiding(path);
	if (refused) {
		rmdir(path);
		test_skip("cannot mount proc with hidepid: %s", strerror(-refused));
	}
	ck_assert_int_eq(procfs_open(procfs, path), 0);
	ck_assert_int_eq(umount2(path, MNT_DETACH), 0);
	rmdir(path);
}

/* A member that /proc hides, for example because it has changed its user, stays a member until it
 * exits. */
START_TEST(real_hidden_member)
{
	pid_t root = puppet_start(0), child;
	struct process_tree *tree;
	struct procfs hiding;

	open_hiding(&hiding);
	process_table_free(table);
	setup_table(&hiding);
	tree = watch_real(root, false);
	child = puppet_fork(0, 1);
	refresh();
	if (setgroups(0, NULL) < 0 || setegid(65534) < 0 || seteuid(65534) < 0)
		test_skip("no other user here to become");
	ck_assert_int_eq(procfs_open_process(&hiding, root), -ESRCH);
	refresh();
	ck_assert(has(tree, root) && has(tree, child));
	ck_assert_int_eq(seteuid(0), 0);
	puppet_exit(1);
	puppet_reap(0, 1);
	ck_assert_int_eq(seteuid(65534), 0);
	refresh();
	ck_assert(has(tree, root) && !has(tree, child));
	ck_assert_int_eq(seteuid(0), 0);
	process_table_free(table);
	table = NULL;
	procfs_close(&hiding);
}
END_TEST

static void add_tests(TCase *tcase)
{
	tcase_add_test(tcase, descendants_join);
	tcase_add_test(tcase, process_is_described);
	tcase_add_test(tcase, members_in_joining_order);
	tcase_add_test(tcase, no_such_root);
	tcase_add_test(tcase, members_leave);
	tcase_add_test(tcase, reparented_member_stays);
	tcase_add_test(tcase, reused_numbers);
	tcase_add_test(tcase, reused_family);
	tcase_add_test(tcase, number_of_a_member_elsewhere);
	tcase_add_test(tcase, overlapping_trees);
	tcase_add_test(tcase, member_joins_second_tree);
	tcase_add_test(tcase, references);
	tcase_add_test(tcase, root_with_a_dead_members_number);
	tcase_add_test(tcase, helpers_are_ignored);
	tcase_add_test(tcase, fork_record_of_the_living);
	tcase_add_test(tcase, orphans_adopted);
	tcase_add_test(tcase, orphans_not_shared);
	tcase_add_test(tcase, no_descriptors_left);
}

static Suite *make(void)
{
	Suite *suite = suite_create("process_tree");
	TCase *fake_case = tcase_create("files");
	TCase *unlisted_case = tcase_create("unlisted");
	TCase *real_case = tcase_create("kernel");

	tcase_add_checked_fixture(fake_case, setup_fake, teardown_fake);
	add_tests(fake_case);
	tcase_add_test(fake_case, many_members_found);
	tcase_add_test(fake_case, headless_process_stays);
	tcase_add_test(fake_case, orphan_of_the_same_pass);
	tcase_add_test(fake_case, fork_record_of_non_members);
	tcase_add_test(fake_case, fork_record_of_a_daemon);
	tcase_add_test(fake_case, fork_record_of_the_departed);
	tcase_add_test(fake_case, fork_record_too_late);
	tcase_add_test(fake_case, fork_record_of_a_sibling);
	tcase_add_test(fake_case, fork_record_of_the_exiting);
	tcase_add_test(fake_case, fork_record_reuses_number);
	tcase_add_test(fake_case, number_of_the_exited_reused);
	tcase_add_test(fake_case, moves_between_namespaces);
	tcase_add_test(fake_case, unreadable_members_stay);
	tcase_add_test(fake_case, unread_child_is_a_non_member);
	tcase_add_test(fake_case, non_members_are_not_read);
	suite_add_tcase(suite, fake_case);
	tcase_add_checked_fixture(unlisted_case, setup_unlisted, teardown_fake);
	add_tests(unlisted_case);
	suite_add_tcase(suite, unlisted_case);
	tcase_add_checked_fixture(real_case, setup_real, teardown_real);
	tcase_add_test(real_case, real_daemon);
	tcase_add_test(real_case, real_daemon_by_records);
	tcase_add_test(real_case, real_headless_process);
	tcase_add_test(real_case, real_namespace);
	tcase_add_test(real_case, real_orphan_adopted);
	tcase_add_test(real_case, real_hidden_member);
	suite_add_tcase(suite, real_case);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
