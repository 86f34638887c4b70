/* SPDX-License-Identifier: MIT */
/* tally.c - counts the runs of a scenario over all processes that a test forks */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "patience.h"
#include "tally.h"

/* The deadline of one run, in seconds. */
#define PATIENCE patience(150)
#define CALLS_MAX 128
#define ERRORS_MAX 256
#define NAME_MAX_SIZE 128

static struct tally {
	char name[NAME_MAX_SIZE]; /* "": no run is under way */
	double begin;
	unsigned long runs, struck, refused;
	bool calls[CALLS_MAX];
	bool errors[ERRORS_MAX];
	double slowest;
	char slowest_name[NAME_MAX_SIZE];
} * tally;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void tally_open(void)
{
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	             0);
	if (tally == MAP_FAILED)
		abort();
}

void tally_begin(const char *name)
{
	snprintf(tally->name, sizeof(tally->name), "%s", name);
	tally->begin = now();
	alarm((unsigned int)PATIENCE);
}

void tally_end(int call, int error, bool started)
{
	double took = now() - tally->begin;

	alarm(0);
	tally->runs++;
	tally->refused += !started;
	if (call >= 0) {
		tally->struck++;
		tally->calls[call] = true;
		tally->errors[error] = true;
	}
	if (took > tally->slowest) {
		tally->slowest = took;
		memcpy(tally->slowest_name, tally->name, sizeof(tally->name));
	}
	tally->name[0] = '\0';
}

void tally_report_unfinished(void)
{
	if (tally->name[0])
		fprintf(stderr, "failed: PORTWATCH_SWEEP_RUN=\"%s\"\n", tally->name);
	tally->name[0] = '\0';
}

void tally_report(void)
{
	unsigned int calls = 0, errors = 0;

	for (size_t i = 0; i < CALLS_MAX; i++)
		calls += tally->calls[i];
	for (size_t i = 1; i < ERRORS_MAX; i++)
		errors += tally->errors[i];
	printf("sweep: %lu runs, %lu with a failure, %lu refused to start; %u calls, %u errnos%s; "
	       "slowest %.0f ms (%s)",
	       tally->runs, tally->struck, tally->refused, calls, errors,
	       tally->errors[0] ? " and short transfers" : "", tally->slowest * 1e3,
	       tally->slowest_name);
}
