/* SPDX-License-Identifier: MIT */
/* tick.c - what one look at a namespace costs in which nothing happens */
#include <errno.h>
#include <math.h>

#include "bench.h"
#include "load.h"
#include "samples.h"
#include "tick.h"

/* Sleeps through so many ticks, or what takes as long. Returns how many there were. */
static double pass(struct watching *watching, unsigned int ticks)
{
	uint64_t before = watching_stat(watching, PORTWATCH_STAT_READS);

	bench_sleep(ticks * TICK_INTERVAL * NSEC_PER_MSEC);
	return (double)(watching_stat(watching, PORTWATCH_STAT_READS) - before);
}

static double measure_cpu(struct watching *watching, pid_t other, unsigned int windows,
                          unsigned int ticks)
{
	static struct samples samples;
	static struct tasks helpers;

	samples.count = 0;
	load_helpers(&helpers, other);
	for (unsigned int i = 0; i < windows; i++) {
		double before = load_cpu(&helpers);
		double passed = pass(watching, ticks);

		if (passed > 0)
			samples_add(&samples, (load_cpu(&helpers) - before) / passed);
	}
	return samples_median(&samples);
}

static double measure_calls(struct watching *watching, pid_t other, unsigned int ticks, int *error)
{
	static struct tasks helpers, threads;
	struct trace *trace;
	unsigned long before;
	double passed, calls;

	load_helpers(&helpers, other);
	load_threads(&threads);
	trace = trace_start(&threads, &helpers, error);
	if (!trace)
		return NAN;
	bench_sleep(5 * TICK_INTERVAL * NSEC_PER_MSEC);
	before = trace_count(trace);
	passed = pass(watching, ticks);
	calls = (double)(trace_count(trace) - before);
	trace_stop(trace);
	*error = -ETIME; /* without a tick */
	return passed > 0 ? calls / passed : NAN;
}

struct tick tick_measure(pid_t pid, enum portwatch_reader reader, enum portwatch_table table,
                         unsigned int windows, unsigned int ticks)
{
	struct way way = {.reader = reader, .table = table, .interval = TICK_INTERVAL};
	struct tick tick = {.cpu = NAN, .calls = NAN};
	struct watching watching;

	tick.error = watching_start(&watching, pid, &way);
	if (tick.error < 0)
		return tick;
	bench_sleep(5 * TICK_INTERVAL * NSEC_PER_MSEC);
	tick.cpu = measure_cpu(&watching, pid, windows, ticks);
	tick.calls = measure_calls(&watching, pid, ticks, &tick.untraced);
	watching_stop(&watching);
	if (isnan(tick.cpu))
		tick.error = -ETIME;
	return tick;
}
