/* SPDX-License-Identifier: MIT */
/* bench.h - what the parts of the benchmark have in common */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "util/clock.h"
#include "report.h"

struct bench {
	struct report *report;
	bool quick;
	bool root;
	bool notifier;      /* whether it can be opened here */
	const char *pwatch; /* the command to measure */
};

/* Seconds of a difference of two clock_now(). */
static inline double seconds(uint64_t nanoseconds)
{
	return (double)nanoseconds / (double)NSEC_PER_SEC;
}

/* Ends this part of the benchmark; what it has measured until now counts. */
void bench_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Says on standard error what is being done. */
void bench_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

void bench_sleep(uint64_t nanoseconds);
/* A number from 0 to below limit. */
uint64_t bench_random(uint64_t limit);

/* A child process that dies with its parent. As fork(2), but never fails. */
int bench_fork(void);

/* The parts. Each runs in a process of its own. */
void part_latency(struct bench *bench);
void part_tick(struct bench *bench);
void part_owner(struct bench *bench);
void part_namespaces(struct bench *bench);
void part_tables(struct bench *bench);
void part_storm(struct bench *bench);
void part_once(struct bench *bench);

#endif
