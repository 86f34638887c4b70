/* SPDX-License-Identifier: MIT */
/* way.c - the ways to watch, which all must report the same events */
#include <string.h>

#include "check_main.h"
#include "util/caps.h"
#include "collect.h"
#include "notified.h"
#include "skip.h"

#define WAY(reader, table, delivery, notifier)                                                     \
	{                                                                                          \
		PORTWATCH_READER_##reader, PORTWATCH_TABLE_##table, PORTWATCH_DELIVERY_##delivery, \
			notifier                                                                   \
	}

static const struct way ways[] = {
	WAY(AUTO, AUTO, THREAD, 1),      WAY(AUTO, AUTO, THREAD, 0),
	WAY(AUTO, AUTO, DISPATCH, 1),    WAY(AUTO, AUTO, DISPATCH, 0),
	WAY(LOCAL, DIAG, THREAD, 0),     WAY(LOCAL, DIAG, DISPATCH, 1),
	WAY(LOCAL, PROCFS, THREAD, 0),   WAY(LOCAL, PROCFS, DISPATCH, 1),
	WAY(SETNS, DIAG, THREAD, 0),     WAY(SETNS, DIAG, DISPATCH, 1),
	WAY(SETNS, PROCFS, THREAD, 0),   WAY(SETNS, PROCFS, DISPATCH, 1),
	WAY(NSENTER, PROCFS, THREAD, 0), WAY(NSENTER, PROCFS, DISPATCH, 1),
	WAY(PROCFS, PROCFS, THREAD, 0),  WAY(PROCFS, PROCFS, DISPATCH, 1),
};

int way_count(void)
{
	return notified_is_chosen() ? 1 : (int)(sizeof(ways) / sizeof(ways[0]));
}

struct way way(int number)
{
	return ways[number];
}

struct fixture way_fixture(struct way way)
{
	bool ours = way.reader == PORTWATCH_READER_AUTO || way.reader == PORTWATCH_READER_LOCAL;

	return fixture_start(ours ? 0 : SANDBOX_NETNS);
}

void collect_watch_by(struct collect *collect, pid_t pid, struct way way)
{
	int result;

	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_reader(collect->watcher, way.reader), 0);
	ck_assert_int_eq(portwatch_set_table(collect->watcher, way.table), 0);
	ck_assert_int_eq(portwatch_set_delivery(collect->watcher, way.delivery), 0);
	ck_assert_int_eq(portwatch_set_notifier(collect->watcher, way.notifier), 0);
	result = portwatch_start(collect->watcher);
	if (result < 0 && way.reader == PORTWATCH_READER_NSENTER &&
	    collect_count_messages(collect, "not installed"))
		test_skip("nsenter is not installed");
	if (result < 0 && way.reader == PORTWATCH_READER_NSENTER && !caps_effective(CAP_SYS_ADMIN))
		test_skip("nsenter may not enter the namespace: %s", strerror(-result));
	ck_assert_msg(result == 0, "%s, %s: %s; last message: %s",
	              portwatch_reader_name(way.reader), portwatch_table_name(way.table),
	              strerror(-result),
	              collect->message_count ? collect->messages[collect->message_count - 1] : "");
	notified_check(collect->watcher);
	collect->dispatches = way.delivery == PORTWATCH_DELIVERY_DISPATCH;
}
