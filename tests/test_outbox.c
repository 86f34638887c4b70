/* SPDX-License-Identifier: MIT */
/* test_outbox.c - the monitor's events for one watcher, and when the host's side gets them */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "support/check_main.h"
#include "util/lock.h"
#include "watch/outbox.h"

static void count(struct outbox *outbox, void *data)
{
	(void)outbox;
	++*(int *)data;
}

static struct portwatch_event open_event(uint16_t port)
{
	return (struct portwatch_event){
		.kind = PORTWATCH_EVENT_OPEN,
		.listener = {.family = AF_INET, .port = port, .address = {127, 0, 0, 1}},
		.pid = 7,
	};
}

static bool take(struct outbox *outbox, struct portwatch_event *event)
{
	bool taken;

	library_lock();
	taken = outbox_take(outbox, event);
	outbox->woken = false;
	library_unlock();
	return taken;
}

/* All initial events wait until the start succeeds or fails. */
START_TEST(a_start_that_fails_reports_nothing)
{
	struct portwatch_event event = open_event(80);
	int wakes = 0;
	struct outbox *outbox = outbox_new(count, &wakes);

	ck_assert_ptr_nonnull(outbox_open(outbox, 1, &event));
	ck_assert(!take(outbox, &event));
	outbox_decide(outbox, _i ? -EACCES : 0);
	ck_assert_int_eq(wakes, _i ? 0 : 1);
	ck_assert_uint_eq(outbox->initial, 1);
	ck_assert(take(outbox, &event) == !_i);
	ck_assert(!take(outbox, &event));
	outbox_release(outbox);
}
END_TEST

START_TEST(waiting_events_cause_one_wake_up)
{
	struct portwatch_event first = open_event(80), second = open_event(81), event;
	int wakes = 0;
	struct outbox *outbox = outbox_new(count, &wakes);
	struct port *port;

	outbox_decide(outbox, 0);
	ck_assert_int_eq(wakes, 0);
	port = outbox_open(outbox, 1, &first);
	outbox_open(outbox, 1, &second);
	ck_assert_int_eq(wakes, 1);
	ck_assert(take(outbox, &event));
	ck_assert_uint_eq(event.listener.port, 80);
	ck_assert(take(outbox, &event));
	ck_assert_uint_eq(event.listener.port, 81);
	outbox_close(outbox, port, "server");
	ck_assert_int_eq(wakes, 2);
	ck_assert(take(outbox, &event));
	ck_assert_int_eq(event.kind, PORTWATCH_EVENT_CLOSE);
	outbox_release(outbox);
}
END_TEST

/* The end is the last event, after the events of ports that were open or closed before the end. */
START_TEST(the_end_comes_last_and_once)
{
	struct portwatch_event opened = open_event(80), event,
			       end = {.kind = PORTWATCH_EVENT_END, .pid = 7};
	int wakes = 0;
	struct outbox *outbox = outbox_new(count, &wakes);

	outbox_decide(outbox, 0);
	outbox_open(outbox, 1, &opened);
	outbox_end(outbox, &end);
	ck_assert(take(outbox, &event));
	ck_assert_int_eq(event.kind, PORTWATCH_EVENT_OPEN);
	ck_assert(take(outbox, &event));
	ck_assert_int_eq(event.kind, PORTWATCH_EVENT_END);
	ck_assert(!take(outbox, &event));
	outbox_release(outbox);
}
END_TEST

START_TEST(a_stopped_watcher_gets_nothing_more)
{
	struct portwatch_event opened = open_event(80), event;
	int wakes = 0;
	struct outbox *outbox = outbox_new(count, &wakes);

	outbox->references++;
	outbox_decide(outbox, 0);
	outbox_open(outbox, 1, &opened);
	library_lock();
	outbox_shut(outbox);
	library_unlock();
	ck_assert(!take(outbox, &event));
	opened = open_event(81);
	outbox_open(outbox, 1, &opened);
	ck_assert_int_eq(wakes, 1);
	/* Releases the subscription's reference, then the watcher's. */
	outbox_release(outbox);
	outbox_release(outbox);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("outbox");
	TCase *outbox = tcase_create("outbox");

	tcase_add_loop_test(outbox, a_start_that_fails_reports_nothing, 0, 2);
	tcase_add_test(outbox, waiting_events_cause_one_wake_up);
	tcase_add_test(outbox, the_end_comes_last_and_once);
	tcase_add_test(outbox, a_stopped_watcher_gets_nothing_more);
	suite_add_tcase(suite, outbox);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
