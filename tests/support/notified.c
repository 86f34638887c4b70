/* SPDX-License-Identifier: MIT */
/* notified.c - runs the suites of behaviours with one notifier mechanism */
#include "notified.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deny.h"
#include "portwatch.h"
#include "skip.h"

#define A_DAY 86400000U

static const struct chosen {
	const char *name;
	unsigned int denied;
	enum portwatch_notifier listen, processes, closes;
} ways[] = {
	{"bpf", 0, PORTWATCH_NOTIFIER_BPF, PORTWATCH_NOTIFIER_PERF, PORTWATCH_NOTIFIER_BPF},
	{"tracepoint", DENY_BPF, PORTWATCH_NOTIFIER_TRACEPOINT, PORTWATCH_NOTIFIER_PERF,
         PORTWATCH_NOTIFIER_TRACEPOINT},
	{"connector", DENY_BPF | DENY_PERF | DENY_CLOSES, PORTWATCH_NOTIFIER_NONE,
         PORTWATCH_NOTIFIER_CONNECTOR, PORTWATCH_NOTIFIER_NONE},
	{"perf", DENY_BPF | DENY_TRACEFS | DENY_CONNECTOR | DENY_CLOSES, PORTWATCH_NOTIFIER_NONE,
         PORTWATCH_NOTIFIER_PERF, PORTWATCH_NOTIFIER_NONE},
	{"destroy", DENY_BPF | DENY_PERF | DENY_CONNECTOR, PORTWATCH_NOTIFIER_NONE,
         PORTWATCH_NOTIFIER_NONE, PORTWATCH_NOTIFIER_DESTROY},
	{"polling", DENY_BPF | DENY_PERF | DENY_CONNECTOR | DENY_CLOSES, PORTWATCH_NOTIFIER_NONE,
         PORTWATCH_NOTIFIER_NONE, PORTWATCH_NOTIFIER_NONE},
};
#define WAYS (sizeof(ways) / sizeof(*ways))

static const struct chosen *chosen(void)
{
	const char *name = getenv("PORTWATCH_TEST_NOTIFIED");

	for (size_t i = 0; name && i < WAYS; i++)
		if (strcmp(ways[i].name, name) == 0)
			return &ways[i];
	return NULL;
}

bool notified_begin(void)
{
	const struct chosen *way = chosen();
	int result = way && way->denied ? deny_quietly(way->denied) : 0;

	if (getenv("PORTWATCH_TEST_NOTIFIED") && !way) {
		fprintf(stderr, "PORTWATCH_TEST_NOTIFIED is none of the ways\n");
		return false;
	}
	if (result < 0)
		printf("SKIP: cannot deny the better mechanisms: %s\n", strerror(-result));
	return result == 0;
}

bool notified_is_chosen(void)
{
	return chosen() != NULL;
}

unsigned int notified_interval(unsigned int usual)
{
	const struct chosen *way = chosen();

	return way && way->listen != PORTWATCH_NOTIFIER_NONE ? A_DAY : usual;
}

static void check(struct portwatch *watcher, enum portwatch_notice notice,
                  enum portwatch_notifier expected)
{
	char reason[1024];
	int used = portwatch_get_notifier(watcher, notice, reason, sizeof(reason));

	if (used == PORTWATCH_NOTIFIER_NONE && used != (int)expected)
		test_skip("not notified %s here: %s", getenv("PORTWATCH_TEST_NOTIFIED"), reason);
	ck_assert_msg(used == (int)expected, "notice %d is by way %d, not by way %d", (int)notice,
	              used, (int)expected);
}

void notified_check(struct portwatch *watcher)
{
	const struct chosen *way = chosen();

	if (!way)
		return;
	check(watcher, PORTWATCH_NOTICE_LISTEN, way->listen);
	check(watcher, PORTWATCH_NOTICE_PROCESS, way->processes);
	check(watcher, PORTWATCH_NOTICE_CLOSE, way->closes);
}
