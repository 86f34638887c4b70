/* SPDX-License-Identifier: MIT */
/* test_cmd_overlap.c - ports that belong to several watched trees */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../cmd/overlap.h"
#include "watch/ports.h"
#include "support/check_main.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define OWNER PORTWATCH_EVENT_OWNER
#define END PORTWATCH_EVENT_END

static struct overlap overlap;

static void set_up(void)
{
	overlap = (struct overlap){.enabled = true};
}

static void tear_down(void)
{
	overlap_free(&overlap);
}

/* The addresses of these bytes identify the watchers. */
static char watchers[3];
static struct format_fields printed;
static char printed_name[64];

static struct portwatch_event make_event(enum portwatch_event_kind kind, uint16_t port)
{
	struct portwatch_event event;

	memset(&event, 0, sizeof(event));
	event.kind = kind;
	event.listener.family = AF_INET;
	event.listener.port = port;
	event.netns = 100;
	event.id = port;
	return event;
}

static int take(int watcher, const struct portwatch_event *event)
{
	int result;

	printed = (struct format_fields){
		.kind = event->kind,
		.id = event->id,
		.pid = event->pid,
		.process = event->process,
		.owners = event->owners,
		.inode = event->listener.inode,
		.initial = event->initial,
	};
	result = overlap_take(&overlap, (const struct portwatch *)(const void *)&watchers[watcher],
	                      event, &printed);
	snprintf(printed_name, sizeof(printed_name), "%s", printed.process);
	return result;
}

static int count_by(int watcher, enum portwatch_event_kind kind, uint16_t port)
{
	struct portwatch_event event = make_event(kind, port);

	return take(watcher, &event);
}

static int count(enum portwatch_event_kind kind, uint16_t port)
{
	return count_by(0, kind, port);
}

/* Passes an event of a port. The number `owner` is part of the socket, the owner and the name. */
static int say(int watcher, enum portwatch_event_kind kind, pid_t owner)
{
	struct portwatch_event event = make_event(kind, 80);

	event.pid = owner;
	event.owners = owner != 0;
	event.listener.inode = 1000 + (uint64_t)owner;
	if (owner)
		snprintf(event.process, sizeof(event.process), "p%d", (int)owner);
	return take(watcher, &event);
}

/* Expects the printed event: one owner with its own socket and name, and the id of the port. */
static void expect(int watcher, enum portwatch_event_kind kind, pid_t owner,
                   enum portwatch_event_kind kind_printed, pid_t owner_printed)
{
	char name[16] = "";

	ck_assert_int_eq(say(watcher, kind, owner), 1);
	ck_assert_int_eq(printed.kind, kind_printed);
	ck_assert_int_eq(printed.pid, owner_printed);
	ck_assert_uint_eq(printed.inode, 1000 + (uint64_t)owner_printed);
	if (owner_printed)
		snprintf(name, sizeof(name), "p%d", (int)owner_printed);
	ck_assert_str_eq(printed_name, name);
}

START_TEST(the_first_open_and_the_last_close_count)
{
	ck_assert_int_eq(count_by(0, OPEN, 80), 1);
	ck_assert_int_eq(count_by(1, OPEN, 80), 0);
	ck_assert_int_eq(count_by(0, OPEN, 81), 1);
	ck_assert_int_eq(count_by(0, CLOSE, 80), 0);
	ck_assert_int_eq(count_by(1, CLOSE, 80), 1);
	/* a new port again */
	ck_assert_int_eq(count_by(1, OPEN, 80), 1);
	ck_assert_int_eq(count_by(0, CLOSE, 81), 1);
}
END_TEST

START_TEST(namespaces_families_and_addresses_differ)
{
	struct portwatch_event event = make_event(OPEN, 80);

	ck_assert_int_eq(take(0, &event), 1);
	event.netns = 101;
	ck_assert_int_eq(take(0, &event), 1);
	event.cookie = 1;
	ck_assert_int_eq(take(0, &event), 1);
	event.cookie = 2;
	ck_assert_int_eq(take(0, &event), 1);
	/* a namespace with a cookie, whose number a later namespace may get */
	event.netns = 102;
	ck_assert_int_eq(take(1, &event), 0);
	event.listener.family = AF_INET6;
	ck_assert_int_eq(take(0, &event), 1);
	event.listener.address[15] = 1;
	ck_assert_int_eq(take(0, &event), 1);
	ck_assert_int_eq(take(1, &event), 0);
}
END_TEST

/* Two ports in unknown namespaces may be one or two, so both are printed. */
START_TEST(unknown_namespaces_are_not_mixed_up)
{
	struct portwatch_event one = make_event(OPEN, 80), two = make_event(OPEN, 80);

	one.netns = two.netns = 0;
	two.id = one.id + 1;
	ck_assert_int_eq(take(0, &one), 1);
	ck_assert_int_eq(take(0, &two), 1);
	ck_assert_int_eq(take(1, &one), 1);
	one.kind = two.kind = CLOSE;
	ck_assert_int_eq(take(0, &two), 1);
	ck_assert_int_eq(take(0, &one), 1);
	ck_assert_int_eq(take(1, &one), 1);
}
END_TEST

START_TEST(one_watcher_reports_a_shared_port)
{
	expect(0, OPEN, 7, OPEN, 7);
	ck_assert_int_eq(say(1, OPEN, 8), 0);
	ck_assert_int_eq(say(1, OWNER, 9), 0);
	expect(0, OWNER, 10, OWNER, 10);
	/* until this watcher has closed the port */
	expect(0, CLOSE, 10, OWNER, 9);
	expect(1, OWNER, 11, OWNER, 11);
	expect(1, CLOSE, 11, CLOSE, 11);
}
END_TEST

START_TEST(the_watcher_that_knows_the_owner_reports)
{
	expect(0, OPEN, 0, OPEN, 0);
	expect(1, OPEN, 8, OWNER, 8);
	ck_assert(!printed.initial);
	ck_assert_int_eq(say(2, OPEN, 0), 0);
	ck_assert_int_eq(say(0, OWNER, 0), 0);
	/* the other watcher may learn the owner later */
	ck_assert_int_eq(say(0, OWNER, 9), 0);
	expect(1, OWNER, 0, OWNER, 9);
	ck_assert_int_eq(say(1, CLOSE, 0), 0);
	ck_assert_int_eq(say(2, CLOSE, 0), 0);
	expect(0, CLOSE, 9, CLOSE, 9);
}
END_TEST

/* The socket is the same, but none of the watchers still knows its holder. */
START_TEST(the_last_close_names_who_was_known)
{
	struct portwatch_event event = make_event(CLOSE, 80);

	expect(0, OPEN, 8, OPEN, 8);
	event.listener.inode = 1000;
	ck_assert_int_eq(say(1, OPEN, 0), 0);
	ck_assert_int_eq(say(0, CLOSE, 8), 1);
	ck_assert_int_eq(printed.kind, OWNER);
	ck_assert_int_eq(take(1, &event), 1);
	ck_assert_int_eq(printed.kind, CLOSE);
	ck_assert_int_eq(printed.pid, 0);
}
END_TEST

START_TEST(an_id_lasts_from_open_to_close)
{
	uint64_t id;

	expect(0, OPEN, 7, OPEN, 7);
	id = printed.id;
	ck_assert_int_eq(count(OPEN, 81), 1);
	ck_assert_uint_ne(printed.id, id);
	ck_assert_int_eq(say(1, OPEN, 8), 0);
	expect(0, CLOSE, 7, OWNER, 8);
	ck_assert_uint_eq(printed.id, id);
	expect(1, CLOSE, 8, CLOSE, 8);
	ck_assert_uint_eq(printed.id, id);
	expect(1, OPEN, 7, OPEN, 7);
	ck_assert_uint_gt(printed.id, id + 1);
}
END_TEST

START_TEST(ends_always_count)
{
	ck_assert_int_eq(count(END, 0), 1);
	ck_assert_int_eq(count(END, 0), 1);
}
END_TEST

START_TEST(with_one_tree_everything_counts)
{
	overlap.enabled = false;
	ck_assert_int_eq(count(OPEN, 80), 1);
	ck_assert_int_eq(count(OPEN, 80), 1);
	ck_assert_int_eq(count(CLOSE, 80), 1);
}
END_TEST

START_TEST(many_ports_are_freed)
{
	for (int port = 1; port <= 5000; port++)
		ck_assert_int_eq(count(OPEN, (uint16_t)port), 1);
	for (int port = 1; port <= 2500; port++)
		ck_assert_int_eq(count(CLOSE, (uint16_t)port), 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cmd_overlap");
	TCase *tcase = tcase_create("overlap");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, the_first_open_and_the_last_close_count);
	tcase_add_test(tcase, namespaces_families_and_addresses_differ);
	tcase_add_test(tcase, unknown_namespaces_are_not_mixed_up);
	tcase_add_test(tcase, one_watcher_reports_a_shared_port);
	tcase_add_test(tcase, the_watcher_that_knows_the_owner_reports);
	tcase_add_test(tcase, the_last_close_names_who_was_known);
	tcase_add_test(tcase, an_id_lasts_from_open_to_close);
	tcase_add_test(tcase, ends_always_count);
	tcase_add_test(tcase, with_one_tree_everything_counts);
	tcase_add_test(tcase, many_ports_are_freed);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
