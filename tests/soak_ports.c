/* SPDX-License-Identifier: MIT */
/* soak_ports.c - many polls and many ports, to see that nothing grows; not run by make check
 *
 * PORTWATCH_SOAK_PORTS in the environment says how many ports are opened and closed, and how many
 * polls there are at least; 10,000 by default. Prints what the process holds at its start, after a
 * tenth and at the end. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/process_list.h"

#define BATCH 50

struct holding {
	size_t resident;
	size_t descriptors;
	size_t children;
};

static struct holding hold(const char *when, struct collect *collect)
{
	struct holding holding = {process_resident(), process_descriptors(), process_children()};

	printf("%-14s %8zu KiB resident, %3zu descriptors, %2zu children, %8llu reads\n", when,
	       holding.resident, holding.descriptors, holding.children,
	       (unsigned long long)portwatch_get_stat(collect->watcher, PORTWATCH_STAT_READS));
	fflush(stdout);
	return holding;
}

static void open_and_close(const struct fixture *server, struct collect *collect)
{
	struct fixture_socket sockets[BATCH];

	for (int i = 0; i < BATCH; i++)
		sockets[i] = fixture_listen(server, i % 2 ? "0.0.0.0" : "::1", 0);
	collect_wait_total(collect, BATCH);
	for (int i = 0; i < BATCH; i++)
		fixture_close(server, sockets[i]);
	collect_wait_total(collect, (size_t)2 * BATCH);
	ck_assert_uint_eq(collect_total(collect), (size_t)2 * BATCH);
	collect_forget(collect);
}

static void churn(const struct fixture *server, struct collect *collect, unsigned long ports)
{
	for (unsigned long opened = 0; opened < ports; opened += BATCH)
		open_and_close(server, collect);
	/* The polls take their time; nothing announces them. */
	while (portwatch_get_stat(collect->watcher, PORTWATCH_STAT_READS) < ports)
		poll(NULL, 0, 10);
}

START_TEST(nothing_grows)
{
	const char *wanted = getenv("PORTWATCH_SOAK_PORTS");
	unsigned long ports = wanted ? strtoul(wanted, NULL, 10) : 10000;
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct holding early, late;
	struct collect collect;

	collect_new(&collect, server.pid);
	/* Kept messages would be growth of ours. */
	ck_assert_int_eq(portwatch_set_log(collect.watcher, PORTWATCH_LOG_ERROR, NULL), 0);
	ck_assert_int_eq(portwatch_set_interval(collect.watcher, 1), 0);
	collect_start(&collect);
	hold("at the start:", &collect);
	churn(&server, &collect, ports / 10);
	early = hold("after a tenth:", &collect);
	churn(&server, &collect, ports);
	late = hold("at the end:", &collect);
	ck_assert_uint_eq(late.descriptors, early.descriptors);
	ck_assert_uint_eq(late.children, early.children);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("soak");
	TCase *churning = tcase_create("churn");

	tcase_set_timeout(churning, 0);
	tcase_add_test(churning, nothing_grows);
	suite_add_tcase(suite, churning);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
