/* SPDX-License-Identifier: MIT */
/* test_overflow.c - a host that doesn't dispatch for so long that its queue overflows */
#include <stdlib.h>
#include <string.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE

#define PORTS 400
#define ROUNDS 24 /* each opens and closes all: more than 16,384 events */

static void watch_without_dispatch(struct collect *collect, pid_t pid)
{
	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_delivery(collect->watcher, PORTWATCH_DELIVERY_DISPATCH), 0);
	collect_start(collect);
}

/* A second watcher shows how far the reads have progressed. */
static void open_and_close_all(const struct fixture *server, struct collect *guide, size_t round)
{
	struct fixture_socket sockets[PORTS];

	for (size_t i = 0; i < PORTS; i++)
		sockets[i] = fixture_listen(server, "0.0.0.0", 0);
	collect_wait_total(guide, round * 2 * PORTS + PORTS);
	for (size_t i = 0; i < PORTS; i++)
		fixture_close(server, sockets[i]);
	collect_wait_total(guide, (round + 1) * 2 * PORTS);
}

/* An open must be of a port that wasn't open, and a close of a port that was. */
static void check_consistent(const struct collect *collect)
{
	static char open[65536];

	memset(open, 0, sizeof(open));
	for (size_t i = 0; i < collect->count; i++) {
		const struct collected *event = &collect->events[i];

		ck_assert_int_eq(open[event->port], event->kind == CLOSE);
		open[event->port] = event->kind == OPEN;
	}
}

START_TEST(an_overflow_ends_in_the_truth)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct fixture_socket kept, gone, reopened, late;
	struct collect guide, slow;

	kept = fixture_listen(&server, "127.0.0.1", 0);
	gone = fixture_listen(&server, "127.0.0.1", 0);
	reopened = fixture_listen(&server, "127.0.0.1", 0);
	watch_without_dispatch(&slow, server.pid);
	ck_assert_int_eq(portwatch_dispatch(slow.watcher), 3);
	collect_watch(&guide, server.pid);
	ck_assert_uint_eq(collect_total(&guide), 3);
	fixture_close(&server, gone);
	fixture_close(&server, reopened);
	collect_wait_total(&guide, 5);
	collect_forget(&guide);
	reopened = fixture_listen(&server, "127.0.0.1", reopened.port);
	collect_wait(&guide, OPEN, NULL, reopened.port);
	collect_forget(&guide);
	for (size_t round = 0; round < ROUNDS; round++)
		open_and_close_all(&server, &guide, round);
	/* The port may be one of the many on the other address. */
	late = fixture_listen(&server, "127.0.0.1", 0);
	collect_wait(&guide, OPEN, "127.0.0.1", late.port);
	/* All events come at once. Their number is bounded, and ports that opened and closed
	 * meanwhile are omitted. */
	collect_wait(&slow, OPEN, "127.0.0.1", late.port);
	ck_assert_uint_le(collect_total(&slow), 3 + 16384);
	collect_wait(&slow, CLOSE, "127.0.0.1", gone.port);
	ck_assert_uint_eq(collect_count(&slow, CLOSE, NULL, kept.port), 0);
	ck_assert_uint_eq(collect_count(&slow, OPEN, NULL, kept.port), 1);
	check_consistent(&slow);
	ck_assert_uint_eq(
		collect_count(&slow, OPEN, NULL, 0) - collect_count(&slow, CLOSE, NULL, 0), 3);
	collect_free(&guide);
	collect_free(&slow);
	fixture_end(&server);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("overflow");
	TCase *queue = tcase_create("queue");

	tcase_add_test(queue, an_overflow_ends_in_the_truth);
	suite_add_tcase(suite, queue);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
