/* SPDX-License-Identifier: MIT */
/* test_sockets.c - the sockets that a subscription sees, and the ports that they keep open */
#include <string.h>
#include <sys/socket.h>

#include "support/check_main.h"
#include "support/subscriber.h"

static struct subscriber it;

static void setup(void)
{
	subscriber_setup(&it);
}

static void teardown(void)
{
	subscriber_teardown(&it);
}

static void begin_with(const struct options *options)
{
	subscriber_begin(&it, options);
	subscriber_place(&it);
	subscriber_read(&it, NULL, 0);
	subscriber_run(&it);
}

static void begin(void)
{
	struct options options = subscriber_options();

	begin_with(&options);
}

/* The process alone holds the socket, and the owners have been updated. */
static void hold(pid_t pid, uint64_t start_time, struct socket *socket)
{
	subscriber_holds(&it, pid, start_time, &socket, 1);
	socket_hold(socket);
}

START_TEST(a_new_view_takes_over_earlier_rows)
{
	struct listener rows[2] = {subscriber_listener(80, 1), subscriber_listener(81, 2)};
	struct view *first;

	begin();
	first = it.view;
	subscriber_read(&it, rows, 2);
	subscriber_read(&it, rows, 1); /* the other listener is missing and may come back */
	view_free(first, false);
	it.view = view_get(it.subscription, it.ns);
	ck_assert_ptr_nonnull(it.view);
	/* The answer to a request from before the view does not count for the view. */
	view_completed(it.view);
	ck_assert(!it.view->ready);
	view_change(it.view, SNAPSHOT_ADDED, &rows[0]);
	ck_assert_ptr_null(view_find(it.view, &rows[0]));
	it.ns->completed = ++it.ns->requests;
	view_completed(it.view);
	ck_assert(it.view->ready);
	ck_assert(it.view->late);
	ck_assert_ptr_nonnull(view_find(it.view, &rows[0]));
	ck_assert_ptr_null(view_find(it.view, &rows[1]));
	/* The listener comes back: the table has not changed, and the view takes the socket over.
	 */
	subscriber_read(&it, rows, 2);
	ck_assert_ptr_nonnull(view_find(it.view, &rows[1]));
	ck_assert(!it.view->late);
}
END_TEST

START_TEST(a_new_socket_causes_a_search)
{
	struct listener row = subscriber_listener(80, 1);
	struct socket *socket;

	begin();
	it.subscription->attribute = false;
	subscriber_read(&it, &row, 1);
	socket = subscriber_socket(&it, &row);
	ck_assert(socket_is_pending(socket));
	ck_assert_int_eq(socket->state, SOCKET_NEW);
	ck_assert_uint_eq(it.subscription->pending, 1);
	ck_assert(it.subscription->attribute);
	subscriber_no_event(&it);
	hold(20, 200, socket);
	ck_assert_int_eq(socket->state, SOCKET_HELD);
	ck_assert_uint_eq(it.subscription->pending, 0);
}
END_TEST

START_TEST(a_port_is_open_while_a_socket_holds_it)
{
	struct listener row = subscriber_listener(80, 1);
	struct portwatch_event opened, closed;

	begin();
	subscriber_read(&it, &row, 1);
	hold(20, 200, subscriber_socket(&it, &row));
	opened = subscriber_event(&it, PORTWATCH_EVENT_OPEN);
	ck_assert_int_eq(opened.pid, 20);
	ck_assert_uint_eq(opened.start_time, 200);
	ck_assert_str_eq(opened.process, "fake");
	ck_assert_str_eq(opened.address, "127.0.0.1");
	ck_assert_uint_eq(opened.owners, 1);
	ck_assert_uint_eq(opened.netns, 4711);
	ck_assert(!opened.initial);
	ck_assert_uint_eq(it.subscription->port_count, 1);
	ck_assert(view_holds_ports(it.view));
	/* A close needs two reads without the listener, which the snapshot counts. */
	subscriber_read(&it, NULL, 0);
	ck_assert_ptr_nonnull(view_find(it.view, &row));
	fake_proc_find(&it.fake, 20)->name = "renamed";
	fake_proc_write(&it.fake, fake_proc_find(&it.fake, 20));
	subscriber_read(&it, NULL, 0);
	view_resolve(it.view);
	closed = subscriber_event(&it, PORTWATCH_EVENT_CLOSE);
	ck_assert_uint_eq(closed.id, opened.id);
	ck_assert_int_eq(closed.pid, 20);
	ck_assert_str_eq(closed.process, "renamed");
	ck_assert_uint_eq(it.subscription->port_count, 0);
	ck_assert(!view_holds_ports(it.view));
	ck_assert(list_empty(&it.subscription->dropping));
}
END_TEST

START_TEST(ports_that_are_open_at_the_start_are_initial)
{
	struct listener row = subscriber_listener(80, 1);
	struct options options = subscriber_options();

	subscriber_begin(&it, &options);
	subscriber_place(&it);
	subscriber_read(&it, &row, 1);
	hold(10, 100, subscriber_socket(&it, &row));
	subscriber_run(&it);
	ck_assert(subscriber_event(&it, PORTWATCH_EVENT_OPEN).initial);
}
END_TEST

/* An event reports one socket of a port: the one that was held longest. */
START_TEST(sockets_of_one_port)
{
	struct listener rows[2] = {subscriber_listener(80, 1), subscriber_listener(80, 2)};
	struct socket *first, *second;
	struct portwatch_event event;

	begin();
	subscriber_read(&it, rows, 2);
	first = subscriber_socket(&it, &rows[0]);
	second = subscriber_socket(&it, &rows[1]);
	hold(20, 200, second);
	hold(10, 100, first);
	event = subscriber_event(&it, PORTWATCH_EVENT_OPEN);
	ck_assert_int_eq(event.pid, 20);
	ck_assert_uint_eq(event.listener.inode, 2);
	subscriber_no_event(&it);
	ck_assert(socket_is_named(second) && !socket_is_named(first));
	ck_assert_uint_eq(it.subscription->port_count, 1);
	socket_release(second);
	event = subscriber_event(&it, PORTWATCH_EVENT_OWNER);
	ck_assert_int_eq(event.pid, 10);
	ck_assert_uint_eq(event.listener.inode, 1);
	ck_assert_uint_eq(it.subscription->port_count, 1);
	socket_release(first);
	event = subscriber_event(&it, PORTWATCH_EVENT_CLOSE);
	ck_assert_int_eq(event.pid, 10);
	ck_assert_uint_eq(event.listener.inode, 1);
	ck_assert_uint_eq(it.subscription->port_count, 0);
}
END_TEST

/* An event names the oldest live holder, and the trees learn that the others have exited. */
START_TEST(an_event_names_who_is_alive)
{
	struct listener row = subscriber_listener(80, 1);
	struct socket *socket;
	struct portwatch_event event;

	begin();
	subscriber_read(&it, &row, 1);
	socket = subscriber_socket(&it, &row);
	subscriber_holds(&it, 10, 100, &socket, 1);
	subscriber_holds(&it, 20, 200, &socket, 1);
	fake_proc_remove(&it.fake, 10);
	fake_proc_add(&it.fake, 10, 1, 999); /* another process has its PID */
	socket_hold(socket);
	event = subscriber_event(&it, PORTWATCH_EVENT_OPEN);
	ck_assert_int_eq(event.pid, 20);
	ck_assert_uint_eq(event.owners, 1);
	ck_assert(it.context.exited);
}
END_TEST

/* The library follows a socket that is passed on to a child. After several holders without success,
 * the port is reported with the last known owner. */
START_TEST(a_socket_whose_holders_exit_is_chased)
{
	struct listener row = subscriber_listener(80, 1);
	struct socket *socket;
	struct portwatch_event event;

	begin();
	subscriber_read(&it, &row, 1);
	socket = subscriber_socket(&it, &row);
	for (int i = 0; i < 3; i++) {
		hold(500 + i, 77, socket); /* already exited */
		subscriber_no_event(&it);
		ck_assert_int_eq(socket->state, SOCKET_OWNERLESS);
		ck_assert_uint_eq(it.subscription->pending, 1);
		ck_assert_ptr_null(socket->port);
	}
	hold(503, 77, socket);
	event = subscriber_event(&it, PORTWATCH_EVENT_OPEN);
	ck_assert_int_eq(event.pid, 503);
	ck_assert_int_eq(socket->state, SOCKET_OWNERLESS);
	ck_assert_uint_eq(it.subscription->pending, 1);
}
END_TEST

/* During the search for a new owner, the port keeps the previous owner, and so does the port's
 * close. */
START_TEST(a_port_outlives_its_owner)
{
	struct listener row = subscriber_listener(80, 1);
	struct socket *socket;
	struct portwatch_event event;

	begin();
	subscriber_read(&it, &row, 1);
	socket = subscriber_socket(&it, &row);
	hold(20, 200, socket);
	subscriber_event(&it, PORTWATCH_EVENT_OPEN);
	subscriber_holds(&it, 20, 200, NULL, 0);
	socket_lose_owner(socket);
	subscriber_no_event(&it);
	ck_assert_int_eq(socket->state, SOCKET_OWNERLESS);
	ck_assert_uint_eq(it.subscription->port_count, 1);
	hold(10, 100, socket);
	event = subscriber_event(&it, PORTWATCH_EVENT_OWNER);
	ck_assert_int_eq(event.pid, 10);
	subscriber_holds(&it, 10, 100, NULL, 0);
	socket_lose_owner(socket);
	socket_release(socket);
	event = subscriber_event(&it, PORTWATCH_EVENT_CLOSE);
	ck_assert_int_eq(event.pid, 10);
	ck_assert_int_eq(socket->state, SOCKET_UNATTRIBUTED);
}
END_TEST

START_TEST(an_ownerless_socket_is_reported)
{
	struct listener row = subscriber_listener(80, 1);
	struct socket *socket;

	begin();
	subscriber_read(&it, &row, 1);
	socket = subscriber_socket(&it, &row);
	socket_show(socket);
	ck_assert_int_eq(subscriber_event(&it, PORTWATCH_EVENT_OPEN).pid, 0);
	ck_assert_uint_eq(it.subscription->pending, 0);
	hold(20, 200, socket);
	ck_assert_int_eq(subscriber_event(&it, PORTWATCH_EVENT_OWNER).pid, 20);
}
END_TEST

/* A server restarts: its next socket exists before the library knows the socket's owner. */
START_TEST(a_port_waits_for_the_owner_of_another_socket)
{
	struct listener old = subscriber_listener(80, 1), new = subscriber_listener(80, 2);
	struct listener both[2] = {old, new};

	begin();
	subscriber_read(&it, &old, 1);
	hold(20, 200, subscriber_socket(&it, &old));
	subscriber_event(&it, PORTWATCH_EVENT_OPEN);
	subscriber_read(&it, both, 2);
	subscriber_read(&it, &new, 1);
	subscriber_read(&it, &new, 1);
	ck_assert_ptr_null(view_find(it.view, &old));
	view_resolve(it.view);
	subscriber_no_event(&it);
	ck_assert(!list_empty(&it.subscription->dropping));
	hold(20, 200, subscriber_socket(&it, &new));
	view_resolve(it.view);
	ck_assert_uint_eq(subscriber_event(&it, PORTWATCH_EVENT_OWNER).listener.inode, 2);
	subscriber_no_event(&it);
	ck_assert_uint_eq(it.subscription->port_count, 1);
	ck_assert(list_empty(&it.subscription->dropping));
}
END_TEST

START_TEST(ports_beyond_the_limit_are_hidden)
{
	struct options options = subscriber_options();
	struct listener rows[4];
	struct socket *sockets[4];

	options.ports = 2;
	begin_with(&options);
	for (uint16_t i = 0; i < 3; i++)
		rows[i] = subscriber_listener((uint16_t)(80 + i), 1U + i);
	rows[3] = subscriber_listener(80, 9);
	subscriber_read(&it, rows, 4);
	for (int i = 0; i < 4; i++)
		sockets[i] = subscriber_socket(&it, &rows[i]);
	subscriber_holds(&it, 20, 200, sockets, 4);
	for (int i = 0; i < 4; i++)
		socket_hold(sockets[i]);
	/* The port of the fourth socket is already open. */
	subscriber_event(&it, PORTWATCH_EVENT_OPEN);
	subscriber_event(&it, PORTWATCH_EVENT_OPEN);
	subscriber_no_event(&it);
	ck_assert_uint_eq(it.subscription->port_count, 2);
	ck_assert_uint_eq(it.subscription->hidden, 1);
	ck_assert(sockets[2]->hidden && !sockets[3]->hidden);
	ck_assert_uint_eq(it.subscription->pending, 0);
	ck_assert_uint_eq(subscriber_messages(&it, "more than 2 open ports"), 1);
	socket_release(sockets[1]);
	subscriber_event(&it, PORTWATCH_EVENT_CLOSE);
	socket_hold(sockets[2]);
	ck_assert_uint_eq(subscriber_event(&it, PORTWATCH_EVENT_OPEN).listener.port, 82);
	ck_assert_uint_eq(it.subscription->hidden, 0);
}
END_TEST

static struct listener at(int family, const uint8_t bytes[16])
{
	struct listener listener = {
		.inode = 1, .port = 80, .family = (uint8_t)family, .v6only = -1};

	memcpy(listener.address, bytes, family == AF_INET ? 4 : 16);
	return listener;
}

START_TEST(unwanted_addresses_are_left_out)
{
	static const struct {
		int family;
		uint8_t bytes[16];
		bool local, loopback; /* wanted by the default; by the whole of 127.0.0.0/8 */
	} rows[] = {
		{AF_INET, {127, 0, 0, 1}, true, true},
		{AF_INET, {0}, true, true},
		{AF_INET, {127, 0, 0, 2}, false, true},
		{AF_INET, {10, 0, 0, 1}, false, false},
		{AF_INET6, {0}, true, true},
		{AF_INET6, {[15] = 1}, true, true},
		{AF_INET6, {[15] = 2}, false, false},
		{AF_INET6, {0xfe, 0x80, [15] = 1}, false, false},
	};
	struct options options = subscriber_options();

	options.addresses = _i ? PORTWATCH_ADDRESSES_LOOPBACK : PORTWATCH_ADDRESSES_DEFAULT;
	begin_with(&options);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct listener row = at(rows[i].family, rows[i].bytes);

		view_change(it.view, SNAPSHOT_ADDED, &row);
		ck_assert_msg(!!view_find(it.view, &row) == (_i ? rows[i].loopback : rows[i].local),
		              "row %zu", i);
		view_change(it.view, SNAPSHOT_ADDED, &row);
	}
	ck_assert_uint_eq(subscriber_messages(&it, "skipping listeners on"), _i ? 3 : 4);
}
END_TEST

START_TEST(skipped_addresses_are_bounded)
{
	struct options options = subscriber_options();

	options.addresses = PORTWATCH_ADDRESSES_DEFAULT;
	begin_with(&options);
	for (uint8_t i = 0; i < 2 * SKIPPED_MAX; i++) {
		struct listener row = at(AF_INET, (uint8_t[16]){10, 0, 0, i});

		view_change(it.view, SNAPSHOT_ADDED, &row);
	}
	ck_assert_uint_eq(subscriber_messages(&it, "skipping listeners on"), SKIPPED_MAX);
	ck_assert_uint_eq(subscriber_messages(&it, "further skipped addresses are not logged"), 1);
}
END_TEST

START_TEST(there_is_one_view_of_a_namespace)
{
	struct netns_id id, other;

	begin();
	id = it.ns->id;
	other = id;
	other.dev++;
	ck_assert_ptr_eq(view_get(it.subscription, it.ns), it.view);
	ck_assert_ptr_eq(view_find_netns(it.subscription, &id), it.view);
	ck_assert_ptr_null(view_find_netns(it.subscription, &other));
	view_free(it.view, true);
	ck_assert_ptr_null(view_find_netns(it.subscription, &id));
	ck_assert(list_empty(&it.ns->views));
}
END_TEST

START_TEST(a_freed_view_closes_its_ports)
{
	struct listener row = subscriber_listener(80, 1);

	begin();
	subscriber_read(&it, &row, 1);
	hold(20, 200, subscriber_socket(&it, &row));
	subscriber_event(&it, PORTWATCH_EVENT_OPEN);
	view_free(it.view, _i);
	if (_i)
		subscriber_event(&it, PORTWATCH_EVENT_CLOSE);
	subscriber_no_event(&it);
	ck_assert_uint_eq(it.subscription->pending, 0);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("sockets");
	TCase *views = tcase_create("views"), *ports = tcase_create("ports");

	tcase_add_checked_fixture(views, setup, teardown);
	tcase_add_test(views, a_new_view_takes_over_earlier_rows);
	tcase_add_loop_test(views, unwanted_addresses_are_left_out, 0, 2);
	tcase_add_test(views, skipped_addresses_are_bounded);
	tcase_add_test(views, there_is_one_view_of_a_namespace);
	tcase_add_loop_test(views, a_freed_view_closes_its_ports, 0, 2);
	suite_add_tcase(suite, views);
	tcase_add_checked_fixture(ports, setup, teardown);
	tcase_add_test(ports, a_new_socket_causes_a_search);
	tcase_add_test(ports, a_port_is_open_while_a_socket_holds_it);
	tcase_add_test(ports, ports_that_are_open_at_the_start_are_initial);
	tcase_add_test(ports, sockets_of_one_port);
	tcase_add_test(ports, an_event_names_who_is_alive);
	tcase_add_test(ports, a_socket_whose_holders_exit_is_chased);
	tcase_add_test(ports, a_port_outlives_its_owner);
	tcase_add_test(ports, an_ownerless_socket_is_reported);
	tcase_add_test(ports, a_port_waits_for_the_owner_of_another_socket);
	tcase_add_test(ports, ports_beyond_the_limit_are_hidden);
	suite_add_tcase(suite, ports);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
