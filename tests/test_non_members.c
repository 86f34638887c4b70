/* SPDX-License-Identifier: MIT */
/* test_non_members.c - events of non-members appear neither in the log nor in the statistics */
#include <stdio.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/skip.h"

#define A_DAY 86400000 /* ms */
#define CHURN 100

static uint64_t records(const struct collect *collect)
{
	return portwatch_get_stat(collect->watcher, PORTWATCH_STAT_NOTIFIER_RECORDS);
}

static void watch(struct collect *collect, pid_t pid)
{
	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_interval(collect->watcher, A_DAY), 0);
	collect_start(collect);
	if (portwatch_get_notifier(collect->watcher, PORTWATCH_NOTICE_LISTEN, NULL, 0) <= 0)
		test_skip("no notifier here");
}

/* The member's port opens after the activity of the non-member, and its event proves that the
 * library has received all earlier events. */
START_TEST(events_of_non_members_do_not_show)
{
	struct fixture member = fixture_start(0), outsider = fixture_start(_i ? SANDBOX_NETNS : 0);
	struct fixture_socket socket;
	struct collect collect;
	struct fixture child;
	char pid[32];
	uint64_t before;

	watch(&collect, member.pid);
	collect_forget(&collect);
	before = records(&collect);
	fixture_listen(&outsider, "127.0.0.1", 0);
	fixture_churn(&outsider, "127.0.0.1", CHURN);
	child = fixture_fork(&outsider);
	fixture_end(&child);
	ck_assert_uint_eq(records(&collect), before);
	socket = fixture_listen(&member, "127.0.0.1", 0);
	collect_wait(&collect, PORTWATCH_EVENT_OPEN, "127.0.0.1", socket.port);
	ck_assert_uint_le(records(&collect), before + 1);
	ck_assert_uint_eq(collect_total(&collect), 1);
	snprintf(pid, sizeof(pid), "%d", (int)outsider.pid);
	ck_assert_uint_eq(collect_count_messages(&collect, pid), 0);
	collect_free(&collect);
	fixture_end(&outsider);
	fixture_end(&member);
}
END_TEST

/* In the scope of a whole namespace, the same process's ports are reported. */
START_TEST(the_processes_of_a_watched_namespace_are_in_scope)
{
	struct fixture target = fixture_start(0), other = fixture_start(0);
	struct fixture_socket socket;
	struct collect collect;
	uint64_t before;

	collect_new(&collect, target.pid);
	ck_assert_int_eq(portwatch_set_interval(collect.watcher, A_DAY), 0);
	ck_assert_int_eq(portwatch_set_scope(collect.watcher, PORTWATCH_SCOPE_NETNS), 0);
	collect_start(&collect);
	if (portwatch_get_notifier(collect.watcher, PORTWATCH_NOTICE_LISTEN, NULL, 0) <= 0)
		test_skip("no notifier here");
	before = records(&collect);
	socket = fixture_listen(&other, "127.0.0.1", 0);
	collect_wait(&collect, PORTWATCH_EVENT_OPEN, "127.0.0.1", socket.port);
	ck_assert_uint_gt(records(&collect), before);
	collect_free(&collect);
	fixture_end(&other);
	fixture_end(&target);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("non-members");
	TCase *all = tcase_create("all");

	tcase_add_loop_test(all, events_of_non_members_do_not_show, 0, 2);
	tcase_add_test(all, the_processes_of_a_watched_namespace_are_in_scope);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
