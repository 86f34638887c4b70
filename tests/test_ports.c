/* SPDX-License-Identifier: MIT */
/* test_ports.c - the open ports, and which of them the callback knows */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "support/check_main.h"
#include "watch/ports.h"

#define NETNS 1

static struct ports ports;

static void setup(void)
{
	ports_init(&ports);
}

static void teardown(void)
{
	ports_clear(&ports);
}

static struct portwatch_event make_event(uint16_t number, pid_t owner)
{
	struct portwatch_event event = {
		.kind = PORTWATCH_EVENT_OPEN,
		.listener = {.family = AF_INET, .port = number, .address = {127, 0, 0, 1}},
		.pid = owner,
		.owners = 1,
	};

	event.listener.inode = 1000 + (uint64_t)owner;
	snprintf(event.process, sizeof(event.process), "p%d", (int)owner);
	return event;
}

static struct port *open_in(uint64_t netns, uint16_t number)
{
	struct portwatch_event event = make_event(number, 1);
	struct port *port = ports_open(&ports, netns, &event);

	ck_assert_ptr_nonnull(port);
	return port;
}

static struct port *open_port(uint16_t number)
{
	return open_in(NETNS, number);
}

static bool change_owner(struct port *port, pid_t owner)
{
	struct portwatch_event event = make_event(port->event.listener.port, owner);

	return ports_owner(&ports, port, &event);
}

/* Returns the waiting events as text: "+80 =80 -80". */
static const char *take_events(void)
{
	static char text[4096];
	struct portwatch_event event;
	size_t used = 0;

	text[0] = '\0';
	while (used < sizeof(text) - 16 && ports_next(&ports, &event))
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%c%u",
		                         used ? " " : "",
		                         event.kind == PORTWATCH_EVENT_OPEN    ? '+'
		                         : event.kind == PORTWATCH_EVENT_OWNER ? '='
		                                                               : '-',
		                         (unsigned int)event.listener.port);
	return text;
}

START_TEST(an_open_port_is_reported_once)
{
	open_port(80);
	open_port(80);
	ck_assert_str_eq(take_events(), "+80");
	open_port(80);
	ck_assert_str_eq(take_events(), "");
}
END_TEST

START_TEST(closes_with_the_last_socket)
{
	struct port *port = open_port(80);

	open_port(80);
	ports_close(&ports, port, NULL);
	ck_assert_str_eq(take_events(), "+80");
	ports_close(&ports, port, NULL);
	ck_assert_str_eq(take_events(), "-80");
}
END_TEST

START_TEST(is_new_after_a_close)
{
	ports_close(&ports, open_port(80), NULL);
	open_port(80);
	ck_assert_str_eq(take_events(), "+80 -80 +80");
}
END_TEST

START_TEST(namespaces_are_distinguished)
{
	struct port *here = open_in(1, 80), *there = open_in(2, 80);

	ck_assert_ptr_ne(here, there);
	ck_assert_str_eq(take_events(), "+80 +80");
	ports_close(&ports, here, NULL);
	ck_assert_str_eq(take_events(), "-80");
	ck_assert_uint_eq(there->sockets, 1);
}
END_TEST

START_TEST(keeps_the_order)
{
	for (uint16_t number = 1; number <= 20; number++)
		open_port(number);
	ck_assert_str_eq(take_events(),
	                 "+1 +2 +3 +4 +5 +6 +7 +8 +9 +10 +11 +12 +13 +14 +15 +16 +17 +18 +19 +20");
}
END_TEST

START_TEST(closed_and_reported_ports_are_freed)
{
	ports_close(&ports, open_port(80), NULL);
	take_events();
	ck_assert(list_empty(&ports.list));
}
END_TEST

/* Expects the next event to be this one, with the details of one socket. Returns its id. */
static uint64_t expect(enum portwatch_event_kind kind, uint16_t number, pid_t owner)
{
	struct portwatch_event event, wanted = make_event(number, owner);

	ck_assert(ports_next(&ports, &event));
	ck_assert_int_eq(event.kind, kind);
	ck_assert_uint_eq(event.listener.port, number);
	ck_assert_int_eq(event.pid, owner);
	ck_assert_uint_eq(event.listener.inode, wanted.listener.inode);
	ck_assert_str_eq(event.process, wanted.process);
	return event.id;
}

START_TEST(owners_are_reported_where_that_is_wanted)
{
	struct port *port = open_port(80);

	ck_assert(!change_owner(port, 1));
	ck_assert(change_owner(port, 2));
	ck_assert_str_eq(take_events(), "+80");
	ports.reports_owners = true;
	ck_assert(!change_owner(port, 2));
	ck_assert_str_eq(take_events(), "");
	ck_assert(change_owner(port, 3));
	expect(PORTWATCH_EVENT_OWNER, 80, 3);
	ck_assert_str_eq(take_events(), "");
}
END_TEST

/* For example, a server has closed its socket and listens on another one. Further details of the
 * same socket, from a later read, are not a change. */
START_TEST(another_socket_of_the_same_owner_is_reported)
{
	struct portwatch_event event = make_event(80, 1);
	struct port *port = open_port(80);

	ports.reports_owners = true;
	expect(PORTWATCH_EVENT_OPEN, 80, 1);
	event.listener.cookie = 5;
	ck_assert(!ports_owner(&ports, port, &event));
	ck_assert_str_eq(take_events(), "");
	ck_assert_uint_eq(port->event.listener.cookie, 5);
	event.listener.inode++;
	ck_assert(ports_owner(&ports, port, &event));
	ck_assert_str_eq(take_events(), "=80");
	ck_assert(!ports_owner(&ports, port, &event));
	ck_assert_str_eq(take_events(), "");
}
END_TEST

START_TEST(a_close_names_the_last_owner_with_its_socket)
{
	struct port *port = open_port(80);

	expect(PORTWATCH_EVENT_OPEN, 80, 1);
	change_owner(port, 2);
	ports_close(&ports, port, NULL);
	expect(PORTWATCH_EVENT_CLOSE, 80, 2);
}
END_TEST

START_TEST(a_close_has_the_name_of_its_time)
{
	struct portwatch_event event;

	ports_close(&ports, open_port(80), "renamed");
	ck_assert(ports_next(&ports, &event));
	ck_assert_str_eq(event.process, "p1");
	ck_assert(ports_next(&ports, &event));
	ck_assert_str_eq(event.process, "renamed");
}
END_TEST

START_TEST(an_id_lasts_from_open_to_close)
{
	uint64_t first, second, other;
	struct port *port = open_port(80);

	ports.reports_owners = true;
	first = expect(PORTWATCH_EVENT_OPEN, 80, 1);
	ck_assert_uint_ne(first, 0);
	change_owner(port, 2);
	ck_assert_uint_eq(expect(PORTWATCH_EVENT_OWNER, 80, 2), first);
	ports_close(&ports, port, NULL);
	open_in(2, 80);
	port = open_port(80);
	ck_assert_uint_eq(expect(PORTWATCH_EVENT_CLOSE, 80, 2), first);
	other = expect(PORTWATCH_EVENT_OPEN, 80, 1);
	second = expect(PORTWATCH_EVENT_OPEN, 80, 1);
	ck_assert_uint_ne(second, first);
	ck_assert_uint_ne(second, other);
	ck_assert_uint_ne(other, first);
	ports_close(&ports, port, NULL);
	ck_assert_uint_eq(expect(PORTWATCH_EVENT_CLOSE, 80, 1), second);
}
END_TEST

static unsigned int drain(unsigned int *opened, unsigned int *closed)
{
	struct portwatch_event event;
	unsigned int count = 0;

	for (; ports_next(&ports, &event); count++)
		++*(event.kind == PORTWATCH_EVENT_OPEN ? opened : closed);
	return count;
}

START_TEST(an_overflow_reports_all_open_ports)
{
	unsigned int opened = 0, closed = 0;

	for (unsigned int number = 1; number <= 60000; number++)
		open_port((uint16_t)number);
	ck_assert(ports.resync);
	ck_assert(ports_waiting(&ports));
	ck_assert_uint_eq(drain(&opened, &closed), 60000);
	ck_assert_uint_eq(opened, 60000);
	ck_assert(!ports_waiting(&ports));
}
END_TEST

/* Events that were delivered before the overflow are not repeated, and their ports' closes are not
 * lost. */
START_TEST(an_overflow_reports_the_difference)
{
	struct port *stays = open_port(1), *goes = open_port(2);
	unsigned int opened = 0, closed = 0;

	ck_assert_str_eq(take_events(), "+1 +2");
	for (int i = 0; i < EVENT_QUEUE_MAX; i++)
		ports_close(&ports, open_port(3), NULL);
	ports_close(&ports, goes, NULL);
	open_port(4);
	drain(&opened, &closed);
	ck_assert_uint_eq(opened, 1);
	ck_assert_uint_eq(closed, 1);
	ck_assert(stays->delivered);
	ports_close(&ports, stays, NULL);
	ck_assert_str_eq(take_events(), "-1");
}
END_TEST

START_TEST(an_overflow_drops_ports_that_were_never_reported)
{
	for (int i = 0; i < 2 * EVENT_QUEUE_MAX; i++)
		ports_close(&ports, open_port((uint16_t)(1 + i % 60000)), NULL);
	ck_assert_uint_le(ports_pending(&ports), EVENT_QUEUE_MAX / 2);
	while (ports_waiting(&ports))
		ck_assert_str_eq(take_events(), "");
	ck_assert(list_empty(&ports.list));
}
END_TEST

static void overflow(void)
{
	for (int i = 0; i < EVENT_QUEUE_MAX; i++)
		ports_close(&ports, open_port(3), NULL);
	ck_assert(ports.resync);
}

/* A port whose close and second open were both dropped stayed open from the callback's view. */
START_TEST(an_overflow_keeps_the_reported_id)
{
	struct port *port = open_port(80);
	uint64_t id = expect(PORTWATCH_EVENT_OPEN, 80, 1);

	ports_close(&ports, port, NULL);
	port = open_port(80);
	overflow();
	ck_assert_str_eq(take_events(), "");
	ports_close(&ports, port, NULL);
	ck_assert_uint_eq(expect(PORTWATCH_EVENT_CLOSE, 80, 1), id);
}
END_TEST

START_TEST(an_overflow_reports_the_last_owner)
{
	struct port *port;

	ports.reports_owners = true;
	port = open_port(80);
	expect(PORTWATCH_EVENT_OPEN, 80, 1);
	change_owner(port, 2);
	overflow();
	change_owner(port, 3);
	expect(PORTWATCH_EVENT_OWNER, 80, 3);
	ck_assert_str_eq(take_events(), "");
	/* another process closes and reopens the port, and both events are dropped */
	ports_close(&ports, port, NULL);
	open_port(80);
	overflow();
	expect(PORTWATCH_EVENT_OWNER, 80, 1);
	/* opened, and then handed on */
	change_owner(open_port(81), 4);
	overflow();
	expect(PORTWATCH_EVENT_OPEN, 81, 4);
	ck_assert_str_eq(take_events(), "");
}
END_TEST

/* After any sequence, the callback's view matches the real state. */
static void follow(const struct portwatch_event *event, bool *open, uint64_t *id, pid_t *owner)
{
	bool opens = event->kind == PORTWATCH_EVENT_OPEN;

	ck_assert_int_ne(*open, opens);
	if (opens)
		ck_assert_uint_gt(event->id, *id);
	else
		ck_assert_uint_eq(event->id, *id);
	*id = event->id;
	*open = event->kind != PORTWATCH_EVENT_CLOSE;
	*owner = *open ? event->pid : 0;
}

START_TEST(agrees_with_a_model)
{
	bool open[16] = {false}, seen[16] = {false};
	pid_t owner[16] = {0}, seen_owner[16] = {0};
	uint64_t ids[16] = {0};
	struct port *held[16] = {NULL};
	struct portwatch_event event;

	srand(1);
	ports.reports_owners = true;
	for (int step = 0; step < 200000; step++) {
		unsigned int number = (unsigned int)rand() % 16;

		if (open[number] && step % 3 == 0) {
			owner[number] = 1 + rand() % 5;
			change_owner(held[number], owner[number]);
			continue;
		}
		if (open[number])
			ports_close(&ports, held[number], NULL);
		else
			held[number] = open_port((uint16_t)(number + 1));
		open[number] = !open[number];
		owner[number] = open[number];
		/* Events are read so seldom that the queue overflows. */
		for (int i = rand() % 40000 == 0 ? 1000000 : 0; i > 0 && ports_next(&ports, &event);
		     i--) {
			unsigned int at = event.listener.port - 1U;

			follow(&event, &seen[at], &ids[at], &seen_owner[at]);
		}
	}
	while (ports_next(&ports, &event)) {
		unsigned int at = event.listener.port - 1U;

		follow(&event, &seen[at], &ids[at], &seen_owner[at]);
	}
	ck_assert_mem_eq(open, seen, sizeof(open));
	ck_assert_mem_eq(owner, seen_owner, sizeof(owner));
}
END_TEST

START_TEST(queue_is_bounded)
{
	struct event_queue queue = {0};
	struct portwatch_event event = {.kind = PORTWATCH_EVENT_OPEN};

	for (int i = 0; i < EVENT_QUEUE_MAX; i++) {
		event.pid = i;
		ck_assert_int_eq(event_queue_push(&queue, &event), 0);
	}
	ck_assert_int_eq(event_queue_push(&queue, &event), -ENOBUFS);
	for (int i = 0; i < EVENT_QUEUE_MAX; i++) {
		ck_assert(event_queue_pop(&queue, &event));
		ck_assert_int_eq(event.pid, i);
	}
	ck_assert(!event_queue_pop(&queue, &event));
	/* The queue frees its memory after a burst. */
	ck_assert_ptr_null(queue.ring);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("ports");
	TCase *dispatch = tcase_create("dispatch");
	TCase *overflow = tcase_create("overflow");

	tcase_add_checked_fixture(dispatch, setup, teardown);
	tcase_add_test(dispatch, an_open_port_is_reported_once);
	tcase_add_test(dispatch, closes_with_the_last_socket);
	tcase_add_test(dispatch, is_new_after_a_close);
	tcase_add_test(dispatch, namespaces_are_distinguished);
	tcase_add_test(dispatch, keeps_the_order);
	tcase_add_test(dispatch, closed_and_reported_ports_are_freed);
	tcase_add_test(dispatch, owners_are_reported_where_that_is_wanted);
	tcase_add_test(dispatch, another_socket_of_the_same_owner_is_reported);
	tcase_add_test(dispatch, a_close_names_the_last_owner_with_its_socket);
	tcase_add_test(dispatch, a_close_has_the_name_of_its_time);
	tcase_add_test(dispatch, an_id_lasts_from_open_to_close);
	suite_add_tcase(suite, dispatch);

	tcase_add_checked_fixture(overflow, setup, teardown);
	tcase_add_test(overflow, an_overflow_reports_all_open_ports);
	tcase_add_test(overflow, an_overflow_reports_the_difference);
	tcase_add_test(overflow, an_overflow_keeps_the_reported_id);
	tcase_add_test(overflow, an_overflow_reports_the_last_owner);
	tcase_add_test(overflow, an_overflow_drops_ports_that_were_never_reported);
	tcase_add_test(overflow, agrees_with_a_model);
	tcase_add_test(overflow, queue_is_bounded);
	suite_add_tcase(suite, overflow);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
