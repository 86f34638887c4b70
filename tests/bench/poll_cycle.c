/* SPDX-License-Identifier: MIT */
/* poll_cycle.c - the cost of one poll cycle of a namespace in which nothing happens */
#include <errno.h>
#include <math.h>

#include "bench.h"
#include "load.h"
#include "poll_cycle.h"
#include "samples.h"

/* For two seconds each poll cycle examines the namespaces and threads of new members. */
#define UNSETTLED (2200 * NSEC_PER_MSEC)

/* Sleeps for the duration of `cycles` cycles. Returns the actual number of reads. */
static double count_reads(struct watching *watching, unsigned int cycles)
{
	uint64_t before = watching_stat(watching, PORTWATCH_STAT_READS);

	bench_sleep(cycles * POLL_INTERVAL * NSEC_PER_MSEC);
	return (double)(watching_stat(watching, PORTWATCH_STAT_READS) - before);
}

static double measure_cpu(struct watching *watching, pid_t other, unsigned int windows,
                          unsigned int cycles)
{
	static struct samples samples;
	static struct tasks helpers;

	samples.count = 0;
	load_helpers(&helpers, other);
	for (unsigned int i = 0; i < windows; i++) {
		double before = load_cpu(&helpers);
		double reads = count_reads(watching, cycles);

		if (reads > 0)
			samples_add(&samples, (load_cpu(&helpers) - before) / reads);
	}
	return samples_median(&samples);
}

static double measure_calls(struct watching *watching, pid_t other, unsigned int cycles, int *error)
{
	static struct tasks helpers, threads;
	struct trace *trace;
	unsigned long before;
	double reads, calls;

	load_helpers(&helpers, other);
	load_threads(&threads);
	trace = trace_start(&threads, &helpers, error);
	if (!trace)
		return NAN;
	bench_sleep(5 * POLL_INTERVAL * NSEC_PER_MSEC);
	before = trace_count(trace);
	reads = count_reads(watching, cycles);
	calls = (double)(trace_count(trace) - before);
	trace_stop(trace);
	*error = -ETIME; /* in case of no cycle */
	return reads > 0 ? calls / reads : NAN;
}

struct poll_cycle poll_cycle_measure(pid_t pid, enum portwatch_reader reader,
                                     enum portwatch_table table, unsigned int windows,
                                     unsigned int cycles)
{
	struct way way = {.reader = reader, .table = table, .interval = POLL_INTERVAL};
	struct poll_cycle cycle = {.cpu = NAN, .calls = NAN};
	struct watching watching;

	cycle.error = watching_start(&watching, pid, &way);
	if (cycle.error < 0)
		return cycle;
	bench_sleep(UNSETTLED);
	cycle.cpu = measure_cpu(&watching, pid, windows, cycles);
	cycle.calls = measure_calls(&watching, pid, cycles, &cycle.untraced);
	watching_stop(&watching);
	if (isnan(cycle.cpu))
		cycle.error = -ETIME;
	return cycle;
}
