/* SPDX-License-Identifier: MIT */
/* test_fault_sweep.c - each call of the library fails, in each way, at each of its uses
 *
 * By default each call fails in each way at one use. PORTWATCH_SWEEP_SEED selects the use.
 *
 * PORTWATCH_SWEEP=all: each call fails at every use, in every way to watch.
 * PORTWATCH_SWEEP_PART=I/N: only the I-th of N parts. PORTWATCH_SWEEP_RUN="WAY CALL FAULT
 * host|child USE": only this run, as a failure prints it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/patience.h"
#include "util/caps.h"
#include "support/check_main.h"
#include "support/scenario.h"
#include "support/skip.h"
#include "support/tally.h"
#include "support/wrap_errors.h"

/* More uses than in an undisturbed run: a failure may cause further uses. */
#define SLACK 4

#define CALLS_MAX 128

enum privilege {
	FULL,
	LOWERED, /* capabilities are permitted but not effective */
};

#define WAY(reader, table, notifier, privilege)                                                    \
	{                                                                                          \
#reader "-" #table "-" #notifier "-" #privilege,                                   \
			{PORTWATCH_READER_##reader, PORTWATCH_TABLE_##table,                       \
		         PORTWATCH_DELIVERY_THREAD, notifier },                                    \
		         privilege                                                                 \
	}

/* AUTO is the local reader in our own namespace, and setns in the other namespace. */
static const struct {
	const char *name;
	struct way way;
	enum privilege privilege;
} ways[] = {
	WAY(AUTO, DIAG, 1, FULL),    WAY(AUTO, DIAG, 0, FULL),      WAY(AUTO, PROCFS, 1, FULL),
	WAY(AUTO, PROCFS, 0, FULL),  WAY(SETNS, DIAG, 0, FULL),     WAY(PROCFS, PROCFS, 0, FULL),
	WAY(AUTO, DIAG, 1, LOWERED), WAY(NSENTER, PROCFS, 1, FULL), /* last: it is slow */
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))
/* The last way gets a fraction of the other ways' runs. */
#define LAST_SHARE 4

/* Shared by the cases, each of which runs in a process of its own. */
static struct uses {
	bool counted[WAYS];
	unsigned long each[WAYS][CALLS_MAX][2]; /* in the host, in its children */
} * uses;

static bool all;
static unsigned int seed, part, parts = 1;

static void describe(char *name, size_t size, size_t way, const struct scenario_fault *fault)
{
	char by[32];

	if (fault->way < 0)
		snprintf(by, sizeof(by), "%d", fault->way);
	else
		snprintf(by, sizeof(by), "%s", fault->call ? wrap_error_name(fault->way) : "0");
	snprintf(name, size, "%s %s %s %s %u", ways[way].name, fault->call ? fault->call : "none",
	         by, fault->where == WRAP_CHILDREN ? "child" : "host", fault->nth);
}

static bool run(size_t way, size_t call, const struct scenario_fault *fault)
{
	bool started, struck;
	char name[128];

	describe(name, sizeof(name), way, fault);
	tally_begin(name);
	started = scenario_run(ways[way].way, fault);
	struck = wrap_struck() > 0;
	tally_end(struck ? (int)call : -1, fault->way < 0 ? 0 : fault->way, started);
	return struck;
}

/* Counts the uses of each call without any failure. */
static void prepare(size_t way)
{
	const struct scenario_fault none = {0};
	const char *call;

	scenario_prepare(ways[way].way, ways[way].privilege == LOWERED);
	if (uses->counted[way])
		return;
	run(way, 0, &none);
	for (size_t i = 0; (call = wrap_name(i)); i++) {
		uses->each[way][i][0] = wrap_count(call, WRAP_HOST);
		uses->each[way][i][1] = wrap_count(call, WRAP_CHILDREN);
	}
	uses->counted[way] = true;
}

static void require(size_t way)
{
	if (ways[way].way.reader == PORTWATCH_READER_NSENTER) {
		if (access("/usr/bin/nsenter", X_OK) < 0)
			test_skip("nsenter is not installed");
		if (!caps_effective(CAP_SYS_ADMIN))
			test_skip("nsenter may not enter the namespace");
	}
	if (ways[way].way.reader == PORTWATCH_READER_SETNS && geteuid() != 0)
		test_skip("our own namespace is not ours to enter");
}

/* Tries all uses of one call. */
static void sweep(size_t way, size_t call, enum wrap_where where)
{
	struct scenario_fault fault = {.call = wrap_name(call), .where = where};
	const int *fails = wrap_errors(fault.call);
	unsigned long count = uses->each[way][call][where == WRAP_CHILDREN];
	bool struck;

	for (; count > 0 && *fails; fails++) {
		fault.way = *fails;
		struck = true;
		for (fault.nth = 1; fault.nth <= count + (struck ? SLACK : 0); fault.nth++)
			struck = run(way, call, &fault);
	}
}

START_TEST(every_use_may_fail)
{
	size_t way = (size_t)_i / CALLS_MAX, call = (size_t)_i % CALLS_MAX;

	require(way);
	prepare(way);
	sweep(way, call, WRAP_HOST);
	sweep(way, call, WRAP_CHILDREN);
}
END_TEST

/* Returns a number that looks random and is the same for the same seed. */
static unsigned int draw(unsigned int number)
{
	unsigned int x = (seed * 2654435761U) ^ (number * 40503U + 1);

	x ^= x >> 16;
	x *= 0x7feb352dU;
	x ^= x >> 15;
	x *= 0x846ca68bU;
	return x ^ x >> 16;
}

static void sample(size_t way, size_t call, int fails, unsigned int random)
{
	const unsigned long *count = uses->each[way][call];
	unsigned long use;
	struct scenario_fault fault = {.call = wrap_name(call), .way = fails};

	if (count[0] + count[1] == 0)
		return;
	use = random % (count[0] + count[1]);
	fault.where = use < count[0] ? WRAP_HOST : WRAP_CHILDREN;
	fault.nth = (unsigned int)(use < count[0] ? use : use - count[0]) + 1;
	run(way, call, &fault);
}

/* Distributes the failures over the ways to watch. */
static size_t deal(unsigned int number)
{
	size_t turn = (number + seed) % (LAST_SHARE * (WAYS - 1) + 1);

	return turn == LAST_SHARE * (WAYS - 1) ? WAYS - 1 : turn % (WAYS - 1);
}

START_TEST(some_use_of_each_call_may_fail)
{
	size_t way = (size_t)_i;
	unsigned int number = 0;
	const char *call;

	require(way);
	prepare(way);
	for (size_t i = 0; (call = wrap_name(i)); i++)
		for (const int *fails = wrap_errors(call); fails && *fails; fails++, number++)
			if (deal(number) == way)
				sample(way, i, *fails, draw(number));
}
END_TEST

START_TEST(one_run)
{
	struct scenario_fault fault = {0};
	char name[64], call[32], by[32], where[32];
	size_t way = 0;

	ck_assert_int_eq(sscanf(getenv("PORTWATCH_SWEEP_RUN"), "%63s %31s %31s %31s %u", name, call,
	                        by, where, &fault.nth),
	                 5);
	while (way < WAYS && strcmp(ways[way].name, name) != 0)
		way++;
	ck_assert_uint_lt(way, WAYS);
	fault.call = strcmp(call, "none") == 0 ? NULL : call;
	fault.where = strcmp(where, "child") == 0 ? WRAP_CHILDREN : WRAP_HOST;
	fault.way = atoi(by);
	if (fault.way == 0)
		fault.way = wrap_error_number(by);
	scenario_prepare(ways[way].way, ways[way].privilege == LOWERED);
	run(way, 0, &fault);
}
END_TEST

START_TEST(every_call_has_its_errors)
{
	const char *call;

	for (size_t i = 0; (call = wrap_name(i)); i++) {
		ck_assert_msg(wrap_errors(call) || strcmp(call, "other") == 0, "%s", call);
		for (const int *fails = wrap_errors(call); fails && *fails; fails++)
			ck_assert_msg(*fails < 0 || wrap_error_name(*fails), "%s: %d", call,
			              *fails);
	}
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test, int number)
{
	TCase *one = tcase_create(name);

	tcase_set_timeout(one, patience(6 * 3600));
	tcase_add_unchecked_fixture(one, NULL, tally_report_unfinished);
	tcase_add_loop_test(one, test, number, number + 1);
	suite_add_tcase(suite, one);
}

/* The slow way and the calls that are made most often are spread over the parts. */
static bool is_in_part(size_t way, size_t call)
{
	return (call * (WAYS + 1) + way) % parts == part;
}

static void add_all(Suite *suite)
{
	static char names[WAYS * CALLS_MAX][64];
	const char *call;

	for (size_t i = 0; (call = wrap_name(i)); i++)
		for (size_t way = 0; way < WAYS; way++) {
			size_t number = way * CALLS_MAX + i;

			if (!wrap_errors(call) || !is_in_part(way, i))
				continue;
			snprintf(names[number], sizeof(names[0]), "%s %s", ways[way].name, call);
			add_case(suite, names[number], every_use_may_fail, (int)number);
		}
}

static Suite *make(void)
{
	Suite *suite = suite_create("fault sweep");

	add_case(suite, "table", every_call_has_its_errors, 0);
	if (getenv("PORTWATCH_SWEEP_RUN"))
		add_case(suite, "one run", one_run, 0);
	else if (all)
		add_all(suite);
	else
		for (size_t way = 0; way < WAYS; way++)
			add_case(suite, ways[way].name, some_use_of_each_call_may_fail, (int)way);
	return suite;
}

static void read_environment(void)
{
	const char *mode = getenv("PORTWATCH_SWEEP"), *seeded = getenv("PORTWATCH_SWEEP_SEED");
	const char *share = getenv("PORTWATCH_SWEEP_PART");

	all = mode && strcmp(mode, "all") == 0;
	seed = seeded ? (unsigned int)strtoul(seeded, NULL, 10) : 1;
	if (share && sscanf(share, "%u/%u", &part, &parts) == 2 && part >= 1 && part <= parts)
		part--;
	else
		part = 0, parts = 1;
}

int main(int argc, char **argv)
{
	int status;

	uses = mmap(NULL, sizeof(*uses), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (uses == MAP_FAILED)
		return EXIT_FAILURE;
	tally_open();
	read_environment();
	status = check_main(argc, argv, make);
	tally_report();
	printf("; PORTWATCH_SWEEP_SEED=%u\n", seed);
	return status;
}
