/* SPDX-License-Identifier: MIT */
/* test_cost.c - what the start and polling must not do: calls are counted, not timed */
#include <poll.h>
#include <string.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/process_list.h"
#include "support/wrap.h"

/* Waits for this number of further complete reads, which no event announces. */
static void wait_reads(struct collect *collect, uint64_t reads)
{
	uint64_t until = portwatch_get_stat(collect->watcher, PORTWATCH_STAT_READS) + reads;
	int left = COLLECT_PATIENCE * 1000;

	while (portwatch_get_stat(collect->watcher, PORTWATCH_STAT_READS) < until && left-- > 0)
		poll(NULL, 0, 1);
	ck_assert_int_gt(left, 0);
}

static void watch(struct collect *collect, pid_t pid, int notifier, unsigned int interval)
{
	wrap_reset();
	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_reader(collect->watcher, PORTWATCH_READER_SETNS), 0);
	ck_assert_int_eq(portwatch_set_notifier(collect->watcher, notifier), 0);
	ck_assert_int_eq(portwatch_set_interval(collect->watcher, interval), 0);
	collect_start(collect);
}

static void watch_fast(struct collect *collect, pid_t pid, int notifier)
{
	watch(collect, pid, notifier, 1);
}

/* How many helpers were replaced. The library gives up a helper that gets no CPU for two seconds,
 * as happens on a machine with hundreds of runnable processes. */
static unsigned long replaced(const struct collect *collect, unsigned long reads)
{
	unsigned long count =
		(unsigned long)portwatch_get_stat(collect->watcher, PORTWATCH_STAT_RESTARTS);

	ck_assert_uint_lt(count, reads / 50);
	return count;
}

START_TEST(a_helper_is_forked_once)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct collect collect;

	watch_fast(&collect, server.pid, _i);
	wait_reads(&collect, 200);
	collect_sync(&collect, &server, 5);
	ck_assert_uint_eq(wrap_count("clone", WRAP_ANYWHERE), 1 + replaced(&collect, 200));
	ck_assert_uint_eq(wrap_count("fork", WRAP_ANYWHERE), 0);
	ck_assert_uint_eq(wrap_count("execve", WRAP_ANYWHERE), 0);
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_HELPERS),
	                  1 + replaced(&collect, 200));
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* One scan of everything every few seconds is the exception, because a socket can be passed on
 * without any event. */
START_TEST(an_idle_poll_cycle_scans_no_descriptors)
{
	struct fixture server = fixture_start(SANDBOX_NETNS), child = fixture_fork(&server);
	struct collect collect;

	fixture_listen(&server, "127.0.0.1", 8000);
	fixture_listen(&child, "127.0.0.1", 8001);
	watch_fast(&collect, server.pid, _i);
	wait_reads(&collect, 20);
	wrap_note_name("fd");
	wait_reads(&collect, 500);
	/* Two processes, once. */
	ck_assert_uint_le(wrap_noted(), 2);
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&server);
}
END_TEST

/* The tree is read if any process was forked anywhere, and other tests may fork meanwhile.
 * Processes outside of the tree are never opened. */
START_TEST(processes_outside_the_tree_are_not_opened)
{
	struct fixture parent = fixture_start(SANDBOX_NETNS), root = fixture_fork(&parent);
	struct fixture outsiders[10];
	struct collect collect;
	unsigned long before;
	uint64_t reads;

	for (int i = 0; i < 10; i++)
		outsiders[i] = fixture_fork(&parent);
	watch_fast(&collect, root.pid, _i);
	wait_reads(&collect, 20);
	before = wrap_count("openat", WRAP_HOST);
	reads = portwatch_get_stat(collect.watcher, PORTWATCH_STAT_TREE_READS);
	wait_reads(&collect, 500);
	reads = portwatch_get_stat(collect.watcher, PORTWATCH_STAT_TREE_READS) - reads;
	/* One process in each scan: its directory, threads, children, state and descriptors. */
	ck_assert_uint_le(wrap_count("openat", WRAP_HOST) - before, 500 + 10 * (reads + 2));
	collect_free(&collect);
	for (int i = 0; i < 10; i++)
		fixture_end(&outsiders[i]);
	fixture_end(&root);
	fixture_end(&parent);
}
END_TEST

/* The helper answers only if the table has changed, so nobody is woken. If the machine is so busy
 * that the helper has not read the table before the next poll, the request is repeated, and then
 * answered. */
START_TEST(an_idle_poll_is_not_answered)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct collect collect;
	unsigned long answers;

	fixture_listen(&server, "127.0.0.1", 8000);
	watch(&collect, server.pid, _i, 20);
	wait_reads(&collect, 5);
	answers = wrap_count("writev", WRAP_CHILDREN);
	wait_reads(&collect, 100);
	ck_assert_uint_lt(wrap_count("writev", WRAP_CHILDREN) - answers, 100);
	collect_sync(&collect, &server, 3);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

START_TEST(nothing_grows)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct collect collect;
	size_t descriptors;
	unsigned long allocations, few;
	time_t begun;

	watch_fast(&collect, server.pid, _i);
	fixture_listen(&server, "127.0.0.1", 8000);
	collect_wait(&collect, PORTWATCH_EVENT_OPEN, NULL, 8000);
	wait_reads(&collect, 20);
	descriptors = process_descriptors();
	allocations = wrap_count("malloc", WRAP_HOST) + wrap_count("calloc", WRAP_HOST) +
	              wrap_count("realloc", WRAP_HOST);
	begun = time(NULL);
	wait_reads(&collect, 500);
	/* The verification of all owners, every five seconds, allocates a little and frees it, and
	 * so does the start of a helper. */
	few = 10 + 10 * (unsigned long)((time(NULL) - begun) / 5) + 30 * replaced(&collect, 500);
	ck_assert_uint_lt(few, 500);
	ck_assert_uint_le(wrap_count("malloc", WRAP_HOST) + wrap_count("calloc", WRAP_HOST) +
	                          wrap_count("realloc", WRAP_HOST),
	                  allocations + few);
	ck_assert_uint_eq(process_descriptors(), descriptors);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* Where no process of a tree leads a session or group, nothing can prove that an orphan belongs to
 * it. */
START_TEST(the_start_lists_no_children_of_ancestors)
{
	struct fixture parent = fixture_start(SANDBOX_NETNS), root = fixture_fork(&parent);
	struct collect collect;

	wrap_reset();
	wrap_note_name("children");
	collect_new(&collect, root.pid);
	ck_assert_int_eq(portwatch_set_notifier(collect.watcher, false), 0);
	collect_start(&collect);
	wait_reads(&collect, 3);
	/* Those of the root, in the first scan and in each read of the trees. */
	ck_assert_uint_le(wrap_noted(),
	                  1 + portwatch_get_stat(collect.watcher, PORTWATCH_STAT_TREE_READS));
	collect_free(&collect);
	fixture_end(&root);
	fixture_end(&parent);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("cost");
	TCase *idle = tcase_create("idle"), *start = tcase_create("start");

	tcase_add_loop_test(idle, a_helper_is_forked_once, 0, 2);
	tcase_add_loop_test(idle, an_idle_poll_cycle_scans_no_descriptors, 0, 2);
	tcase_add_loop_test(idle, processes_outside_the_tree_are_not_opened, 0, 2);
	tcase_add_loop_test(idle, an_idle_poll_is_not_answered, 0, 2);
	tcase_add_loop_test(idle, nothing_grows, 0, 2);
	tcase_add_test(start, the_start_lists_no_children_of_ancestors);
	suite_add_tcase(suite, idle);
	suite_add_tcase(suite, start);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
