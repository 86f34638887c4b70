/* SPDX-License-Identifier: MIT */
/* test_faults.c - helpers that die or hang, calls that fail, memory that runs out */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "watch/netns_reader.h"
#include "watch/subscription.h"
#include "support/check_main.h"
#include "support/collect.h"
#include "support/deny.h"
#include "support/fixture.h"
#include "support/patience.h"
#include "support/process_list.h"
#include "support/skip.h"
#include "support/wrap.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define END PORTWATCH_EVENT_END

/* By what factor time is faster while the library waits for a deadline or for the end of a pause.
 */
#define HASTE patience_haste(10)

/* --- helpers ---------------------------------------------------------------------------------- */

static pid_t helper_besides(pid_t a, pid_t b, pid_t c)
{
	const pid_t known[] = {a, b ? b : a, c ? c : a, 0};
	pid_t helper = process_other_child(known);

	ck_assert_int_gt(helper, 0);
	return helper;
}

static void watch_by(struct collect *collect, pid_t pid, enum portwatch_reader reader)
{
	collect_watch_by(collect, pid, (struct way){.reader = reader, .notifier = 1});
}

static const enum portwatch_reader helpers[] = {PORTWATCH_READER_SETNS, PORTWATCH_READER_NSENTER};

/* The helper is replaced, open ports stay open, and the other namespace is not affected. */
static void disturb_helper(enum portwatch_reader reader, int signal)
{
	struct fixture server = fixture_start(SANDBOX_NETNS), other = fixture_start(SANDBOX_NETNS);
	struct collect collect, beside;
	pid_t helper;

	fixture_listen(&server, "127.0.0.1", 8000);
	fixture_listen(&other, "127.0.0.1", 8000);
	watch_by(&collect, server.pid, reader);
	helper = helper_besides(server.pid, other.pid, 0);
	watch_by(&beside, other.pid, reader);
	wrap_reset();
	wrap_hasten(HASTE);
	ck_assert_int_eq(kill(helper, signal), 0);
	fixture_listen(&other, "127.0.0.1", 8001);
	collect_wait(&beside, OPEN, NULL, 8001);
	fixture_listen(&server, "127.0.0.1", 8001);
	collect_wait(&collect, OPEN, NULL, 8001);
	wrap_hasten(1);
	collect_sync(&collect, &server, 3);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 8000), 0);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, 8000), 1);
	ck_assert_uint_eq(collect_count(&beside, CLOSE, NULL, 8000), 0);
	/* The library has reaped the helper. */
	fixture_wait_exit(helper);
	ck_assert_uint_eq(process_wait_children(4), 4);
	ck_assert_int_ne(helper_besides(server.pid, other.pid, helper), helper);
	collect_free(&collect);
	collect_free(&beside);
	ck_assert_uint_eq(process_children(), 2);
	fixture_end(&server);
	fixture_end(&other);
}

START_TEST(a_killed_helper_is_replaced)
{
	disturb_helper(helpers[_i], SIGKILL);
}
END_TEST

START_TEST(a_stopped_helper_is_replaced)
{
	disturb_helper(helpers[_i], SIGSTOP);
}
END_TEST

static int note_reader(const struct portwatch_namespace *ns, void *reader)
{
	*(enum portwatch_reader *)reader = portwatch_namespace_get_reader(ns);
	return 0;
}

/* Two helpers die before they answer, after an earlier helper has answered. */
START_TEST(a_reader_that_has_worked_is_opened_again)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	enum portwatch_reader reader = PORTWATCH_READER_AUTO;
	struct collect collect;
	pid_t helper;

	watch_by(&collect, server.pid, PORTWATCH_READER_AUTO);
	helper = helper_besides(server.pid, 0, 0);
	wrap_reset();
	wrap_fail("setns", WRAP_ANYWHERE, 1, 2, ENOMEM);
	kill(helper, SIGKILL);
	fixture_listen(&server, "127.0.0.1", 8000);
	collect_wait(&collect, OPEN, NULL, 8000);
	collect_sync(&collect, &server, 1);
	ck_assert_int_eq(portwatch_each_namespace(collect.watcher, note_reader, &reader), 1);
	ck_assert_int_eq(reader, PORTWATCH_READER_SETNS);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

static void ignore_log(void *data, struct netns *ns, enum portwatch_log_level level,
                       const char *text)
{
	(void)data;
	(void)ns;
	(void)level;
	(void)text;
}

/* A reader that is seldom used must not add up the failures of a whole day. */
START_TEST(a_reliable_reader_has_no_failures)
{
	static const struct netns_observer observer = {.log = ignore_log};
	static struct context context;
	struct netns_table table;
	struct netns ns = {.workers = &table, .reads = 1, .failures = 4};

	netns_table_init(&table, &context, NULL, &observer, NULL);
	netns_reader_broke(&ns, (struct failure){"live", EPIPE}, 11 * NSEC_PER_SEC);
	ck_assert_uint_eq(ns.failures, 1);
	ck_assert_uint_eq(ns.kind, 0);
	ns.failures = 4;
	netns_reader_broke(&ns, (struct failure){"live", EPIPE}, 9 * NSEC_PER_SEC);
	ck_assert_uint_eq(ns.kind, 1);
}
END_TEST

/* The reads of the namespaces fail for a while, also with incomplete answers: without information
 * the library reports no close. */
static const struct {
	const char *call;
	int error; /* 0: a short transfer */
} troubles[] = {
	{"read", EIO},       {"read", EINTR},       {"read", EAGAIN},   {"read", 0},
	{"write", EPIPE},    {"write", EINTR},      {"write", EAGAIN},  {"write", 0},
	{"pread", EIO},      {"pread", EINTR},      {"pread", 0},       {"recv", ENOBUFS},
	{"recv", EINTR},     {"send", ENOBUFS},     {"openat", EMFILE}, {"openat", ENFILE},
	{"openat", EINTR},   {"openat", ENOENT},    {"socket", EMFILE}, {"setns", EPERM},
	{"clone", EAGAIN},   {"pipe2", EMFILE},     {"malloc", ENOMEM}, {"calloc", ENOMEM},
	{"poll", EINTR},     {"epoll_wait", EINTR}, {"getdents", EIO},  {"readlinkat", EACCES},
	{"realloc", ENOMEM}, {"epoll_ctl", ENOMEM}, {"statx", EMFILE},  {"fstatat", ENOMEM},
};

#define TROUBLES (sizeof(troubles) / sizeof(troubles[0]))

static void make_trouble(size_t which)
{
	wrap_reset();
	wrap_hasten(HASTE);
	if (troubles[which].error)
		wrap_fail(troubles[which].call, WRAP_ANYWHERE, 1, 3, troubles[which].error);
	else
		wrap_short(troubles[which].call, WRAP_ANYWHERE, 1, 3, 5);
}

/* If the library may choose, it may continue with another reader. If the reader is fixed, the
 * library must return to this reader. */
START_TEST(failing_calls_close_nothing_and_are_overcome)
{
	bool forced = (size_t)_i >= TROUBLES;
	size_t which = (size_t)_i % TROUBLES;
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct collect collect;
	size_t descriptors = process_descriptors();
	pid_t helper;

	fixture_listen(&server, "127.0.0.1", 8000);
	watch_by(&collect, server.pid, forced ? PORTWATCH_READER_SETNS : PORTWATCH_READER_AUTO);
	collect_sync(&collect, &server, 1);
	/* A poll may end the helper as soon as calls fail, so the helper may already have exited.
	 */
	helper = helper_besides(server.pid, 0, 0);
	make_trouble(which);
	kill(helper, SIGKILL);
	fixture_listen(&server, "127.0.0.1", 8001);
	collect_wait(&collect, OPEN, NULL, 8001);
	wrap_clear(troubles[which].call);
	collect_sync(&collect, &server, 1);
	wrap_hasten(1);
	collect_sync(&collect, &server, 3);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 8000), 0);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 8001), 0);
	ck_assert_uint_eq(collect_count(&collect, END, NULL, 0), 0);
	if (forced)
		ck_assert_uint_eq(process_wait_children(2), 2);
	collect_free(&collect);
	ck_assert_uint_eq(process_children(), 1);
	ck_assert_uint_eq(process_descriptors(), descriptors);
	fixture_end(&server);
}
END_TEST

/* A local reader, which has no helper, receives reports of closed sockets between its reads. */
START_TEST(a_local_reader_reports_why_it_fails)
{
	struct fixture server = fixture_start(0);
	struct fixture_socket socket;
	struct collect collect;
	char reason[256];

	deny(DENY_BPF | DENY_PERF);
	watch_by(&collect, server.pid, PORTWATCH_READER_LOCAL);
	if (portwatch_get_notifier(collect.watcher, PORTWATCH_NOTICE_CLOSE, reason,
	                           sizeof(reason)) != PORTWATCH_NOTIFIER_DESTROY)
		test_skip("closed sockets are not reported here: %s", reason);
	wrap_reset();
	wrap_hasten(HASTE);
	/* Other receivers may get the failure. */
	for (int i = 0; collect_count_messages(&collect, "the local reader is started again") == 0;
	     i++) {
		ck_assert_int_lt(i, 100);
		socket = fixture_listen(&server, "127.0.0.1", 0);
		collect_wait(&collect, OPEN, NULL, socket.port);
		wrap_fail("recv", WRAP_HOST, 1, 1, ENOTCONN);
		fixture_close(&server, socket);
		collect_wait(&collect, CLOSE, NULL, socket.port);
	}
	ck_assert_uint_eq(collect_count_messages(&collect, "helper"), 0);
	wrap_reset();
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* --- no memory for an event ------------------------------------------------------------------- */

struct starved {
	const struct portwatch_event *kept;
	atomic_uint events;
};

/* Keeps the first event, so that the next event needs memory, and lets allocations fail while the
 * next event waits. */
static void starve(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct starved *starved = data;

	if (atomic_load(&starved->events) == 0) {
		starved->kept = portwatch_event_ref(event);
		for (int i = 0; i < COLLECT_PATIENCE * 1000; i++) {
			if (portwatch_get_stat(watcher, PORTWATCH_STAT_PORTS) == 2)
				break;
			nanosleep(&pause, NULL);
		}
		wrap_fail("calloc", WRAP_HOST, 1, 0, ENOMEM);
	}
	atomic_fetch_add(&starved->events, 1);
}

/* Meanwhile the library answers questions. The event comes when memory is available. */
START_TEST(an_event_waits_for_memory_and_the_library_does_not)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	struct fixture server = fixture_start(0);
	struct starved starved = {0};
	struct portwatch *watcher;

	wrap_reset();
	ck_assert_int_eq(portwatch_new(&watcher, server.pid, starve, &starved), 0);
	ck_assert_int_eq(portwatch_start(watcher), 0);
	fixture_listen(&server, "127.0.0.1", 0);
	fixture_listen(&server, "127.0.0.1", 0);
	for (int i = 0; i < COLLECT_PATIENCE * 1000 && wrap_struck() == 0; i++)
		nanosleep(&pause, NULL);
	ck_assert_uint_ge(wrap_struck(), 1);
	ck_assert_uint_eq(portwatch_get_stat(watcher, PORTWATCH_STAT_EVENTS), 1);
	wrap_clear("calloc");
	for (int i = 0; i < COLLECT_PATIENCE * 1000 && atomic_load(&starved.events) < 2; i++)
		nanosleep(&pause, NULL);
	ck_assert_uint_eq(atomic_load(&starved.events), 2);
	portwatch_event_unref(starved.kept);
	portwatch_free(watcher);
	fixture_end(&server);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("faults");
	TCase *helper = tcase_create("helper"), *calls = tcase_create("calls"),
	      *memory = tcase_create("memory"), *local = tcase_create("local");

	tcase_add_loop_test(helper, a_killed_helper_is_replaced, 0, 2);
	tcase_add_loop_test(helper, a_stopped_helper_is_replaced, 0, 2);
	tcase_add_test(helper, a_reader_that_has_worked_is_opened_again);
	tcase_add_test(helper, a_reliable_reader_has_no_failures);
	suite_add_tcase(suite, helper);
	tcase_add_loop_test(calls, failing_calls_close_nothing_and_are_overcome, 0,
	                    2 * (int)TROUBLES);
	suite_add_tcase(suite, calls);
	tcase_add_test(local, a_local_reader_reports_why_it_fails);
	suite_add_tcase(suite, local);
	tcase_add_test(memory, an_event_waits_for_memory_and_the_library_does_not);
	suite_add_tcase(suite, memory);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
