/* SPDX-License-Identifier: MIT */
/* test_api.c - which arguments the functions of portwatch.h accept and refuse, and their results */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/skip.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define END PORTWATCH_EVENT_END

static void ignore(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	(void)watcher;
	(void)event;
	(void)data;
}

START_TEST(new_refuses_what_is_no_process)
{
	struct portwatch *watcher = NULL;
	struct fixture gone = fixture_start(0);
	pid_t pid = gone.pid;

	ck_assert_int_eq(portwatch_new(NULL, getpid(), ignore, NULL), -EINVAL);
	ck_assert_int_eq(portwatch_new(&watcher, getpid(), NULL, NULL), -EINVAL);
	ck_assert_int_eq(portwatch_new(&watcher, 0, ignore, NULL), -EINVAL);
	ck_assert_int_eq(portwatch_new(&watcher, -1, ignore, NULL), -EINVAL);
	fixture_end(&gone);
	ck_assert_int_eq(portwatch_new(&watcher, pid, ignore, NULL), -ESRCH);
	ck_assert_ptr_null(watcher);
}
END_TEST

START_TEST(null_is_refused)
{
	portwatch_free(NULL);
	ck_assert_int_eq(portwatch_start(NULL), -EINVAL);
	ck_assert_int_eq(portwatch_stop(NULL), -EINVAL);
	ck_assert_int_eq(portwatch_set_events(NULL, OPEN), -EINVAL);
	ck_assert_int_eq(portwatch_set_interval(NULL, 1), -EINVAL);
	ck_assert_int_eq(portwatch_set_addresses(NULL, PORTWATCH_ADDRESSES_ALL), -EINVAL);
	ck_assert_int_eq(portwatch_set_scope(NULL, PORTWATCH_SCOPE_TREE), -EINVAL);
	ck_assert_int_eq(portwatch_set_reader(NULL, PORTWATCH_READER_AUTO), -EINVAL);
	ck_assert_int_eq(portwatch_set_limit(NULL, PORTWATCH_LIMIT_PORTS, 1), -EINVAL);
	ck_assert_int_eq(portwatch_set_table(NULL, PORTWATCH_TABLE_AUTO), -EINVAL);
	ck_assert_int_eq(portwatch_set_subreaper(NULL, 1), -EINVAL);
	ck_assert_int_eq(portwatch_set_notifier(NULL, 1), -EINVAL);
	ck_assert_int_eq(portwatch_set_delivery(NULL, PORTWATCH_DELIVERY_THREAD), -EINVAL);
	ck_assert_int_eq(portwatch_set_log(NULL, PORTWATCH_LOG_INFO, collect_message), -EINVAL);
	ck_assert_int_eq(portwatch_get_fd(NULL), -EINVAL);
	ck_assert_int_eq(portwatch_dispatch(NULL), -EINVAL);
	ck_assert_int_eq(portwatch_each_namespace(NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(portwatch_get_notifier(NULL, PORTWATCH_NOTICE_LISTEN, NULL, 0), -EINVAL);
}
END_TEST

START_TEST(the_version_is_that_of_the_package)
{
	ck_assert_str_eq(portwatch_version(), PACKAGE_VERSION);
}
END_TEST

START_TEST(options_are_checked)
{
	struct portwatch *watcher;

	ck_assert_int_eq(portwatch_new(&watcher, getpid(), ignore, &watcher), 0);
	ck_assert_int_eq(portwatch_get_pid(watcher), getpid());
	ck_assert_ptr_eq(portwatch_get_user_data(watcher), &watcher);
	ck_assert_int_eq(portwatch_set_events(watcher, 16), -EINVAL);
	ck_assert_int_eq(portwatch_set_interval(watcher, 86400001), -EINVAL);
	ck_assert_int_eq(portwatch_set_interval(watcher, 86400000), 0);
	ck_assert_int_eq(portwatch_set_interval(watcher, 0), 0);
	ck_assert_int_eq(portwatch_set_addresses(watcher, 3), -EINVAL);
	ck_assert_int_eq(portwatch_set_scope(watcher, 2), -EINVAL);
	ck_assert_int_eq(portwatch_set_reader(watcher, 5), -EINVAL);
	ck_assert_int_eq(portwatch_set_limit(watcher, PORTWATCH_LIMIT_MEMBERS, 0), -EINVAL);
	ck_assert_int_eq(portwatch_set_limit(watcher, PORTWATCH_LIMIT_WARNINGS + 1, 1), -EINVAL);
	ck_assert_int_eq(portwatch_set_table(watcher, 3), -EINVAL);
	ck_assert_int_eq(portwatch_set_delivery(watcher, 2), -EINVAL);
	ck_assert_int_eq(portwatch_set_log(watcher, 5, collect_message), -EINVAL);
	ck_assert_int_eq(portwatch_stop(watcher), 0);
	portwatch_free(watcher);
}
END_TEST

START_TEST(a_watcher_starts_once_and_keeps_its_options)
{
	struct fixture server = fixture_start(0);
	struct collect collect;

	collect_watch(&collect, server.pid);
	ck_assert_int_eq(portwatch_start(collect.watcher), -EALREADY);
	ck_assert_int_eq(portwatch_set_events(collect.watcher, OPEN), -EBUSY);
	ck_assert_int_eq(portwatch_set_interval(collect.watcher, 1), -EBUSY);
	ck_assert_int_eq(portwatch_set_addresses(collect.watcher, PORTWATCH_ADDRESSES_ALL), -EBUSY);
	ck_assert_int_eq(portwatch_set_scope(collect.watcher, PORTWATCH_SCOPE_TREE), -EBUSY);
	ck_assert_int_eq(portwatch_set_reader(collect.watcher, PORTWATCH_READER_AUTO), -EBUSY);
	ck_assert_int_eq(portwatch_set_limit(collect.watcher, PORTWATCH_LIMIT_PORTS, 1), -EBUSY);
	ck_assert_int_eq(portwatch_set_table(collect.watcher, PORTWATCH_TABLE_AUTO), -EBUSY);
	ck_assert_int_eq(portwatch_set_subreaper(collect.watcher, 1), -EBUSY);
	ck_assert_int_eq(portwatch_set_notifier(collect.watcher, 1), -EBUSY);
	ck_assert_int_eq(portwatch_set_delivery(collect.watcher, PORTWATCH_DELIVERY_THREAD),
	                 -EBUSY);
	ck_assert_int_eq(portwatch_set_log(collect.watcher, PORTWATCH_LOG_INFO, NULL), -EBUSY);
	/* The library's thread delivers the events, so there is nothing to dispatch. */
	ck_assert_int_eq(portwatch_get_fd(collect.watcher), -EINVAL);
	ck_assert_int_eq(portwatch_dispatch(collect.watcher), -EINVAL);
	ck_assert_int_eq(portwatch_stop(collect.watcher), 0);
	ck_assert_int_eq(portwatch_stop(collect.watcher), 0);
	ck_assert_int_eq(portwatch_start(collect.watcher), -EALREADY);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

START_TEST(an_unknown_figure_is_not_0)
{
	struct fixture server = fixture_start(0);
	struct collect collect;

	ck_assert_uint_eq(portwatch_get_stat(NULL, PORTWATCH_STAT_READS), PORTWATCH_STAT_UNKNOWN);
	collect_new(&collect, server.pid);
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_EVENTS),
	                  PORTWATCH_STAT_UNKNOWN);
	collect_start(&collect);
	for (int stat = 0; portwatch_stat_name((enum portwatch_stat)stat); stat++)
		ck_assert_uint_ne(portwatch_get_stat(collect.watcher, (enum portwatch_stat)stat),
		                  PORTWATCH_STAT_UNKNOWN);
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_EVENTS), 0);
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_MEMBERS), 1);
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_WARNINGS_LEFT_OUT + 1),
	                  PORTWATCH_STAT_UNKNOWN);
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, -1), PORTWATCH_STAT_UNKNOWN);
	portwatch_stop(collect.watcher);
	for (int stat = 0; portwatch_stat_name((enum portwatch_stat)stat); stat++)
		ck_assert_uint_eq(portwatch_get_stat(collect.watcher, (enum portwatch_stat)stat),
		                  PORTWATCH_STAT_UNKNOWN);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* The default is open and end. The three bits are independent. */
START_TEST(only_wanted_kinds_are_reported)
{
	static const unsigned int kinds[] = {0, OPEN, CLOSE, END, OPEN | END};
	struct fixture server = fixture_start(0);
	struct collect collect, all;
	struct fixture_socket socket;

	collect_init(&collect);
	ck_assert_int_eq(portwatch_new(&collect.watcher, server.pid, collect_event, &collect), 0);
	if (_i < 4)
		ck_assert_int_eq(portwatch_set_events(collect.watcher, kinds[_i]), 0);
	ck_assert_int_eq(portwatch_start(collect.watcher), 0);
	collect_watch(&all, server.pid);
	socket = fixture_listen(&server, "127.0.0.1", 0);
	collect_wait(&all, OPEN, NULL, socket.port);
	if (kinds[_i] & OPEN)
		collect_wait(&collect, OPEN, NULL, socket.port);
	fixture_close(&server, socket);
	collect_wait(&all, CLOSE, NULL, socket.port);
	fixture_end(&server);
	collect_wait(&all, END, NULL, 0);
	if (kinds[_i] & END)
		collect_wait(&collect, END, NULL, 0);
	/* No callback runs after portwatch_stop(). */
	ck_assert_int_eq(portwatch_stop(collect.watcher), 0);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, 0), !!(kinds[_i] & OPEN));
	ck_assert_uint_le(collect_count(&collect, CLOSE, NULL, 0), !!(kinds[_i] & CLOSE));
	ck_assert_uint_le(collect_count(&collect, END, NULL, 0), !!(kinds[_i] & END));
	collect_free(&collect);
	collect_free(&all);
}
END_TEST

START_TEST(addresses_can_be_widened)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct collect narrow, loopback, all;

	fixture_listen(&server, "127.0.0.1", 8000);
	fixture_listen(&server, "127.0.0.53", 8001);
	fixture_listen_with(&server, "::", 8002, LISTEN_V6ONLY);
	fixture_listen(&server, "::ffff:127.0.0.9", 8003);
	collect_watch(&narrow, server.pid);
	ck_assert_uint_eq(collect_total(&narrow), 2);
	collect_new(&loopback, server.pid);
	portwatch_set_addresses(loopback.watcher, PORTWATCH_ADDRESSES_LOOPBACK);
	collect_start(&loopback);
	ck_assert_uint_eq(collect_total(&loopback), 4);
	collect_wait(&loopback, OPEN, "127.0.0.53", 8001);
	collect_wait(&loopback, OPEN, "127.0.0.9", 8003);
	collect_new(&all, server.pid);
	portwatch_set_addresses(all.watcher, PORTWATCH_ADDRESSES_ALL);
	collect_start(&all);
	ck_assert_uint_eq(collect_total(&all), 4);
	collect_free(&narrow);
	collect_free(&loopback);
	collect_free(&all);
	fixture_end(&server);
}
END_TEST

/* Every other address of an IPv6 interface is skipped, and logged once for each watcher and
 * address. */
START_TEST(other_ipv6_addresses_are_logged_once)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct collect narrow, all;

	fixture_listen_with(&server, "fd00::1", 8000, LISTEN_FREEBIND);
	collect_watch(&narrow, server.pid);
	collect_sync(&narrow, &server, 3);
	ck_assert_uint_eq(collect_count(&narrow, OPEN, "fd00::1", 0), 0);
	ck_assert_uint_eq(collect_count_messages(&narrow, "fd00::1"), 1);
	collect_new(&all, server.pid);
	portwatch_set_addresses(all.watcher, PORTWATCH_ADDRESSES_ALL);
	collect_start(&all);
	collect_wait(&all, OPEN, "fd00::1", 8000);
	collect_free(&narrow);
	collect_free(&all);
	fixture_end(&server);
}
END_TEST

START_TEST(events_carry_the_time)
{
	struct fixture server = fixture_start(0);
	struct fixture_socket socket;
	struct collect collect;
	struct collected event;
	struct timespec before, after;

	collect_watch(&collect, server.pid);
	clock_gettime(CLOCK_MONOTONIC, &before);
	socket = fixture_listen(&server, "127.0.0.1", 0);
	event = collect_wait(&collect, OPEN, NULL, socket.port);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_uint_ge(event.monotonic,
	                  (uint64_t)before.tv_sec * 1000000000 + (uint64_t)before.tv_nsec);
	ck_assert_uint_le(event.monotonic,
	                  (uint64_t)after.tv_sec * 1000000000 + (uint64_t)after.tv_nsec);
	ck_assert_uint_ge(event.realtime / 1000000000, 1700000000);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

struct levels {
	enum portwatch_log_level level;
	int counts[8];
};

static void count_level(struct portwatch *watcher, enum portwatch_log_level level,
                        const char *message, void *data)
{
	struct levels *levels = data;

	(void)watcher;
	ck_assert_ptr_null(strchr(message, '\n'));
	ck_assert_int_le(level, levels->level);
	__atomic_add_fetch(&levels->counts[level], 1, __ATOMIC_SEQ_CST);
}

START_TEST(messages_keep_to_their_level)
{
	static const enum portwatch_log_level wanted[] = {PORTWATCH_LOG_ERROR,
	                                                  PORTWATCH_LOG_WARNING, PORTWATCH_LOG_INFO,
	                                                  PORTWATCH_LOG_DEBUG};
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct levels levels = {.level = wanted[_i]};
	struct portwatch *watcher;

	unsetenv("PORTWATCH_DEBUG");
	fixture_listen(&server, "127.0.0.1", 8000);
	ck_assert_int_eq(portwatch_new(&watcher, server.pid, ignore, &levels), 0);
	ck_assert_int_eq(portwatch_set_log(watcher, levels.level, count_level), 0);
	ck_assert_int_eq(portwatch_start(watcher), 0);
	portwatch_free(watcher);
	ck_assert_int_eq(levels.counts[PORTWATCH_LOG_INFO] > 0, levels.level >= PORTWATCH_LOG_INFO);
	fixture_end(&server);
}
END_TEST

START_TEST(the_environment_can_ask_for_everything)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct levels levels = {.level = PORTWATCH_LOG_DEBUG};
	struct portwatch *watcher;

	setenv("PORTWATCH_DEBUG", "1", 1);
	fixture_listen_with(&server, "fd00::1", 8000, LISTEN_FREEBIND);
	ck_assert_int_eq(portwatch_new(&watcher, server.pid, ignore, &levels), 0);
	ck_assert_int_eq(portwatch_set_log(watcher, PORTWATCH_LOG_ERROR, count_level), 0);
	ck_assert_int_eq(portwatch_start(watcher), 0);
	portwatch_free(watcher);
	ck_assert_int_gt(levels.counts[PORTWATCH_LOG_DEBUG], 0);
	fixture_end(&server);
}
END_TEST

/* Each kind of notification has its mechanism. If a mechanism is missing or switched off, the
 * reason is reported. */
START_TEST(the_notifier_is_reported)
{
	struct fixture server = fixture_start(0);
	char reason[1024], cut[8];
	struct collect collect;

	collect_new(&collect, server.pid);
	ck_assert_int_eq(portwatch_set_notifier(collect.watcher, _i), 0);
	ck_assert_int_eq(portwatch_get_notifier(collect.watcher, PORTWATCH_NOTICE_LISTEN, NULL, 0),
	                 -ENOTCONN);
	collect_start(&collect);
	for (int notice = 0; notice <= PORTWATCH_NOTICE_PROCESS; notice++) {
		int notifier =
			portwatch_get_notifier(collect.watcher, notice, reason, sizeof(reason));

		ck_assert_int_ge(notifier, PORTWATCH_NOTIFIER_NONE);
		ck_assert_ptr_nonnull(portwatch_notifier_name(notifier));
		ck_assert(notifier != PORTWATCH_NOTIFIER_NONE || reason[0]);
		ck_assert(_i || notifier == PORTWATCH_NOTIFIER_NONE);
		ck_assert_int_eq(portwatch_get_notifier(collect.watcher, notice, cut, sizeof(cut)),
		                 notifier);
		ck_assert_int_eq(strncmp(cut, reason, sizeof(cut) - 1), 0);
	}
	ck_assert_int_eq(portwatch_get_notifier(collect.watcher, 3, NULL, 0), -EINVAL);
	ck_assert_int_eq(portwatch_get_notifier(collect.watcher, -1, NULL, 0), -EINVAL);
	ck_assert_int_eq(portwatch_get_notifier(collect.watcher, 0, NULL, 1), -EINVAL);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("api");
	TCase *refused = tcase_create("refused"), *chosen = tcase_create("chosen"),
	      *said = tcase_create("said");

	tcase_add_test(refused, new_refuses_what_is_no_process);
	tcase_add_test(refused, null_is_refused);
	tcase_add_test(refused, the_version_is_that_of_the_package);
	tcase_add_test(refused, options_are_checked);
	tcase_add_test(refused, a_watcher_starts_once_and_keeps_its_options);
	suite_add_tcase(suite, refused);
	tcase_add_test(refused, an_unknown_figure_is_not_0);
	tcase_add_loop_test(chosen, only_wanted_kinds_are_reported, 0, 5);
	tcase_add_test(chosen, addresses_can_be_widened);
	tcase_add_test(chosen, other_ipv6_addresses_are_logged_once);
	suite_add_tcase(suite, chosen);
	tcase_add_test(said, events_carry_the_time);
	tcase_add_loop_test(said, messages_keep_to_their_level, 0, 4);
	tcase_add_test(said, the_environment_can_ask_for_everything);
	tcase_add_loop_test(said, the_notifier_is_reported, 0, 2);
	suite_add_tcase(suite, said);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
