/* SPDX-License-Identifier: MIT */
/* test_process_orphans.c - orphans that are found by their session or process group */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/process_orphans.h"
#include "proc/process_scan.h"
#include "proc/process_tree.h"
#include "support/check_main.h"
#include "support/fake_proc.h"
#include "support/process_list.h"
#include "support/skip.h"
#include "util/clock.h"

static struct fake_proc fake;
static struct procfs real;
static struct process_table *table;
static struct process_tree *tree;
static pid_t ignored_pid;
static pid_t parent; /* a member */

static bool ignored(void *data, pid_t pid)
{
	(void)data;
	return pid == ignored_pid;
}

static void changed(void *data, struct process_tree *of, struct process *process)
{
	(void)data, (void)of, (void)process;
}

static const struct process_hooks hooks = {ignored, changed, changed, NULL};

/* 1 is the init; 5 is its child and that of 5 is 10, the root, in a session that 5 leads. */
static void setup(void)
{
	ignored_pid = 0;
	parent = 10;
	fake_proc_setup(&fake, true);
	fake_proc_add(&fake, 1, 0, 0);
	fake_proc_add(&fake, 5, 1, 50);
	fake_proc_add(&fake, 10, 5, 100);
	ck_assert_int_eq(process_table_new(&table, &fake.procfs, &hooks, NULL), 0);
	ck_assert_int_eq(process_table_find_orphans(table, true), 0);
}

static void teardown(void)
{
	process_table_free(table);
	fake_proc_teardown(&fake);
}

static void belong(pid_t pid, pid_t session, pid_t group)
{
	struct fake_process *process = fake_proc_find(&fake, pid);

	process->session = session;
	process->group = group;
	fake_proc_write(&fake, process);
}

static void add(pid_t pid, pid_t ppid, pid_t session, pid_t group)
{
	fake_proc_add(&fake, pid, ppid, 10 * (uint64_t)pid);
	belong(pid, session, group);
}

static void watch(void)
{
	ck_assert_int_eq(process_tree_new(&tree, table, 10, 100, false, SIZE_MAX), 0);
	ck_assert_int_eq(process_table_refresh(table), 0);
}

/* A process that leaves ends the pause after a search. */
static void refresh(void)
{
	fake_proc_add(&fake, 11, parent, 110);
	ck_assert_int_eq(process_table_refresh(table), 0);
	fake_proc_remove(&fake, 11);
	ck_assert_int_eq(process_table_refresh(table), 0);
}

static bool has(pid_t pid)
{
	const struct process *process = process_table_find(table, pid);

	return process && process_tree_contains(tree, process);
}

START_TEST(in_the_session_of_the_root)
{
	belong(10, 10, 10);
	watch();
	add(30, 1, 10, 10);
	add(31, 5, 10, 31);
	add(32, 30, 10, 10); /* a child of an orphan */
	add(33, 1, 33, 33);
	add(34, 1, 5, 5);
	refresh();
	ck_assert(has(30) && has(31) && has(32));
	ck_assert(!has(33) && !has(34));
	ck_assert(!has(5) && !has(1));
}
END_TEST

START_TEST(in_the_session_of_a_former_member)
{
	belong(10, 5, 5);
	watch();
	add(20, 10, 20, 20);
	add(21, 20, 20, 21); /* stays when its leader goes */
	refresh();
	fake_proc_remove(&fake, 20);
	fake_proc_reparent(&fake, 21, 1);
	refresh();
	ck_assert(has(21) && !has(20));
	add(30, 1, 20, 20);
	refresh();
	ck_assert(has(30));
}
END_TEST

/* The root and last member is gone when its orphan is seen. */
START_TEST(the_last_one_leaves_an_orphan)
{
	belong(10, 10, 10);
	watch();
	fake_proc_remove(&fake, 10);
	add(30, 1, 10, 10);
	ck_assert_int_eq(process_table_refresh(table), 0);
	ck_assert(has(30));
	ck_assert_uint_eq(process_tree_count(tree), 1);
	parent = 30;
	/* From here on it is the one that keeps the number. */
	add(31, 1, 10, 10);
	refresh();
	refresh();
	ck_assert(has(31));
}
END_TEST

START_TEST(a_session_without_a_member_proves_nothing)
{
	belong(10, 5, 5);
	watch();
	add(20, 10, 20, 20);
	refresh();
	fake_proc_remove(&fake, 20);
	refresh();
	refresh();
	/* Meanwhile others have got the number. */
	add(30, 1, 20, 20);
	refresh();
	ck_assert(!has(30));
}
END_TEST

/* The same with a look that reads no members: who was in the session is asked once more. */
START_TEST(a_session_whose_member_has_exited)
{
	belong(10, 5, 5);
	watch();
	add(20, 10, 20, 20);
	refresh();
	add(29, 10, 5, 5);
	add(30, 1, 20, 20);
	if (_i)
		fake_proc_remove(&fake, 20);
	while (!process_scan_new(table, 28, 30))
		ck_abort_msg("the numbers are few");
	for (uint64_t end = clock_now(CLOCK_MONOTONIC) + 60 * NSEC_PER_SEC;
	     !has(30) && clock_now(CLOCK_MONOTONIC) < end && !_i;)
		ck_assert_int_eq(process_table_find_delayed_orphans(table), 0);
	for (uint64_t end = clock_now(CLOCK_MONOTONIC) + NSEC_PER_SEC;
	     clock_now(CLOCK_MONOTONIC) < end && _i;)
		ck_assert_int_eq(process_table_find_delayed_orphans(table), 0);
	ck_assert_int_eq(has(30), !_i);
}
END_TEST

START_TEST(in_the_group_of_a_member)
{
	belong(10, 5, 5);
	watch();
	add(20, 10, 5, 20);
	refresh();
	add(30, 1, 5, 20);
	add(31, 1, 5, 5); /* in the root's, which others are in as well */
	refresh();
	ck_assert(has(30));
	ck_assert(!has(31));
}
END_TEST

START_TEST(in_the_group_that_the_root_leads)
{
	belong(10, 5, 10);
	watch();
	add(30, 1, 5, 10);
	refresh();
	ck_assert(has(30));
}
END_TEST

/* As in `root | other`. */
START_TEST(a_group_that_has_joined_processes)
{
	belong(10, 5, 10);
	add(12, 5, 5, 10);
	watch();
	add(30, 1, 5, 10);
	refresh();
	ck_assert(!has(30));
}
END_TEST

START_TEST(preexisting_orphans_do_not_count)
{
	belong(10, 10, 10);
	add(8, 1, 10, 10);
	watch();
	refresh();
	ck_assert(!has(8));
	/* Its number, given to another one. */
	fake_proc_remove(&fake, 8);
	refresh();
	add(8, 1, 10, 10);
	refresh();
	ck_assert(has(8));
}
END_TEST

/* Only a descendant of the root leads something when the tree is created: a session, or a group in
 * the session of others. */
START_TEST(preexisting_orphans_of_a_descendants_group_do_not_count)
{
	pid_t session = _i ? 5 : 20;

	belong(10, 5, 5);
	add(20, 10, session, 20);
	add(8, 1, session, 20);
	watch();
	refresh();
	ck_assert(has(20) && !has(8));
	add(30, 1, session, 20);
	refresh();
	ck_assert(has(30) && !has(8));
}
END_TEST

/* A child that was listed and is gone may have left an orphan, which is not from before. The search
 * does not wait for the end of the pause. */
START_TEST(a_listed_child_has_exited)
{
	belong(10, 10, 10);
	if (_i) {
		watch();
		add(30, 1, 10, 10);
	}
	fake_proc_file(&fake, "29 ", "10/task/10/children");
	if (!_i) {
		ck_assert_int_eq(process_tree_new(&tree, table, 10, 100, false, SIZE_MAX), 0);
		fake_proc_file(&fake, "", "10/task/10/children");
		add(30, 1, 10, 10);
	}
	ck_assert_int_eq(process_table_refresh(table), 0);
	ck_assert(has(30));
}
END_TEST

/* For the tree that was there an orphan is not from before. */
START_TEST(a_second_tree_begins)
{
	struct process_tree *other;

	belong(10, 10, 10);
	belong(5, 5, 5);
	watch();
	add(30, 1, 10, 10);
	add(31, 1, 5, 5);
	ck_assert_int_eq(process_tree_new(&other, table, 5, 50, false, SIZE_MAX), 0);
	ck_assert(has(30));
	ck_assert(!process_tree_contains(other, process_table_find(table, 30)));
	ck_assert_ptr_null(process_table_find(table, 31));
	refresh();
	ck_assert(!has(31));
	add(32, 1, 5, 5);
	refresh();
	ck_assert(process_tree_contains(other, process_table_find(table, 32)));
	ck_assert(!has(32));
}
END_TEST

START_TEST(helpers_are_ignored)
{
	belong(10, 10, 10);
	watch();
	ignored_pid = 30;
	add(30, 1, 10, 10);
	refresh();
	ck_assert(!has(30));
}
END_TEST

START_TEST(the_search_can_be_disabled)
{
	belong(10, 10, 10);
	ck_assert_int_eq(process_table_find_orphans(table, false), 0);
	watch();
	add(30, 1, 10, 10);
	refresh();
	ck_assert(!has(30));
	/* What is there when it begins is from before. */
	ck_assert_int_eq(process_table_find_orphans(table, true), 0);
	refresh();
	add(31, 1, 10, 10);
	refresh();
	ck_assert(!has(30));
	ck_assert(has(31));
}
END_TEST

/* Of the time after the tree was made, which the start times of the others are not. */
#define LATER UINT64_C(1000000000000)

static void add_later(pid_t pid, pid_t ppid, pid_t session, pid_t group)
{
	add(pid, ppid, session, group);
	fake_proc_find(&fake, pid)->start_time = LATER;
	fake_proc_write(&fake, fake_proc_find(&fake, pid));
}

/* Forks are reported, and some reports were lost: the next refresh looks, once. */
START_TEST(some_forks_were_missed)
{
	ck_assert_int_eq(process_table_find_orphans(table, false), 0);
	belong(10, 10, 10);
	add(20, 1, 10, 10); /* an orphan from before */
	watch();
	process_table_missed_forks(table);
	add_later(30, 1, 10, 10);
	add_later(31, 5, 10, 31);  /* 5 is the root's parent, and may take orphans */
	add_later(32, 30, 32, 32); /* a child of an orphan */
	add_later(33, 1, 33, 33);  /* nothing shows whose it is */
	ck_assert_int_eq(process_table_refresh(table), 0);
	ck_assert(has(30) && has(31) && has(32));
	ck_assert(!has(20) && !has(33));
	add_later(34, 1, 10, 10);
	ck_assert_int_eq(process_table_refresh(table), 0);
	ck_assert(!has(34));
	process_table_missed_forks(table);
	ck_assert_int_eq(process_table_refresh(table), 0);
	ck_assert(has(34) && !has(20));
	/* A number that another process may have got proves nothing. */
	for (pid_t pid = 30; pid <= 34; pid++)
		if (pid != 32)
			fake_proc_remove(&fake, pid);
	fake_proc_remove(&fake, 10);
	process_table_missed_forks(table);
	ck_assert_int_eq(process_table_refresh(table), 0);
	add_later(35, 1, 10, 10);
	process_table_missed_forks(table);
	ck_assert_int_eq(process_table_refresh(table), 0);
	ck_assert(has(32) && !has(35));
}
END_TEST

#define CROWD 40

/* As many as there are: one by one in a refresh, and none of them at once. */
START_TEST(a_search_is_divided)
{
	unsigned int slices = 0;
	int result;

	belong(10, 10, 10);
	watch();
	for (pid_t pid = 30; pid < 30 + CROWD; pid++)
		add(pid, 1, 10, 10);
	process_table_refresh_begin(table);
	do {
		result = process_table_refresh_continue(table, 0);
		slices++;
		/* The other search leaves this one alone. */
		ck_assert_int_eq(process_table_find_delayed_orphans(table), 0);
	} while (result == 1);
	ck_assert_int_eq(result, 0);
	ck_assert_uint_ge(slices, 2 * CROWD);
	for (pid_t pid = 30; pid < 30 + CROWD; pid++)
		ck_assert(has(pid));
}
END_TEST

START_TEST(more_sessions_than_are_kept)
{
	belong(10, 5, 5);
	watch();
	for (pid_t pid = 20; pid < 60; pid++) {
		add(pid, 10, pid, pid);
		refresh();
		fake_proc_remove(&fake, pid);
	}
	for (pid_t pid = 60; pid < 110; pid++) {
		add(pid, 10, pid, pid);
		refresh();
		if (pid < 100)
			fake_proc_remove(&fake, pid);
	}
	add(200, 1, 109, 109);
	refresh();
	ck_assert(has(200));
}
END_TEST

/* --- on the running kernel */

static void setup_real(void)
{
	ignored_pid = 0;
	ck_assert_int_eq(procfs_open(&real, "/proc"), 0);
	ck_assert_int_eq(process_table_new(&table, &real, &hooks, NULL), 0);
	ck_assert_int_eq(process_table_find_orphans(table, true), 0);
}

static void teardown_real(void)
{
	process_table_free(table);
	procfs_close(&real);
}

/* Until the test ends, however it does. */
static void outlive(int life)
{
	char byte;

	while (read(life, &byte, 1) < 0)
		;
	_exit(0);
}

/* `( server & )`: writes who the server is. */
static void start_orphan(int out, int life)
{
	pid_t middle = fork();

	if (middle == 0) {
		pid_t server = fork();

		if (server == 0) {
			server = getpid();
			if (write(out, &server, sizeof(server)) == sizeof(server))
				outlive(life);
		}
		_exit(0);
	}
	waitpid(middle, NULL, 0);
}

START_TEST(real_orphan)
{
	int ends[2], go[2], life[2];
	pid_t root, orphan = 0;
	char byte = 0;

	if (!procfs_is_ours(&real))
		test_skip("/proc shows another PID namespace");
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(pipe(go), 0);
	ck_assert_int_eq(pipe(life), 0);
	root = fork();
	if (root == 0) {
		close(life[1]);
		close(go[1]);
		setsid();
		if (write(ends[1], &byte, 1) == 1 && read(go[0], &byte, 1) == 1)
			start_orphan(ends[1], life[0]);
		/* The orphan is the last that is left, in half of the cases. */
		if (!_i)
			outlive(life[0]);
		_exit(0);
	}
	ck_assert_int_eq(read(ends[0], &byte, 1), 1);
	ck_assert_int_eq(
		process_tree_new(&tree, table, root, process_start_time(root), false, SIZE_MAX), 0);
	ck_assert_int_eq(process_table_refresh(table), 0);
	ck_assert_int_eq(write(go[1], &byte, 1), 1);
	ck_assert_int_eq(read(ends[0], &orphan, sizeof(orphan)), sizeof(orphan));
	if (_i)
		ck_assert_int_eq(waitpid(root, NULL, 0), root);
	for (uint64_t end = clock_now(CLOCK_MONOTONIC) + 60 * NSEC_PER_SEC;
	     (!has(orphan) || process_tree_count(tree) > (_i ? 1 : 2)) &&
	     clock_now(CLOCK_MONOTONIC) < end;)
		ck_assert_int_eq(process_table_refresh(table), 0);
	ck_assert(has(orphan));
	ck_assert_int_ne(process_table_find(table, orphan)->ppid, root);
	ck_assert_uint_eq(process_tree_count(tree), _i ? 1 : 2);
	kill(orphan, SIGKILL);
	close(life[1]);
	if (!_i)
		ck_assert_int_eq(waitpid(root, NULL, 0), root);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("process_orphans");
	TCase *made = tcase_create("fake"), *running = tcase_create("real");

	tcase_add_checked_fixture(made, setup, teardown);
	tcase_add_test(made, in_the_session_of_the_root);
	tcase_add_test(made, in_the_session_of_a_former_member);
	tcase_add_test(made, the_last_one_leaves_an_orphan);
	tcase_add_test(made, a_session_without_a_member_proves_nothing);
	tcase_add_loop_test(made, a_session_whose_member_has_exited, 0, 2);
	tcase_add_test(made, in_the_group_of_a_member);
	tcase_add_test(made, in_the_group_that_the_root_leads);
	tcase_add_test(made, a_group_that_has_joined_processes);
	tcase_add_test(made, preexisting_orphans_do_not_count);
	tcase_add_loop_test(made, preexisting_orphans_of_a_descendants_group_do_not_count, 0, 2);
	tcase_add_loop_test(made, a_listed_child_has_exited, 0, 2);
	tcase_add_test(made, a_second_tree_begins);
	tcase_add_test(made, helpers_are_ignored);
	tcase_add_test(made, the_search_can_be_disabled);
	tcase_add_test(made, some_forks_were_missed);
	tcase_add_test(made, a_search_is_divided);
	tcase_add_test(made, more_sessions_than_are_kept);
	suite_add_tcase(suite, made);
	tcase_add_checked_fixture(running, setup_real, teardown_real);
	tcase_add_loop_test(running, real_orphan, 0, 2);
	suite_add_tcase(suite, running);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
