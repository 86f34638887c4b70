/* SPDX-License-Identifier: MIT */
/* test_watch.c - what a watcher reports about one process, for each way of reading and delivering
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/notified.h"
#include "support/skip.h"
#include "watch/subscription.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define END PORTWATCH_EVENT_END

/* The poll interval is so long that a callback before portwatch_start() returns cannot be a
 * coincidence. */
START_TEST(initial_ports_come_before_start_returns)
{
	struct fixture server = way_fixture(way(_i));
	struct fixture_socket a = fixture_listen(&server, "127.0.0.1", 0);
	struct fixture_socket b = fixture_listen(&server, "::", 0);
	struct collect collect;
	struct collected event;

	collect_watch_by(&collect, server.pid, way(_i));
	if (collect.dispatches)
		ck_assert_int_eq(portwatch_dispatch(collect.watcher), 2);
	ck_assert_uint_eq(collect_total(&collect), 2);
	event = collect_wait(&collect, OPEN, "127.0.0.1", a.port);
	ck_assert(event.initial);
	event = collect_wait(&collect, OPEN, "::", b.port);
	ck_assert(event.initial);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

START_TEST(an_open_event_has_all_properties)
{
	struct fixture server = way_fixture(way(_i));
	struct fixture_socket socket;
	struct collect collect;
	struct collected event;

	fixture_rename(&server, "a (b) c");
	collect_watch_by(&collect, server.pid, way(_i));
	socket = fixture_listen(&server, "127.0.0.1", 0);
	event = collect_wait(&collect, OPEN, "127.0.0.1", socket.port);
	ck_assert_int_eq(event.family, AF_INET);
	ck_assert_int_eq(event.pid, server.pid);
	ck_assert_str_eq(event.process, "a (b) c");
	ck_assert_uint_eq(event.owners, 1);
	ck_assert_uint_eq(event.inode, socket.inode);
	ck_assert_uint_eq(event.netns, sandbox_netns(server.pid));
	ck_assert(!event.initial);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

START_TEST(close_and_reopen_are_news)
{
	struct fixture server = way_fixture(way(_i));
	struct fixture_socket socket = fixture_listen(&server, "0.0.0.0", 0);
	struct collect collect;
	struct collected event;

	collect_watch_by(&collect, server.pid, way(_i));
	for (size_t round = 1; round <= 3; round++) {
		collect_wait_count(&collect, OPEN, "0.0.0.0", socket.port, round);
		fixture_close(&server, socket);
		event = collect_wait_count(&collect, CLOSE, "0.0.0.0", socket.port, round);
		ck_assert_int_eq(event.pid, server.pid);
		ck_assert(!event.initial);
		socket = fixture_listen(&server, "0.0.0.0", socket.port);
	}
	collect_wait_count(&collect, OPEN, "0.0.0.0", socket.port, 4);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

START_TEST(a_port_with_several_holders_is_reported_once)
{
	struct fixture server = way_fixture(way(_i));
	struct fixture_socket first, second;
	struct fixture child;
	struct collect collect;

	first = fixture_listen_with(&server, "127.0.0.1", 0, LISTEN_REUSEPORT);
	collect_watch_by(&collect, server.pid, way(_i));
	collect_wait(&collect, OPEN, "127.0.0.1", first.port);
	child = fixture_fork(&server);
	second = fixture_listen_with(&child, "127.0.0.1", first.port, LISTEN_REUSEPORT);
	collect_sync(&collect, &server, 2);
	/* The three holders close the port one after another: the port stays open until the last
	 * close. */
	fixture_close(&server, first);
	collect_sync(&collect, &server, 4);
	fixture_close(&child, first);
	collect_sync(&collect, &server, 4);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, first.port), 1);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, first.port), 0);
	fixture_close(&child, second);
	collect_wait(&collect, CLOSE, "127.0.0.1", first.port);
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&server);
}
END_TEST

START_TEST(the_end_comes_last_after_all_closes)
{
	struct fixture server = way_fixture(way(_i));
	struct fixture_socket a = fixture_listen(&server, "127.0.0.1", 0);
	struct fixture_socket b = fixture_listen(&server, "::1", 0);
	pid_t pid = server.pid;
	struct collect collect;
	struct collected event;

	collect_watch_by(&collect, server.pid, way(_i));
	fixture_end(&server);
	event = collect_wait(&collect, END, "", 0);
	ck_assert_int_eq(event.pid, pid);
	ck_assert_int_eq(event.family, 0);
	ck_assert_uint_eq(event.inode, 0);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, "127.0.0.1", a.port), 1);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, "::1", b.port), 1);
	ck_assert_uint_eq(collect_total(&collect), 5);
	ck_assert_int_eq(collect.events[4].kind, END);
	ck_assert_int_eq(portwatch_stop(collect.watcher), 0);
	collect_free(&collect);
}
END_TEST

START_TEST(a_restarted_server_is_reported_again)
{
	struct fixture shell = way_fixture(way(_i));
	struct fixture server = fixture_fork(&shell);
	struct fixture_socket socket = fixture_listen(&server, "127.0.0.1", 0);
	struct collect collect;
	struct collected event;

	collect_watch_by(&collect, shell.pid, way(_i));
	event = collect_wait(&collect, OPEN, "127.0.0.1", socket.port);
	ck_assert_int_eq(event.pid, server.pid);
	fixture_end(&server);
	collect_wait(&collect, CLOSE, "127.0.0.1", socket.port);
	server = fixture_fork(&shell);
	socket = fixture_listen(&server, "127.0.0.1", socket.port);
	event = collect_wait_count(&collect, OPEN, "127.0.0.1", socket.port, 2);
	ck_assert_int_eq(event.pid, server.pid);
	ck_assert_uint_eq(event.inode, socket.inode);
	collect_free(&collect);
	fixture_end(&server);
	fixture_end(&shell);
}
END_TEST

START_TEST(addresses_outside_are_passed_over)
{
	struct fixture server = way_fixture(way(_i));
	struct fixture_socket mapped = fixture_listen(&server, "::ffff:127.0.0.1", 0);
	struct fixture_socket mapped_any = fixture_listen(&server, "::ffff:0.0.0.0", 0);
	struct fixture_socket other = fixture_listen(&server, "127.0.0.2", 0);
	struct fixture_socket both = fixture_listen(&server, "::", 0);
	struct collect collect;
	struct collected event;

	collect_watch_by(&collect, server.pid, way(_i));
	event = collect_wait(&collect, OPEN, "127.0.0.1", mapped.port);
	ck_assert_int_eq(event.family, AF_INET);
	event = collect_wait(&collect, OPEN, "0.0.0.0", mapped_any.port);
	ck_assert_int_eq(event.family, AF_INET);
	event = collect_wait(&collect, OPEN, "::", both.port);
	ck_assert_int_eq(event.family, AF_INET6);
	collect_sync(&collect, &server, 2);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, other.port), 0);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* A bound socket that doesn't listen is not a port. */
START_TEST(bind_is_not_listen)
{
	struct fixture server = way_fixture(way(_i));
	struct fixture_socket bound =
		fixture_listen_with(&server, "127.0.0.1", 0, LISTEN_BIND_ONLY);
	struct fixture_socket automatic;
	struct collect collect;

	collect_watch_by(&collect, server.pid, way(_i));
	automatic = fixture_listen_with(&server, "0.0.0.0", 0, LISTEN_AUTOBIND);
	ck_assert_uint_ne(automatic.port, 0);
	collect_wait(&collect, OPEN, "0.0.0.0", automatic.port);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, bound.port), 0);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* A tree that keeps making network namespaces must not make portwatch_start() wait forever. */
START_TEST(a_start_waits_for_the_namespaces_it_began_with)
{
	struct netns namespaces[2] = {{.serial = 0}};
	struct view views[2] = {{.ns = &namespaces[0]}, {.ns = &namespaces[1], .joined = true}};
	struct subscription subscription = {.state = SUBSCRIPTION_STARTING};
	bool any;

	list_init(&subscription.views);
	ck_assert(!subscription_is_read(&subscription, &any));
	list_append(&subscription.views, &views[1].of_subscription);
	ck_assert(!subscription_is_read(&subscription, &any));
	list_append(&subscription.views, &views[0].of_subscription);
	views[1].ready = true;
	ck_assert(!subscription_is_read(&subscription, &any));
	views[0].ready = true;
	views[1].ready = false;
	ck_assert(subscription_is_read(&subscription, &any));
	ck_assert(any);
	views[0].ready = false;
	namespaces[0].exhausted = true;
	ck_assert(!subscription_is_read(&subscription, &any));
	namespaces[1].exhausted = true;
	ck_assert(subscription_is_read(&subscription, &any));
	ck_assert(!any);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("watch");
	TCase *start = tcase_create("start");
	TCase *ways = tcase_create("each way of reading and delivering");
	int count = way_count();

	tcase_add_loop_test(ways, initial_ports_come_before_start_returns, 0, count);
	tcase_add_loop_test(ways, an_open_event_has_all_properties, 0, count);
	tcase_add_loop_test(ways, close_and_reopen_are_news, 0, count);
	tcase_add_loop_test(ways, a_port_with_several_holders_is_reported_once, 0, count);
	tcase_add_loop_test(ways, the_end_comes_last_after_all_closes, 0, count);
	tcase_add_loop_test(ways, a_restarted_server_is_reported_again, 0, count);
	tcase_add_loop_test(ways, addresses_outside_are_passed_over, 0, count);
	tcase_add_loop_test(ways, bind_is_not_listen, 0, count);
	suite_add_tcase(suite, ways);
	tcase_add_test(start, a_start_waits_for_the_namespaces_it_began_with);
	suite_add_tcase(suite, start);
	return suite;
}

int main(int argc, char **argv)
{
	if (!notified_begin())
		return SKIP_STATUS;
	return check_main(argc, argv, make);
}
