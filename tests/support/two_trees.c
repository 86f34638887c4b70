/* SPDX-License-Identifier: MIT */
/* two_trees.c - two trees over a fake /proc */
#include "support/two_trees.h"

#include <check.h>

static void ignore(void *data, struct process_tree *tree, struct process *process)
{
	(void)data, (void)tree, (void)process;
}

static bool ignores_nobody(void *data, pid_t pid)
{
	(void)data, (void)pid;
	return false;
}

static void add_root(struct two_trees *two, int index, pid_t pid, uint64_t start_time)
{
	fake_proc_add(&two->fake, pid, 1, start_time);
	ck_assert_int_eq(process_tree_new(&two->trees[index], two->context.processes, pid,
	                                  start_time, false, 9),
	                 0);
}

void two_trees_start(struct two_trees *two)
{
	static const struct process_hooks hooks = {ignores_nobody, ignore, ignore, NULL};

	fake_proc_setup(&two->fake, true);
	fake_proc_add(&two->fake, 1, 0, 0);
	two->context = (struct context){.procfs = two->fake.procfs};
	ck_assert_int_eq(
		process_table_new(&two->context.processes, &two->context.procfs, &hooks, NULL), 0);
	netns_table_init(&two->namespaces, &two->context, NULL, NULL, NULL);
	subscription_table_init(&two->subscriptions, &two->context, &two->namespaces);
	elsewhere_init(&two->elsewhere, &two->subscriptions);
	add_root(two, 0, HOG, 100);
	add_root(two, 1, OTHER, 200);
}

void two_trees_end(struct two_trees *two)
{
	elsewhere_clear(&two->elsewhere);
	subscription_table_clear(&two->subscriptions);
	netns_table_clear(&two->namespaces);
	process_table_free(two->context.processes);
	fake_proc_teardown(&two->fake);
}
