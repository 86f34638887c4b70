/* SPDX-License-Identifier: MIT */
/* test_process_scan.c - members found by their new numbers alone */
#include <stdio.h>
#include <stdlib.h>

#include "proc/process_tree.h"
#include "support/check_main.h"
#include "support/fake_proc.h"

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

/* 10 and so many children; 1 is nobody's. */
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
	/* Whose parent has just been found. */
	ck_assert_ptr_nonnull(process_table_find(table, 52));
	ck_assert_uint_eq(process_tree_count(tree), MEMBERS + 2);
}
END_TEST

START_TEST(leaves_strangers_and_helpers_alone)
{
	add(51, 1);
	say_group(51, 51);
	add(66, 10);
	say_group(66, 66);
	ck_assert(process_scan_new(table, 50, 66));
	ck_assert_uint_eq(process_tree_count(tree), MEMBERS);
}
END_TEST

/* A thread of a member's child names the member as its parent. */
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

START_TEST(gives_up_where_numbers_tell_nothing)
{
	struct process_tree *adopting;

	ck_assert(!process_scan_new(table, 0, 10));
	ck_assert(!process_scan_new(table, 32000, 300)); /* once round */
	ck_assert_int_eq(process_tree_new(&adopting, table, 11, 500, true, SIZE_MAX), 0);
	ck_assert(!process_scan_new(table, 50, 51));
	process_tree_unref(adopting);
	ck_assert(process_scan_new(table, 50, 51));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("process_probe");
	TCase *all = tcase_create("probe");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, finds_the_children_of_members);
	tcase_add_test(all, leaves_strangers_and_helpers_alone);
	tcase_add_test(all, takes_no_thread_for_a_process);
	tcase_add_test(all, gives_up_where_a_refresh_is_cheaper);
	tcase_add_test(all, gives_up_where_numbers_tell_nothing);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
