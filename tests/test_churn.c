/* SPDX-License-Identifier: MIT */
/* test_churn.c - stable ports beside thousands that come and go
 *
 * A second for each way of watching. PORTWATCH_CHURN_SECONDS says how many instead. */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/skip.h"

/* Above what fixture_listen() chooses. */
#define DISTINCT 40000
#define DISTINCT_COUNT 2000
#define SHARED 50000
#define SHARED_COUNT 500
#define STABLE_COUNT 50

/* What the callback was told, by port. */
static struct {
	atomic_uint opened[65536];
	atomic_uint closed[65536];
	atomic_uint wrong; /* opened twice, or closed while it wasn't open */
	atomic_uint open;
} told;

static void on_event(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	bool opens = portwatch_event_get_kind(event) == PORTWATCH_EVENT_OPEN;
	uint16_t port = portwatch_event_get_port(event);
	bool is_open = told.opened[port] > told.closed[port];

	(void)watcher;
	(void)data;
	if (opens == is_open)
		told.wrong++;
	if (opens) {
		told.opened[port]++;
		told.open++;
	} else {
		told.closed[port]++;
		told.open--;
	}
}

/* With a notifier, and polling; by the dump, and by the text. */
static struct portwatch *watch(pid_t pid, int way)
{
	struct portwatch *watcher;

	ck_assert_int_eq(portwatch_new(&watcher, pid, on_event, NULL), 0);
	ck_assert_int_eq(
		portwatch_set_events(watcher, PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE), 0);
	ck_assert_int_eq(portwatch_set_interval(watcher, 10), 0);
	ck_assert_int_eq(portwatch_set_notifier(watcher, way % 2), 0);
	ck_assert_int_eq(portwatch_set_table(watcher, way / 2 ? PORTWATCH_TABLE_PROCFS
	                                                      : PORTWATCH_TABLE_DIAG),
	                 0);
	ck_assert_int_eq(portwatch_start(watcher), 0);
	return watcher;
}

static int seconds(void)
{
	const char *wanted = getenv("PORTWATCH_CHURN_SECONDS");
	int number = wanted ? atoi(wanted) : 1;

	return number > 0 ? number : 1;
}

static void need_descriptors(void)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < DISTINCT_COUNT + 100)
		test_skip("takes %d descriptors, the hard limit is %llu", DISTINCT_COUNT + 100,
		          (unsigned long long)limit.rlim_max);
}

static time_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* What is open when all is quiet again is told. */
static void await_all(unsigned int count)
{
	time_t end = monotonic() + COLLECT_PATIENCE;

	while (told.open != count && monotonic() < end)
		poll(NULL, 0, 1);
	ck_assert_uint_eq(told.open, count);
}

static void check_stable(const struct fixture_socket *stable)
{
	for (int i = 0; i < STABLE_COUNT; i++) {
		ck_assert_uint_eq(told.opened[stable[i].port], 1);
		ck_assert_uint_eq(told.closed[stable[i].port], 0);
	}
}

static void show_figures(struct portwatch *watcher, uint64_t distinct, uint64_t shared)
{
	unsigned int changes = 0;

	for (int i = 0; i < 65536; i++)
		changes += told.opened[i] + told.closed[i];
	printf("%d s: %llu changes of %d ports, %llu of %d listeners on one; %u events\n",
	       seconds(), (unsigned long long)distinct, DISTINCT_COUNT, (unsigned long long)shared,
	       SHARED_COUNT, changes);
	for (int i = 0; portwatch_stat_name((enum portwatch_stat)i); i++)
		printf("  %s: %llu\n", portwatch_stat_name((enum portwatch_stat)i),
		       (unsigned long long)portwatch_get_stat(watcher, (enum portwatch_stat)i));
}

START_TEST(stable_ports_stay_open)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct fixture distinct = fixture_fork(&server), shared = fixture_fork(&server);
	struct fixture_socket stable[STABLE_COUNT];
	uint64_t distinct_turns, shared_turns;
	struct portwatch *watcher;

	need_descriptors();
	for (int i = 0; i < STABLE_COUNT; i++)
		stable[i] = fixture_listen(&server, "127.0.0.1", 0);
	watcher = watch(server.pid, _i);
	fixture_storm(&distinct, "127.0.0.1", DISTINCT, DISTINCT_COUNT, 0);
	fixture_storm(&shared, "127.0.0.1", SHARED, SHARED_COUNT, LISTEN_REUSEPORT);
	poll(NULL, 0, seconds() * 1000);
	distinct_turns = fixture_calm(&distinct);
	shared_turns = fixture_calm(&shared);
	await_all(STABLE_COUNT + DISTINCT_COUNT + 1);
	show_figures(watcher, distinct_turns, shared_turns);
	ck_assert_uint_eq(told.wrong, 0);
	check_stable(stable);
	ck_assert_uint_eq(told.opened[SHARED], 1);
	ck_assert_uint_eq(told.closed[SHARED], 0);
	fixture_end(&distinct);
	fixture_end(&shared);
	await_all(STABLE_COUNT);
	check_stable(stable);
	portwatch_free(watcher);
	fixture_end(&server);
}
END_TEST

static void wait_reads(struct portwatch *watcher, uint64_t reads)
{
	uint64_t until = portwatch_get_stat(watcher, PORTWATCH_STAT_READS) + reads;
	time_t end = monotonic() + COLLECT_PATIENCE;

	while (portwatch_get_stat(watcher, PORTWATCH_STAT_READS) < until && monotonic() < end)
		poll(NULL, 0, 1);
	ck_assert_uint_ge(portwatch_get_stat(watcher, PORTWATCH_STAT_READS), until);
}

/* Each read shows listeners there that are gone before anybody can be asked who holds them. */
START_TEST(a_port_that_each_read_shows_stays_open)
{
	struct fixture server = fixture_start(SANDBOX_NETNS), child = fixture_fork(&server);
	struct fixture_socket first;
	struct portwatch *watcher;

	first = fixture_listen_with(&server, "127.0.0.1", SHARED, LISTEN_REUSEPORT);
	watcher = watch(server.pid, _i);
	ck_assert_uint_eq(told.open, 1);
	fixture_storm(&child, "127.0.0.1", SHARED, 2, LISTEN_REUSEPORT);
	wait_reads(watcher, 5);
	fixture_close(&server, first);
	wait_reads(watcher, 20);
	fixture_calm(&child);
	wait_reads(watcher, 5);
	ck_assert_uint_eq(told.opened[SHARED], 1);
	ck_assert_uint_eq(told.closed[SHARED], 0);
	fixture_end(&child);
	await_all(0);
	ck_assert_uint_eq(told.closed[SHARED], 1);
	portwatch_free(watcher);
	fixture_end(&server);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("churn");
	TCase *churn = tcase_create("churn");

	tcase_set_timeout(churn, 2 * COLLECT_PATIENCE + seconds());
	tcase_add_loop_test(churn, stable_ports_stay_open, 0, 4);
	tcase_add_loop_test(churn, a_port_that_each_read_shows_stays_open, 0, 4);
	suite_add_tcase(suite, churn);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
