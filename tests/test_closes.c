/* SPDX-License-Identifier: MIT */
/* test_closes.c - the kernel's reports of closed sockets, from the messages to the watcher */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/deny.h"
#include "support/fixture.h"
#include "support/reading.h"
#include "support/sandbox.h"
#include "support/skip.h"
#include "table/closes.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define HOUR 3600000 /* ms: nothing is polled while a test runs */

/* --- messages made by hand */

static struct closes closes;
static struct {
	struct nlmsghdr header;
	struct inet_diag_msg body;
} message;

static void make(uint16_t local, uint16_t remote)
{
	memset(&message, 0, sizeof(message));
	message.header.nlmsg_len = sizeof(message) + 300;
	message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	message.body.id.idiag_sport = htons(local);
	message.body.id.idiag_dport = htons(remote);
}

static void expect(uint64_t listeners, uint64_t samples)
{
	ck_assert_uint_eq(closes.listeners, listeners);
	ck_assert_uint_eq(closes.samples, samples);
	closes = (struct closes){0};
}

START_TEST(messages)
{
	make(80, 0);
	closes_parse(&message, sizeof(message), &closes);
	expect(1, 0);
	make(80, 40000);
	closes_parse(&message, sizeof(message), &closes);
	make(0, 0);
	closes_parse(&message, sizeof(message), &closes);
	expect(0, 2);
	for (size_t size = 0; size < sizeof(message); size++)
		closes_parse(&message, size, &closes);
	make(80, 0);
	message.header.nlmsg_type = NLMSG_ERROR;
	closes_parse(&message, sizeof(message), &closes);
	make(80, 0);
	message.header.nlmsg_len = sizeof(message) - 1;
	closes_parse(&message, sizeof(message), &closes);
	expect(0, 0);
}
END_TEST

/* --- messages of the kernel */

static int fd;

/* Enters a network namespace of its own, in which no other process closes sockets. */
static void begin(void)
{
	sandbox_enter();
	fd = closes_open();
	if (fd == -EPERM || fd == -ENOENT || fd == -EPROTONOSUPPORT || fd == -EINVAL)
		test_skip("the kernel doesn't report closed sockets: %s", strerror(-fd));
	ck_assert_int_ge(fd, 0);
}

static int listen_on(int family)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in four = {.sin_family = AF_INET};
	int listener = socket(family, SOCK_STREAM, 0);

	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0)
		test_skip("no IPv6 here");
	if (family == AF_INET)
		ck_assert_int_eq(bind(listener, (void *)&four, sizeof(four)), 0);
	else if (bind(listener, (void *)&six, sizeof(six)) < 0)
		test_skip("no ::1 here");
	ck_assert_int_eq(listen(listener, 8), 0);
	return listener;
}

static void await_listener(void)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	while (closes.listeners == 0) {
		ck_assert_int_eq(poll(&ready, 1, patience(60000)), 1);
		ck_assert_int_eq(closes_take(fd, &closes), 0);
	}
}

START_TEST(a_listener)
{
	static const int families[] = {AF_INET, AF_INET6};
	int listener;

	begin();
	listener = listen_on(families[_i]);
	ck_assert_int_eq(closes_take(fd, &closes), 0);
	expect(0, 0);
	close(listener);
	await_listener();
	expect(1, 0);
	close(fd);
}
END_TEST

static void close_others(int number)
{
	for (int i = 0; i < number; i++)
		close(socket(AF_INET, SOCK_STREAM, 0));
}

/* A sample arrives for many sockets that didn't listen. */
START_TEST(others)
{
	begin();
	while (closes.samples < 20) {
		close_others(CLOSES_SAMPLE);
		ck_assert_int_eq(closes_take(fd, &closes), 0);
		ck_assert_uint_eq(closes.listeners, 0);
	}
	close(fd);
}
END_TEST

START_TEST(connections)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int listener, client, server;

	begin();
	listener = listen_on(AF_INET);
	ck_assert_int_eq(getsockname(listener, (void *)&address, &size), 0);
	for (int i = 0; i < 2000; i++) {
		client = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(connect(client, (void *)&address, size), 0);
		server = accept(listener, NULL, NULL);
		close(client);
		close(server);
	}
	close(listener);
	await_listener();
	ck_assert_uint_eq(closes.listeners, 1);
	/* 62 are to be expected; 200 are practically impossible. */
	ck_assert_uint_lt(closes.samples, 200);
	close(fd);
}
END_TEST

START_TEST(an_overrun_counts_as_a_listener)
{
	int smallest = 1;

	begin();
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)), 0);
	for (int i = 0; i < 100; i++)
		close(listen_on(AF_INET));
	await_listener();
	ck_assert_int_eq(closes_take(fd, &closes), 0);
	ck_assert_uint_ge(closes.listeners, 1);
	close(fd);
}
END_TEST

START_TEST(a_closed_descriptor_is_an_error)
{
	begin();
	close(fd);
	ck_assert_int_eq(closes_take(fd, &closes), -EBADF);
}
END_TEST

/* --- readers */

static struct fixture fixture;
static struct reading reading;

static const enum portwatch_reader readers[] = {PORTWATCH_READER_LOCAL, PORTWATCH_READER_SETNS};
#define READERS ((int)(sizeof(readers) / sizeof(readers[0])))

static void start(enum portwatch_reader reader)
{
	fixture = fixture_start(reader == PORTWATCH_READER_LOCAL ? 0 : SANDBOX_NETNS);
	reading_aim(&reading, fixture.pid);
	reading.target.closes = true;
	ck_assert_int_eq(reading_open(&reading, reader, PORTWATCH_TABLE_AUTO), 0);
	reading_table(&reading);
	if (reader_reports_closed(reading.reader) < 0)
		test_skip("the kernel doesn't report closed sockets: %s",
		          strerror(-reader_reports_closed(reading.reader)));
	ck_assert_int_eq(reader_reports_closed(reading.reader), 1);
}

static void end(void)
{
	reading_end(&reading);
	fixture_end(&fixture);
}

static void await_closed(void)
{
	struct pollfd ready = {.fd = reader_fd(reading.reader), .events = POLLIN};

	while (!reader_take_closed(reading.reader)) {
		ck_assert_int_eq(poll(&ready, 1, patience(60000)), 1);
		ck_assert_int_eq(reader_process(reading.reader), READER_PENDING);
	}
}

START_TEST(a_reader_reports)
{
	struct fixture_socket socket;

	start(readers[_i]);
	for (int i = 0; i < 3; i++) {
		socket = fixture_listen(&fixture, "127.0.0.1", 0);
		reading_table(&reading);
		ck_assert(!reader_take_closed(reading.reader) ||
		          readers[_i] == PORTWATCH_READER_LOCAL);
		fixture_close(&fixture, socket);
		await_closed();
		reading_table(&reading);
	}
	end();
}
END_TEST

/* The helper reports closes only once between two requests, however many sockets are closed. */
START_TEST(a_helper_reports_once)
{
	struct pollfd ready;
	uint64_t received;

	start(PORTWATCH_READER_SETNS);
	fixture_churn(&fixture, "127.0.0.1", 1);
	await_closed();
	received = reader_received(reading.reader);
	fixture_churn(&fixture, "127.0.0.1", 500);
	ready = (struct pollfd){.fd = reader_fd(reading.reader), .events = POLLIN};
	ck_assert_int_eq(poll(&ready, 1, 0), 0);
	ck_assert_uint_eq(reader_received(reading.reader), received);
	ck_assert_uint_eq(reading_table(&reading)->count, 0);
	/* After an answer the helper reports again. */
	fixture_churn(&fixture, "127.0.0.1", 1);
	await_closed();
	end();
}
END_TEST

START_TEST(a_reader_without_a_request_for_closes)
{
	fixture = fixture_start(SANDBOX_NETNS);
	reading_start(&reading, fixture.pid, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO);
	reading_table(&reading);
	ck_assert_int_eq(reader_reports_closed(reading.reader), 0);
	end();
}
END_TEST

/* --- the watcher */

static void watch(struct collect *collect, enum portwatch_reader reader, unsigned int interval)
{
	collect_new(collect, fixture.pid);
	ck_assert_int_eq(portwatch_set_reader(collect->watcher, reader), 0);
	if (interval)
		ck_assert_int_eq(portwatch_set_interval(collect->watcher, interval), 0);
	collect_start(collect);
}

static int reported_by(struct collect *collect, char *reason, size_t size)
{
	return portwatch_get_notifier(collect->watcher, PORTWATCH_NOTICE_CLOSE, reason, size);
}

START_TEST(a_close_is_reported_at_once)
{
	bool local = readers[_i] == PORTWATCH_READER_LOCAL;
	struct fixture_socket first, second;
	struct collect collect;
	char reason[512];

	fixture = fixture_start(local ? 0 : SANDBOX_NETNS);
	first = fixture_listen(&fixture, "127.0.0.1", 0);
	second = fixture_listen(&fixture, "127.0.0.1", 0);
	deny(DENY_BPF | DENY_PERF);
	watch(&collect, readers[_i], HOUR);
	if (reported_by(&collect, reason, sizeof(reason)) != PORTWATCH_NOTIFIER_DESTROY)
		test_skip("%s", reason);
	collect_wait_message(&collect, "; the kernel reports closed sockets");
	collect_wait(&collect, OPEN, NULL, first.port);
	collect_wait(&collect, OPEN, NULL, second.port);
	fixture_close(&fixture, first);
	collect_wait(&collect, CLOSE, NULL, first.port);
	fixture_close(&fixture, second);
	collect_wait(&collect, CLOSE, NULL, second.port);
	collect_free(&collect);
	fixture_end(&fixture);
}
END_TEST

/* If the kernel doesn't report the close, the next poll finds it. */
START_TEST(a_close_without_report)
{
	bool local = readers[_i] == PORTWATCH_READER_LOCAL;
	struct fixture_socket socket;
	struct collect collect;
	char reason[512];

	fixture = fixture_start(local ? 0 : SANDBOX_NETNS);
	socket = fixture_listen(&fixture, "127.0.0.1", 0);
	deny(DENY_BPF | DENY_PERF | DENY_CLOSES);
	watch(&collect, readers[_i], 0);
	ck_assert_int_eq(reported_by(&collect, reason, sizeof(reason)), PORTWATCH_NOTIFIER_NONE);
	ck_assert_ptr_nonnull(strstr(reason, "closed sockets"));
	collect_wait_message(&collect, "; the kernel does not report closed sockets: ");
	collect_wait(&collect, OPEN, NULL, socket.port);
	fixture_close(&fixture, socket);
	collect_wait(&collect, CLOSE, NULL, socket.port);
	collect_free(&collect);
	fixture_end(&fixture);
}
END_TEST

/* With the notifier switched off, closes are not reported either. */
START_TEST(a_close_without_notifier)
{
	struct collect collect;
	char reason[512];

	fixture = fixture_start(0);
	collect_new(&collect, fixture.pid);
	ck_assert_int_eq(portwatch_set_notifier(collect.watcher, 0), 0);
	collect_start(&collect);
	ck_assert_int_eq(reported_by(&collect, reason, sizeof(reason)), PORTWATCH_NOTIFIER_NONE);
	collect_free(&collect);
	fixture_end(&fixture);
}
END_TEST

/* So many sockets are closed that the reports cost too much: the library polls and logs the reason.
 */
START_TEST(too_many_connections)
{
	bool local = readers[_i] == PORTWATCH_READER_LOCAL;
	time_t deadline = time(NULL) + patience(60);
	struct fixture_socket socket;
	struct collect collect;
	char reason[512];

	/* The local reader closes sockets in our own namespace. */
	if (!local)
		sandbox_enter();
	fixture = fixture_start(0);
	socket = fixture_listen(&fixture, "127.0.0.1", 0);
	deny(DENY_BPF | DENY_PERF);
	watch(&collect, readers[_i], 0);
	if (reported_by(&collect, reason, sizeof(reason)) != PORTWATCH_NOTIFIER_DESTROY)
		test_skip("%s", reason);
	while (reported_by(&collect, reason, sizeof(reason)) == PORTWATCH_NOTIFIER_DESTROY) {
		ck_assert(time(NULL) < deadline);
		close_others(1000);
	}
	ck_assert_ptr_nonnull(strstr(reason, "busy"));
	collect_wait_message(&collect, "too many connections");
	fixture_close(&fixture, socket);
	collect_wait(&collect, CLOSE, NULL, socket.port);
	ck_assert_uint_eq(collect_count_messages(&collect, "too many connections"), 1);
	collect_free(&collect);
	fixture_end(&fixture);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("closes");
	TCase *parse = tcase_create("parse"), *kernel = tcase_create("kernel");
	TCase *reader = tcase_create("reader"), *watcher = tcase_create("watcher");

	tcase_add_test(parse, messages);
	suite_add_tcase(suite, parse);
	tcase_add_loop_test(kernel, a_listener, 0, 2);
	tcase_add_test(kernel, others);
	tcase_add_test(kernel, connections);
	tcase_add_test(kernel, an_overrun_counts_as_a_listener);
	tcase_add_test(kernel, a_closed_descriptor_is_an_error);
	suite_add_tcase(suite, kernel);
	tcase_add_loop_test(reader, a_reader_reports, 0, READERS);
	tcase_add_test(reader, a_helper_reports_once);
	tcase_add_test(reader, a_reader_without_a_request_for_closes);
	suite_add_tcase(suite, reader);
	tcase_add_loop_test(watcher, a_close_is_reported_at_once, 0, READERS);
	tcase_add_loop_test(watcher, a_close_without_report, 0, READERS);
	tcase_add_test(watcher, a_close_without_notifier);
	tcase_add_loop_test(watcher, too_many_connections, 0, READERS);
	suite_add_tcase(suite, watcher);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
