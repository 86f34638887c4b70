/* SPDX-License-Identifier: MIT */
/* test_process_scan.c - members that are found only by their new PIDs */
#include <stdio.h>
#include <stdlib.h>

#include "proc/process_scan.h"
#include "proc/process_tree.h"
#include "support/check_main.h"
#include "support/fake_proc.h"
#include "util/clock.h"

#define MEMBERS 20

static struct fake_proc fake;
static struct process_table *table;
static struct process_tree *tree;

static bool ignored(void *data, pid_t pid)
{
	(void)data;
	return pid == 66;
}

static void changed(void *data, struct process_tree *where, struct process *process)
{
	(void)data, (void)where, (void)process;
}

static const struct process_hooks hooks = {ignored, changed, changed, NULL};

static void add(pid_t pid, pid_t ppid)
{
	fake_proc_add(&fake, pid, ppid, 500);
}

static void say_group(pid_t pid, pid_t group)
{
	char text[128];

	snprintf(text, sizeof(text), "Name:\tx\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t%d\n",
	         (int)group);
	fake_proc_file(&fake, text, "%d/status", (int)pid);
}

/* Sets up 10 with this number of children; 1 has no parent. */
static void setup(void)
{
	fake_proc_setup(&fake, true);
	fake_proc_self(&fake, 1);
	add(1, 0);
	add(10, 1);
	for (pid_t pid = 11; pid < 10 + MEMBERS; pid++)
		add(pid, 10);
	ck_assert_int_eq(process_table_new(&table, &fake.procfs, &hooks, NULL), 0);
	ck_assert_int_eq(process_tree_new(&tree, table, 10, 500, false, SIZE_MAX), 0);
	ck_assert_uint_eq(process_tree_count(tree), MEMBERS);
}

static void teardown(void)
{
	process_table_free(table);
	fake_proc_teardown(&fake);
}

START_TEST(finds_the_children_of_members)
{
	add(51, 10);
	say_group(51, 51);
	add(52, 51);
	say_group(52, 52);
	ck_assert(process_scan_new(table, 50, 55));
	ck_assert_ptr_nonnull(process_table_find(table, 51));
	/* Its parent has just been found. */
	ck_assert_ptr_nonnull(process_table_find(table, 52));
	ck_assert_uint_eq(process_tree_count(tree), MEMBERS + 2);
}
END_TEST

START_TEST(non_members_and_helpers_do_not_join)
{
	add(51, 1);
	say_group(51, 51);
	add(66, 10);
	say_group(66, 66);
	ck_assert(process_scan_new(table, 50, 66));
	ck_assert_uint_eq(process_tree_count(tree), MEMBERS);
}
END_TEST

/* A thread of a member's child has the member as its parent. */
START_TEST(takes_no_thread_for_a_process)
{
	add(51, 10);
	say_group(51, 12);
	ck_assert(process_scan_new(table, 50, 51));
	ck_assert_uint_eq(process_tree_count(tree), MEMBERS);
}
END_TEST

START_TEST(gives_up_where_a_refresh_is_cheaper)
{
	ck_assert(!process_scan_new(table, 50, 50 + MEMBERS + 1));
	ck_assert(process_scan_new(table, 50, 50 + MEMBERS));
}
END_TEST

/* Even if the number of members is higher: members that have exited count as well. */
START_TEST(gives_up_where_too_many_are_new)
{
	for (pid_t pid = 1000; pid < 2000; pid++)
		ck_assert_int_eq(process_table_forked(table, 10, pid), 0);
	ck_assert_uint_ge(process_table_count(table), 1000);
	ck_assert(!process_scan_new(table, 2000, 2000 + 513));
	ck_assert(process_scan_new(table, 2000, 2000 + 512));
}
END_TEST

START_TEST(wrapped_pids_cause_a_full_scan)
{
	struct process_tree *adopting;

	ck_assert(!process_scan_new(table, 0, 10));
	ck_assert(!process_scan_new(table, 32000, 300)); /* PIDs have wrapped around once */
	ck_assert_int_eq(process_tree_new(&adopting, table, 11, 500, true, SIZE_MAX), 0);
	ck_assert(!process_scan_new(table, 50, 51));
	process_tree_unref(adopting);
	ck_assert(process_scan_new(table, 50, 51));
}
END_TEST

/* --- every PID that is given out is examined, and once more when the PID is a second old */

#define SEC NSEC_PER_SEC
#define BEGIN (1000 * SEC)

START_TEST(the_first_scan_is_complete)
{
	struct recent_pids recent = {0};

	ck_assert_int_eq(recent_pids_after(&recent, 70, BEGIN), 0);
}
END_TEST

START_TEST(new_pids_are_examined_at_once)
{
	struct recent_pids recent = {.last = 70};

	ck_assert_int_eq(recent_pids_after(&recent, 70, BEGIN), 70);
	ck_assert_int_eq(recent_pids_after(&recent, 72, BEGIN), 70);
	recent_pids_seen(&recent, 72, BEGIN);
	ck_assert_int_eq(recent_pids_after(&recent, 72, BEGIN + SEC / 2), 72);
	ck_assert_int_eq(recent_pids_after(&recent, 73, BEGIN + SEC / 2), 72);
}
END_TEST

START_TEST(new_pids_are_examined_again_after_a_second)
{
	struct recent_pids recent = {.last = 70};

	recent_pids_seen(&recent, 72, BEGIN);
	ck_assert_int_eq(recent_pids_after(&recent, 72, BEGIN + SEC - 1), 72);
	ck_assert_int_eq(recent_pids_after(&recent, 72, BEGIN + SEC), 70);
	recent_pids_seen(&recent, 72, BEGIN + SEC);
	/* No further PID is examined. */
	ck_assert_int_eq(recent_pids_after(&recent, 72, BEGIN + 9 * SEC), 72);
}
END_TEST

/* PID by PID: with an examination every tenth of a second, while PIDs are given out continually. */
START_TEST(no_pid_is_left_out)
{
	struct recent_pids recent = {.last = 70};
	uint64_t given[100], seen_old[100] = {0};
	uint64_t now = BEGIN;

	for (pid_t last = 70; last < 100 || recent.again; now += SEC / 10) {
		pid_t after;

		if (last < 99)
			given[++last] = now;
		after = recent_pids_after(&recent, last, now);
		for (pid_t pid = after + 1; pid <= last; pid++)
			seen_old[pid] += now - given[pid] >= SEC;
		if (after != last)
			recent_pids_seen(&recent, last, now);
		if (last == 99 && !recent.again)
			break;
	}
	for (pid_t pid = 71; pid <= 99; pid++)
		ck_assert_msg(seen_old[pid] == 1, "%d was looked at %d times", (int)pid,
		              (int)seen_old[pid]);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("process_scan");
	TCase *all = tcase_create("new PIDs"), *recent = tcase_create("recent PIDs");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, finds_the_children_of_members);
	tcase_add_test(all, non_members_and_helpers_do_not_join);
	tcase_add_test(all, takes_no_thread_for_a_process);
	tcase_add_test(all, gives_up_where_a_refresh_is_cheaper);
	tcase_add_test(all, gives_up_where_too_many_are_new);
	tcase_add_test(all, wrapped_pids_cause_a_full_scan);
	suite_add_tcase(suite, all);
	tcase_add_test(recent, the_first_scan_is_complete);
	tcase_add_test(recent, new_pids_are_examined_at_once);
	tcase_add_test(recent, new_pids_are_examined_again_after_a_second);
	tcase_add_test(recent, no_pid_is_left_out);
	suite_add_tcase(suite, recent);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
