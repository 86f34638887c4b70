/* SPDX-License-Identifier: MIT */
/* test_scope.c - which processes count, which namespaces are read, when the watch ends */
#include <errno.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/puppet.h"
#include "support/skip.h"
#include "proc/process_scan.h"
#include "watch/scope.h"

static struct procfs procfs;
static struct process_table *table;

static bool ignored(void *data, pid_t pid)
{
	(void)data;
	(void)pid;
	return false;
}

static void changed(void *data, struct process_tree *tree, struct process *process)
{
	(void)data;
	(void)tree;
	(void)process;
}

static void setup(void)
{
	static const struct process_hooks hooks = {ignored, changed, changed, NULL};

	puppets_setup();
	ck_assert_int_eq(procfs_open(&procfs, "/proc"), 0);
	ck_assert_int_eq(process_table_new(&table, &procfs, &hooks, NULL), 0);
}

static void teardown(void)
{
	process_table_free(table);
	procfs_close(&procfs);
	puppets_teardown();
}

static struct scope_target target_of(enum portwatch_scope kind, pid_t pid)
{
	struct scope_target target = {.kind = kind, .pid = pid, .limit = SIZE_MAX};
	int directory = procfs_open_process(&procfs, pid);
	struct process_stat stat;

	ck_assert_int_ge(directory, 0);
	ck_assert_int_eq(procfs_read_stat(directory, &stat), 0);
	close(directory);
	target.start_time = stat.start_time;
	return target;
}

static struct scope *make(enum portwatch_scope kind, pid_t pid)
{
	struct scope_target target = target_of(kind, pid);
	struct scope *scope = NULL;

	ck_assert_int_eq(scope_new(&scope, table, &target), 0);
	return scope;
}

static bool reads(struct scope *scope, pid_t pid)
{
	struct process *process = process_table_find(table, pid);

	ck_assert_ptr_nonnull(process);
	ck_assert_int_ge(process_locate(table, process), 0);
	return scope_reads(scope, process);
}

static void move(int puppet)
{
	int result = puppet_unshare_net(puppet);

	if (result < 0)
		test_skip("no new network namespace (%s)", strerrordesc_np(-result));
}

START_TEST(members_are_the_descendants)
{
	pid_t root = puppet_start(0), child = puppet_fork(0, 1), other = puppet_start(2);
	struct scope *scope = make((enum portwatch_scope)_i, root);
	struct process *process = scope_next(scope, NULL);

	ck_assert_int_eq(process->pid, root);
	ck_assert(scope_contains(scope, process));
	process = scope_next(scope, process);
	ck_assert_int_eq(process->pid, child);
	ck_assert_ptr_null(scope_next(scope, process));
	ck_assert_uint_eq(scope_count(scope), 2);
	ck_assert_ptr_null(process_table_find(table, other));
	scope_free(scope);
}
END_TEST

START_TEST(a_scope_ends_with_its_last_member)
{
	pid_t root = puppet_start(0);
	struct scope *scope;

	puppet_fork(0, 1);
	scope = make((enum portwatch_scope)_i, root);
	puppet_exit(0);
	ck_assert_int_eq(process_table_refresh(table), 0);
	ck_assert(!scope_has_ended(scope));
	puppet_exit(1);
	ck_assert_int_eq(process_table_refresh(table), 0);
	ck_assert(scope_has_ended(scope));
	scope_free(scope);
}
END_TEST

START_TEST(the_dead_have_none)
{
	struct scope_target target = target_of((enum portwatch_scope)_i, puppet_start(0));
	struct scope *scope;

	puppet_exit(0);
	ck_assert_int_eq(scope_new(&scope, table, &target), -ESRCH);
}
END_TEST

START_TEST(a_tree_reads_every_namespace_of_its_members)
{
	pid_t root = puppet_start(0), child = puppet_fork(0, 1);
	struct scope *scope = make(PORTWATCH_SCOPE_TREE, root);

	move(1);
	ck_assert(reads(scope, root));
	ck_assert(reads(scope, child));
	ck_assert(!scope_counts_everybody(scope));
	ck_assert(!scope_leaves_ports_open(scope));
	scope_free(scope);
}
END_TEST

START_TEST(a_namespace_follows_its_target_alone)
{
	pid_t root = puppet_start(0), child = puppet_fork(0, 1), grandchild = puppet_fork(1, 2);
	struct scope *scope = make(PORTWATCH_SCOPE_NETNS, root);

	move(1);
	ck_assert(reads(scope, root));
	ck_assert(!reads(scope, child));
	ck_assert(reads(scope, grandchild));
	move(0);
	ck_assert(reads(scope, root));
	ck_assert(!reads(scope, grandchild));
	ck_assert(scope_counts_everybody(scope));
	ck_assert(scope_leaves_ports_open(scope));
	scope_free(scope);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("scope");
	TCase *tcase = tcase_create("scope");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, members_are_the_descendants, 0, 2);
	tcase_add_loop_test(tcase, a_scope_ends_with_its_last_member, 0, 2);
	tcase_add_loop_test(tcase, the_dead_have_none, 0, 2);
	tcase_add_test(tcase, a_tree_reads_every_namespace_of_its_members);
	tcase_add_test(tcase, a_namespace_follows_its_target_alone);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
