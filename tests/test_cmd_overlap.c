/* SPDX-License-Identifier: MIT */
/* test_cmd_overlap.c - ports that several watched trees have in common */
#include <string.h>
#include <sys/socket.h>

#include "../cmd/overlap.h"
#include "watch/event.h"
#include "support/check_main.h"

static struct overlap overlap;

static void set_up(void)
{
	overlap = (struct overlap){.enabled = true};
}

static void tear_down(void)
{
	overlap_free(&overlap);
}

static struct portwatch_event make_event(enum portwatch_event_kind kind, uint16_t port)
{
	struct portwatch_event event;

	memset(&event, 0, sizeof(event));
	event.kind = kind;
	event.listener.family = AF_INET;
	event.listener.port = port;
	event.netns = 100;
	return event;
}

static int count(enum portwatch_event_kind kind, uint16_t port)
{
	struct portwatch_event event = make_event(kind, port);

	return overlap_count(&overlap, &event);
}

START_TEST(the_first_open_and_the_last_close_count)
{
	ck_assert_int_eq(count(PORTWATCH_EVENT_OPEN, 80), 1);
	ck_assert_int_eq(count(PORTWATCH_EVENT_OPEN, 80), 0);
	ck_assert_int_eq(count(PORTWATCH_EVENT_OPEN, 81), 1);
	ck_assert_int_eq(count(PORTWATCH_EVENT_CLOSE, 80), 0);
	ck_assert_int_eq(count(PORTWATCH_EVENT_CLOSE, 80), 1);
	/* new again */
	ck_assert_int_eq(count(PORTWATCH_EVENT_OPEN, 80), 1);
	ck_assert_int_eq(count(PORTWATCH_EVENT_CLOSE, 81), 1);
}
END_TEST

START_TEST(namespaces_families_and_addresses_differ)
{
	struct portwatch_event event = make_event(PORTWATCH_EVENT_OPEN, 80);

	ck_assert_int_eq(overlap_count(&overlap, &event), 1);
	event.netns = 101;
	ck_assert_int_eq(overlap_count(&overlap, &event), 1);
	event.cookie = 1;
	ck_assert_int_eq(overlap_count(&overlap, &event), 1);
	event.cookie = 2;
	ck_assert_int_eq(overlap_count(&overlap, &event), 1);
	/* the number of a namespace with a cookie may be another's later */
	event.netns = 102;
	ck_assert_int_eq(overlap_count(&overlap, &event), 0);
	event.listener.family = AF_INET6;
	ck_assert_int_eq(overlap_count(&overlap, &event), 1);
	event.listener.address[15] = 1;
	ck_assert_int_eq(overlap_count(&overlap, &event), 1);
	ck_assert_int_eq(overlap_count(&overlap, &event), 0);
}
END_TEST

START_TEST(ends_always_count)
{
	ck_assert_int_eq(count(PORTWATCH_EVENT_END, 0), 1);
	ck_assert_int_eq(count(PORTWATCH_EVENT_END, 0), 1);
}
END_TEST

START_TEST(with_one_tree_everything_counts)
{
	overlap.enabled = false;
	ck_assert_int_eq(count(PORTWATCH_EVENT_OPEN, 80), 1);
	ck_assert_int_eq(count(PORTWATCH_EVENT_OPEN, 80), 1);
	ck_assert_int_eq(count(PORTWATCH_EVENT_CLOSE, 80), 1);
}
END_TEST

START_TEST(many_ports_are_freed)
{
	for (int port = 1; port <= 5000; port++)
		ck_assert_int_eq(count(PORTWATCH_EVENT_OPEN, (uint16_t)port), 1);
	for (int port = 1; port <= 2500; port++)
		ck_assert_int_eq(count(PORTWATCH_EVENT_CLOSE, (uint16_t)port), 1);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cmd_overlap");
	TCase *tcase = tcase_create("overlap");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, the_first_open_and_the_last_close_count);
	tcase_add_test(tcase, namespaces_families_and_addresses_differ);
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
