/* SPDX-License-Identifier: MIT */
/* bench.h - functions that all parts of the benchmark share */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "util/clock.h"
#include "report.h"

struct bench {
	struct report *report;
	bool quick;
	bool root;
	bool notifier;      /* the kernel allows a notifier that reports listen(2) */
	const char *pwatch; /* the command to measure */
};

/* Converts a difference of two clock_now() values to seconds. */
static inline double seconds(uint64_t nanoseconds)
{
	return (double)nanoseconds / (double)NSEC_PER_SEC;
}

/* Ends this part of the benchmark. The report keeps the figures measured so far. */
void bench_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Logs progress on standard error. */
void bench_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

void bench_sleep(uint64_t nanoseconds);
/* A random number from 0 to limit - 1. */
uint64_t bench_random(uint64_t limit);

/* fork(2), but the child dies with its parent, and a failure ends the part. */
int bench_fork(void);

/* Hooks of a notifier (notifier.h) that ignore all events except listen events. */
bool bench_ignore_fork(void *data, pid_t parent, pid_t child);
bool bench_ignore_process(void *data, pid_t pid);
void bench_ignore_followed(void *data, pid_t pid);
void bench_ignore_loss(void *data, uint64_t records);
#define BENCH_HOOKS(on_change)                                                                     \
	{                                                                                          \
		.changed = (on_change), .forked = bench_ignore_fork,                               \
		.execed = bench_ignore_process, .exited = bench_ignore_process,                    \
		.followed = bench_ignore_followed, .lost = bench_ignore_loss,                      \
	}

/* With this argument the program is a server of part_starts(). The value has its parameters. */
#define STARTS_SERVE "--serve="
_Noreturn void starts_serve(const char *argument);

#define BENCH_PARTS 9

/* The parts. Each runs in a process of its own. */
void part_latency(struct bench *bench);
void part_poll_cycle(struct bench *bench);
void part_owner(struct bench *bench);
void part_namespaces(struct bench *bench);
void part_tables(struct bench *bench);
void part_storm(struct bench *bench);
void part_once(struct bench *bench);
void part_starts(struct bench *bench);
void part_others(struct bench *bench);

#endif
