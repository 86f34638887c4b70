/* SPDX-License-Identifier: MIT */
/* test_ways.c - each notifier mechanism is refused once, and the next one takes over */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/deny.h"
#include "support/skip.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE

#define NOTICES 3
#define DENY_ALL (DENY_BPF | DENY_PERF | DENY_CONNECTOR | DENY_CLOSES)
#define BY(listen, close, process)                                                                 \
	{                                                                                          \
		PORTWATCH_NOTIFIER_##listen, PORTWATCH_NOTIFIER_##close,                           \
			PORTWATCH_NOTIFIER_##process                                               \
	}

/* What is refused, which mechanism then reports, and the reported reason. */
static const struct refusal {
	unsigned int denied;
	enum portwatch_notifier by[NOTICES]; /* by enum portwatch_notice */
	const char *why[NOTICES];            /* NULL: no better mechanism is refused */
} refusals[] = {
	{0, BY(BPF, BPF, PERF), {NULL, NULL, NULL}},
	{DENY_BPF, BY(TRACEPOINT, TRACEPOINT, PERF), {"bpf: ", NULL, NULL}},
	{DENY_BPF | DENY_TRACEFS, BY(NONE, DESTROY, CONNECTOR), {"tracepoint: ", "", NULL}},
	{DENY_BPF | DENY_PERF, BY(NONE, DESTROY, CONNECTOR), {"bpf: ", "", NULL}},
	{DENY_BPF | DENY_TRACEFS | DENY_CONNECTOR,
         BY(NONE, DESTROY, PERF),
         {"tracepoint: ", "", "connector: "}},
	{DENY_BPF | DENY_PERF | DENY_CONNECTOR,
         BY(NONE, DESTROY, NONE),
         {"bpf: ", "", "connector: "}},
	{DENY_BPF | DENY_PERF | DENY_CLOSES, BY(NONE, NONE, CONNECTOR), {"bpf: ", "destroy", NULL}},
	{DENY_ALL, BY(NONE, NONE, NONE), {"bpf: ", "destroy", "perf: "}},
};
#define REFUSALS ((int)(sizeof(refusals) / sizeof(refusals[0])))

/* Expects the mechanism if it is used here without any refusal: then it must also be used when the
 * better ones are refused. */
static void expect_way(struct collect *collect, const struct refusal *refusal, int notice)
{
	char reason[1024] = "";
	int by = portwatch_get_notifier(collect->watcher, (enum portwatch_notice)notice, reason,
	                                sizeof(reason));

	if (by != (int)refusal->by[notice] && by == PORTWATCH_NOTIFIER_NONE)
		test_skip("no %s here: %s", portwatch_notifier_name(refusal->by[notice]), reason);
	/* Without privilege the next mechanism is already in use. */
	if (by != (int)refusal->by[notice] && by > (int)refusal->by[notice])
		test_skip("no %s here: %s", portwatch_notifier_name(refusal->by[notice]), reason);
	ck_assert_msg(by == (int)refusal->by[notice], "notice %d is by %s: %s", notice,
	              portwatch_notifier_name((enum portwatch_notifier)by), reason);
	if (refusal->why[notice])
		ck_assert_msg(strstr(reason, refusal->why[notice]), "notice %d: %s", notice,
		              reason);
}

START_TEST(the_next_takes_over)
{
	const struct refusal *refusal = &refusals[_i];
	struct fixture root, child, daemon;
	struct fixture_socket first, second;
	struct collect collect;

	/* The fixture starts before the refusal, because its system calls must succeed without
	 * no_new_privs. */
	root = fixture_start(0);
	deny(refusal->denied);
	collect_watch(&collect, root.pid);
	for (int notice = 0; notice < NOTICES; notice++)
		expect_way(&collect, refusal, notice);
	first = fixture_listen(&root, "127.0.0.1", 0);
	collect_wait(&collect, OPEN, NULL, first.port);
	child = fixture_fork(&root);
	second = fixture_listen(&child, "127.0.0.1", 0);
	ck_assert_int_eq(collect_wait(&collect, OPEN, NULL, second.port).pid, child.pid);
	daemon = fixture_fork(&child);
	fixture_close(&root, first);
	fixture_close(&child, first);
	collect_sync(&collect, &daemon, 3);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, first.port), 0);
	fixture_end(&child);
	fixture_close(&daemon, first);
	collect_wait(&collect, CLOSE, NULL, first.port);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, second.port), 0);
	fixture_end(&daemon);
	collect_wait(&collect, CLOSE, NULL, second.port);
	fixture_end(&root);
	collect_wait(&collect, PORTWATCH_EVENT_END, NULL, 0);
	collect_free(&collect);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("ways");
	TCase *all = tcase_create("ways");

	tcase_add_loop_test(all, the_next_takes_over, 0, REFUSALS);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
