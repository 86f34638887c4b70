/* SPDX-License-Identifier: MIT */
/* test_limits.c - trees with more processes, or more ports, than a watcher may have */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define END PORTWATCH_EVENT_END
#define TEXT_MAX 512

static void watch(struct collect *collect, pid_t pid, enum portwatch_limit limit,
                  unsigned int number, int notifier)
{
	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_limit(collect->watcher, limit, number), 0);
	ck_assert_int_eq(portwatch_set_notifier(collect->watcher, notifier), 0);
	ck_assert_int_eq(portwatch_set_interval(collect->watcher, 20), 0);
	collect_start(collect);
}

static bool is_over(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - since->tv_sec > COLLECT_PATIENCE;
}

/* Waits until a statistic has a value. */
static void await(struct collect *collect, enum portwatch_stat stat, uint64_t value)
{
	struct timespec begun, pause = {.tv_nsec = 1000000};

	clock_gettime(CLOCK_MONOTONIC, &begun);
	while (portwatch_get_stat(collect->watcher, stat) != value) {
		ck_assert_msg(!is_over(&begun), "%s is %llu, not %llu", portwatch_stat_name(stat),
		              (unsigned long long)portwatch_get_stat(collect->watcher, stat),
		              (unsigned long long)value);
		nanosleep(&pause, NULL);
	}
}

static void await_left_out(struct collect *collect)
{
	struct timespec begun, pause = {.tv_nsec = 1000000};

	clock_gettime(CLOCK_MONOTONIC, &begun);
	while (portwatch_get_stat(collect->watcher, PORTWATCH_STAT_MEMBERS_LEFT_OUT) == 0) {
		ck_assert_msg(!is_over(&begun), "no process was left out");
		nanosleep(&pause, NULL);
	}
}

static void await_complete(struct collect *collect, int complete, const char *part)
{
	struct timespec begun, pause = {.tv_nsec = 1000000};
	char reason[TEXT_MAX] = "";

	clock_gettime(CLOCK_MONOTONIC, &begun);
	while (portwatch_get_complete(collect->watcher, reason, sizeof(reason)) != complete) {
		ck_assert_msg(!is_over(&begun), "complete is not %d: %s", complete, reason);
		nanosleep(&pause, NULL);
	}
	ck_assert_msg(strstr(reason, part), "%s", reason);
}

START_TEST(further_members_wait_for_room)
{
	struct fixture root = fixture_start(0), first, second, third;
	struct fixture_socket hidden, seen;
	struct collect collect;

	watch(&collect, root.pid, PORTWATCH_LIMIT_MEMBERS, 3, _i);
	await_complete(&collect, 1, "");
	first = fixture_fork(&root);
	await(&collect, PORTWATCH_STAT_MEMBERS, 2);
	second = fixture_fork(&root);
	await(&collect, PORTWATCH_STAT_MEMBERS, 3);
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_MEMBERS_LEFT_OUT), 0);
	third = fixture_fork(&root);
	hidden = fixture_listen(&third, "127.0.0.1", 0);
	seen = fixture_listen(&second, "127.0.0.1", 0);
	collect_wait(&collect, OPEN, NULL, seen.port);
	await_left_out(&collect);
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_MEMBERS), 3);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, hidden.port), 0);
	await_complete(&collect, 0, "more processes than the limit of 3");
	collect_sync(&collect, &root, 3);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, hidden.port), 0);
	ck_assert_uint_eq(collect_count_messages(&collect, "PORTWATCH_LIMIT_MEMBERS"), 1);
	/* There is room again. */
	fixture_exit(&first, 0);
	collect_wait(&collect, OPEN, NULL, hidden.port);
	await_complete(&collect, 1, "");
	collect_free(&collect);
	fixture_end(&third);
	fixture_end(&second);
	fixture_end(&root);
}
END_TEST

/* The tree is already larger than the limit at the start. The root is always among the members. */
START_TEST(a_large_tree_is_begun_with)
{
	struct fixture root = fixture_start(0), child = fixture_fork(&root);
	struct fixture_socket hidden = fixture_listen(&child, "127.0.0.1", 0),
			      seen = fixture_listen(&root, "127.0.0.1", 0);
	struct collect collect;

	watch(&collect, root.pid, PORTWATCH_LIMIT_MEMBERS, 1, 1);
	collect_wait(&collect, OPEN, NULL, seen.port);
	collect_wait_message(&collect, "PORTWATCH_LIMIT_MEMBERS");
	await_complete(&collect, 0, "more processes than the limit of 1");
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_MEMBERS), 1);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, hidden.port), 0);
	/* A watcher of the same process without a limit sees both. */
	collect_free(&collect);
	collect_watch(&collect, root.pid);
	collect_wait(&collect, OPEN, NULL, hidden.port);
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&root);
}
END_TEST

START_TEST(further_ports_wait_for_room)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct fixture_socket sockets[2], third, fourth;
	struct collect collect;

	sockets[0] = fixture_listen_with(&server, "127.0.0.1", 0, LISTEN_REUSEPORT);
	watch(&collect, server.pid, PORTWATCH_LIMIT_PORTS, 2, _i);
	sockets[1] = fixture_listen(&server, "127.0.0.1", 0);
	collect_wait(&collect, OPEN, NULL, sockets[1].port);
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_PORTS), 2);
	await_complete(&collect, 1, "");
	third = fixture_listen(&server, "127.0.0.1", 0);
	await(&collect, PORTWATCH_STAT_SOCKETS_LEFT_OUT, 1);
	await_complete(&collect, 0, "more open ports than the limit of 2");
	collect_wait_message(&collect, "PORTWATCH_LIMIT_PORTS");
	fourth = fixture_listen(&server, "127.0.0.1", 0);
	await(&collect, PORTWATCH_STAT_SOCKETS_LEFT_OUT, 2);
	ck_assert_uint_eq(collect_count_messages(&collect, "PORTWATCH_LIMIT_PORTS"), 1);
	/* This port is not reported. */
	fixture_close(&server, fourth);
	await(&collect, PORTWATCH_STAT_SOCKETS_LEFT_OUT, 1);
	/* Another socket of an open port counts for nothing and keeps the port open. */
	fixture_listen_with(&server, "127.0.0.1", sockets[0].port, LISTEN_REUSEPORT);
	fixture_close(&server, sockets[0]);
	/* There is room again. */
	fixture_close(&server, sockets[1]);
	collect_wait(&collect, CLOSE, NULL, sockets[1].port);
	collect_wait(&collect, OPEN, NULL, third.port);
	await_complete(&collect, 1, "");
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_PORTS), 2);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, sockets[0].port), 0);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, fourth.port), 0);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, fourth.port), 0);
	fixture_end(&server);
	collect_wait(&collect, END, NULL, 0);
	ck_assert_uint_eq(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_PORTS), 0);
	collect_free(&collect);
}
END_TEST

/* An unreported socket counts as long as a member holds it. */
START_TEST(a_port_of_a_non_member_is_not_left_out)
{
	struct fixture root = fixture_start(0), member = fixture_fork(&root),
		       outsider = fixture_start(0);
	struct fixture_socket seen, hidden;
	struct collect collect;

	watch(&collect, root.pid, PORTWATCH_LIMIT_PORTS, 1, _i);
	seen = fixture_listen(&root, "127.0.0.1", 0);
	collect_wait(&collect, OPEN, NULL, seen.port);
	hidden = fixture_listen(&member, "127.0.0.1", 0);
	await(&collect, PORTWATCH_STAT_SOCKETS_LEFT_OUT, 1);
	await_complete(&collect, 0, "more open ports than the limit of 1");
	fixture_give(&member, hidden, &outsider);
	fixture_exit(&member, 0);
	await(&collect, PORTWATCH_STAT_SOCKETS_LEFT_OUT, 0);
	await_complete(&collect, 1, "");
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, hidden.port), 0);
	collect_free(&collect);
	fixture_end(&outsider);
	fixture_end(&root);
}
END_TEST

#define NAMESPACES 6

static uint64_t running(const struct collect *collect)
{
	return portwatch_get_stat(collect->watcher, PORTWATCH_STAT_HELPERS_RUNNING);
}

static void watch_with_helpers(struct collect *collect, pid_t pid, unsigned int most, int notifier)
{
	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_reader(collect->watcher, PORTWATCH_READER_SETNS), 0);
	ck_assert_int_eq(portwatch_set_limit(collect->watcher, PORTWATCH_LIMIT_HELPERS, most), 0);
	ck_assert_int_eq(portwatch_set_notifier(collect->watcher, notifier), 0);
	collect_start(collect);
}

/* The smallest limit of all watchers applies, and no namespace goes unread. */
START_TEST(helpers_serve_more_namespaces_than_their_limit)
{
	struct fixture root = fixture_start(SANDBOX_NETNS), children[NAMESPACES];
	struct collect few, more;

	for (int i = 0; i < NAMESPACES; i++) {
		children[i] = fixture_fork(&root);
		fixture_unshare(&children[i]);
		fixture_listen(&children[i], "127.0.0.1", (uint16_t)(8100 + i));
	}
	watch_with_helpers(&more, root.pid, NAMESPACES, _i);
	watch_with_helpers(&few, root.pid, 2, _i);
	for (int i = 0; i < NAMESPACES; i++)
		fixture_listen(&children[i], "127.0.0.1", (uint16_t)(8200 + i));
	for (int i = 0; i < NAMESPACES; i++) {
		collect_wait(&few, OPEN, NULL, (uint16_t)(8200 + i));
		collect_wait(&more, OPEN, NULL, (uint16_t)(8200 + i));
	}
	await(&few, PORTWATCH_STAT_HELPERS_RUNNING, 2);
	ck_assert_uint_eq(running(&more), 2);
	/* Without the second watcher, its limit is gone. */
	collect_free(&few);
	for (int i = 0; i < NAMESPACES; i++)
		fixture_listen(&children[i], "127.0.0.1", (uint16_t)(8300 + i));
	for (int i = 0; i < NAMESPACES; i++)
		collect_wait(&more, OPEN, NULL, (uint16_t)(8300 + i));
	await(&more, PORTWATCH_STAT_HELPERS_RUNNING, NAMESPACES);
	collect_free(&more);
	for (int i = 0; i < NAMESPACES; i++)
		fixture_end(&children[i]);
	fixture_end(&root);
}
END_TEST

/* Both limits are exceeded. On a slow machine the second warning may come a second later, and is
 * logged. */
START_TEST(each_warning_is_logged_or_counted)
{
	struct fixture root = fixture_start(0), child = fixture_fork(&root);
	struct collect collect;

	fixture_listen(&root, "127.0.0.1", 0);
	fixture_listen(&root, "127.0.0.1", 0);
	collect_new(&collect, root.pid);
	for (unsigned int limit = PORTWATCH_LIMIT_MEMBERS; limit <= PORTWATCH_LIMIT_WARNINGS;
	     limit++)
		ck_assert_int_eq(
			portwatch_set_limit(collect.watcher, (enum portwatch_limit)limit, 1), 0);
	collect_start(&collect);
	await(&collect, PORTWATCH_STAT_SOCKETS_LEFT_OUT, 1);
	ck_assert_uint_eq(
		collect_count_messages(&collect, "PORTWATCH_LIMIT_") +
			portwatch_get_stat(collect.watcher, PORTWATCH_STAT_WARNINGS_LEFT_OUT),
		2);
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&root);
}
END_TEST

/* More rows than are evaluated in one piece. */
#define CROWDED 3
#define EACH 800

static void count_by_kind(struct portwatch *watcher, const struct portwatch_event *event,
                          void *data)
{
	atomic_uint *counts = data;

	(void)watcher;
	counts[portwatch_event_get_kind(event) == CLOSE]++;
}

static void await_count(const atomic_uint *count, unsigned int number)
{
	int left = COLLECT_PATIENCE * 1000;

	while (atomic_load(count) < number && left-- > 0)
		poll(NULL, 0, 1);
	ck_assert_uint_eq(atomic_load(count), number);
}

/* Opens ports in a process of its own. */
static void open_ports(struct fixture *server, int first)
{
	for (int i = 0; i < EACH; i++)
		fixture_listen(server, "127.0.0.1", (uint16_t)(first + i));
}

/* A large table is evaluated in slices, at the start and later. */
START_TEST(a_large_table_is_reported_completely)
{
	struct fixture root = fixture_start(SANDBOX_NETNS), servers[CROWDED], late;
	static atomic_uint counts[2];
	struct portwatch *watcher;

	atomic_store(&counts[0], 0);
	atomic_store(&counts[1], 0);
	for (int i = 0; i < CROWDED; i++) {
		servers[i] = fixture_fork(&root);
		open_ports(&servers[i], 10000 + i * EACH);
	}
	ck_assert_int_eq(portwatch_new(&watcher, root.pid, count_by_kind, counts), 0);
	ck_assert_int_eq(portwatch_set_events(watcher, OPEN | CLOSE), 0);
	ck_assert_int_eq(portwatch_set_notifier(watcher, _i), 0);
	ck_assert_int_eq(portwatch_start(watcher), 0);
	/* All that were open are reported before the start returns. */
	ck_assert_uint_eq(counts[0], CROWDED * EACH);
	late = fixture_fork(&root);
	open_ports(&late, 20000);
	await_count(&counts[0], (CROWDED + 1) * EACH);
	ck_assert_uint_eq(counts[1], 0);
	fixture_end(&servers[0]);
	await_count(&counts[1], EACH);
	fixture_listen(&root, "127.0.0.1", 10000);
	await_count(&counts[0], (CROWDED + 1) * EACH + 1);
	ck_assert_uint_eq(counts[1], EACH);
	portwatch_free(watcher);
	for (int i = 1; i < CROWDED; i++)
		fixture_end(&servers[i]);
	fixture_end(&late);
	fixture_end(&root);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("limits");
	TCase *members = tcase_create("members"), *ports = tcase_create("ports");
	TCase *shared = tcase_create("helpers and warnings");

	tcase_add_loop_test(members, further_members_wait_for_room, 0, 2);
	tcase_add_test(members, a_large_tree_is_begun_with);
	suite_add_tcase(suite, members);
	tcase_add_loop_test(ports, further_ports_wait_for_room, 0, 2);
	tcase_add_loop_test(ports, a_large_table_is_reported_completely, 0, 2);
	tcase_add_loop_test(ports, a_port_of_a_non_member_is_not_left_out, 0, 2);
	suite_add_tcase(suite, ports);
	tcase_add_loop_test(shared, helpers_serve_more_namespaces_than_their_limit, 0, 2);
	tcase_add_test(shared, each_warning_is_logged_or_counted);
	suite_add_tcase(suite, shared);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
