/* SPDX-License-Identifier: MIT */
/* soak_ports.c - many poll cycles and many ports: no resource may grow; not run by make check
 *
 * The environment variable PORTWATCH_SOAK_PORTS is the number of ports to open and close, and the
 * least number of reads; default 10,000. The test prints the resources of the process at its start,
 * after a tenth and at the end. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/process_list.h"

#define BATCH 50

struct resources {
	size_t resident;
	size_t descriptors;
	size_t children;
};

static struct resources print_resources(const char *when, struct collect *collect)
{
	struct resources resources = {process_resident(), process_descriptors(),
	                              process_children()};

	printf("%-14s %8zu KiB resident, %3zu descriptors, %2zu children, %8llu reads\n", when,
	       resources.resident, resources.descriptors, resources.children,
	       (unsigned long long)portwatch_get_stat(collect->watcher, PORTWATCH_STAT_READS));
	fflush(stdout);
	return resources;
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
	/* No event announces a read, so this loop polls the counter. */
	while (portwatch_get_stat(collect->watcher, PORTWATCH_STAT_READS) < ports)
		poll(NULL, 0, 10);
}

START_TEST(nothing_grows)
{
	const char *wanted = getenv("PORTWATCH_SOAK_PORTS");
	unsigned long ports = wanted ? strtoul(wanted, NULL, 10) : 10000;
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct resources early, late;
	struct collect collect;

	collect_new(&collect, server.pid);
	/* The test would keep the messages, and its memory would grow. */
	ck_assert_int_eq(portwatch_set_log(collect.watcher, PORTWATCH_LOG_ERROR, NULL), 0);
	ck_assert_int_eq(portwatch_set_interval(collect.watcher, 1), 0);
	collect_start(&collect);
	print_resources("at the start:", &collect);
	churn(&server, &collect, ports / 10);
	early = print_resources("after a tenth:", &collect);
	churn(&server, &collect, ports);
	late = print_resources("at the end:", &collect);
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
