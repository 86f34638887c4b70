/* SPDX-License-Identifier: MIT */
/* test_fd_tables.c - descriptor tables that several processes share */
#include <check.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc/fd_tables.h"
#include "support/check_main.h"
#include "support/skip.h"

static struct fd_tables tables;
static pid_t children[8];
static size_t child_count;

static void setup(void)
{
	if (syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILES, 0L, 0L) != 0)
		test_skip("no kcmp(2) here");
}

static void teardown(void)
{
	for (size_t i = 0; i < child_count; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
	}
	child_count = 0;
	fd_tables_clear(&tables);
}

/* Starts a child that shares the descriptor table of this process (CLONE_FILES) or has a copy. */
static pid_t start(unsigned long flags)
{
	pid_t pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0L, 0L, 0L, 0L);

	if (pid == 0)
		for (;;)
			pause();
	ck_assert_int_gt(pid, 0);
	children[child_count++] = pid;
	return pid;
}

static void read_table(pid_t pid, uint64_t inode, size_t descriptors)
{
	fd_tables_begin(&tables, pid);
	fd_tables_add(&tables, 5, inode);
	fd_tables_end(&tables, true, descriptors, false);
}

/* Returns the inode of the one known socket in the table of a process; 0: the table is unknown. */
static uint64_t find(pid_t pid)
{
	const struct fd_table *table = fd_tables_find(&tables, pid, false);

	return table ? table->sockets[0].inode : 0;
}

START_TEST(a_shared_table_is_known)
{
	pid_t shares = start(CLONE_FILES), copies = start(0);

	ck_assert_uint_eq(find(shares), 0);
	read_table(getpid(), 77, FD_TABLES_LARGE);
	ck_assert_uint_eq(find(shares), 77);
	ck_assert_uint_eq(find(copies), 0);
}
END_TEST

START_TEST(each_of_many_is_found)
{
	for (int i = 0; i < 6; i++)
		read_table(start(0), 100 + (uint64_t)i, FD_TABLES_LARGE);
	ck_assert_uint_eq(tables.count, 6);
	for (int i = 0; i < 6; i++)
		ck_assert_uint_eq(find(children[i]), 100 + (uint64_t)i);
	ck_assert_uint_eq(find(getpid()), 0);
}
END_TEST

/* A small table, a table that was not read to its end, and a table with a socket that has no
 * descriptor. */
START_TEST(not_every_table_is_kept)
{
	read_table(getpid(), 1, FD_TABLES_LARGE - 1);
	fd_tables_begin(&tables, getpid());
	fd_tables_end(&tables, false, FD_TABLES_LARGE, false);
	fd_tables_begin(&tables, getpid());
	fd_tables_add(&tables, -1, 1);
	fd_tables_end(&tables, true, FD_TABLES_LARGE, false);
	ck_assert_uint_eq(tables.count, 0);
}
END_TEST

/* The memory for all tables is limited. */
START_TEST(a_table_of_too_many_sockets_is_not_kept)
{
	for (int more = 0; more < 2; more++) {
		fd_tables_begin(&tables, getpid());
		for (int i = 0; i < FD_TABLES_SOCKETS + 1 - more; i++)
			fd_tables_add(&tables, i, 1000 + (uint64_t)i);
		fd_tables_end(&tables, true, FD_TABLES_LARGE + FD_TABLES_SOCKETS, false);
		ck_assert_uint_eq(find(getpid()), more ? 1000 : 0);
	}
}
END_TEST

START_TEST(the_table_of_an_exited_process_is_dropped)
{
	pid_t gone = start(CLONE_FILES), shares = start(CLONE_FILES);

	read_table(gone, 77, FD_TABLES_LARGE);
	ck_assert_uint_eq(find(shares), 77);
	kill(gone, SIGKILL);
	ck_assert_int_eq(waitpid(gone, NULL, 0), gone);
	ck_assert_uint_eq(find(shares), 0);
	ck_assert_uint_eq(tables.count, 0);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("fd_tables");
	TCase *all = tcase_create("tables");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, a_shared_table_is_known);
	tcase_add_test(all, each_of_many_is_found);
	tcase_add_test(all, not_every_table_is_kept);
	tcase_add_test(all, a_table_of_too_many_sockets_is_not_kept);
	tcase_add_test(all, the_table_of_an_exited_process_is_dropped);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
