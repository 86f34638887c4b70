/* SPDX-License-Identifier: MIT */
/* part_owner.c - CPU time of the search for the owner of a new listener */
#include <math.h>
#include <string.h>

#include "actor.h"
#include "bench.h"
#include "crowd.h"
#include "load.h"
#include "polling.h"
#include "samples.h"
#include "watching.h"

#define PATIENCE 10
/* Time after the callback in which the library completes the work that the listener causes. */
#define SETTLE (20 * NSEC_PER_MSEC)

/* The CPU time from before listen(2) until the work is complete, in a foreign namespace: the record
 * of the notifier, the read, the search for the owner, the callback. */
static double measure_cpu(struct watching *watching, struct actor *actor, unsigned int count)
{
	static struct samples samples;
	static struct tasks helpers;

	samples.count = 0;
	load_helpers(&helpers, actor->root);
	for (unsigned int i = 0; i < count; i++) {
		double before = load_cpu(&helpers);
		struct actor_result result = actor_listen(actor, 0);

		if (!sightings_wait(watching->opened, result.port, result.before, PATIENCE))
			return NAN;
		bench_sleep(SETTLE);
		samples_add(&samples, load_cpu(&helpers) - before);
		actor_close(actor, result.port);
		sightings_wait(watching->closed, result.port, result.before, PATIENCE);
		bench_sleep(SETTLE);
	}
	return samples_median(&samples);
}

static double measure(struct bench *bench, unsigned int outside, unsigned int members,
                      const char *label)
{
	struct way way = {.notifier = true};
	struct watching watching;
	struct crowd crowd;
	struct actor actor;
	double cpu = NAN;
	uint64_t scans;

	if (!crowd_start(&crowd, outside)) {
		report_impossible(bench->report, 3, label, "the limit of processes is too low");
		return NAN;
	}
	if (actor_start(&actor, PLACE_FOREIGN, members)) {
		if (watching_start(&watching, actor.root, &way) == 0) {
			unsigned int count = bench->quick ? 10 : 60;

			scans = watching_stat(&watching, PORTWATCH_STAT_SCANS);
			cpu = measure_cpu(&watching, &actor, count);
			scans = watching_stat(&watching, PORTWATCH_STAT_SCANS) - scans;
			report_note(report_figure(bench->report, 3, UNIT_SECONDS, cpu, NAN, "%s",
			                          label),
			            "%.1f processes scanned", (double)scans / count);
			watching_stop(&watching);
		}
		actor_stop(&actor);
	}
	report_compare(&bench->report->figures[bench->report->figure_count - 1],
	               "a walk over all /proc/*/fd", polling_walk());
	crowd_stop(&crowd);
	return cpu;
}

void part_owner(struct bench *bench)
{
	double few, some, many;

	if (!bench->notifier || !bench->root) {
		report_impossible(bench->report, 3, "the whole part",
		                  "the kernel refuses the notifier");
		return;
	}
	few = measure(bench, 100, 10, "100 processes outside, tree of 10");
	some = bench->quick ? NAN : measure(bench, 1000, 10, "1,000 processes outside, tree of 10");
	many = measure(bench, 10000, 10, "10,000 processes outside, tree of 10");
	measure(bench, 100, 100, "100 processes outside, tree of 100");
	measure(bench, 100, 1000, "100 processes outside, tree of 1,000");
	report_budget(bench->report, UNIT_RATIO, (some > many ? some : many) / few, 1.3,
	              "CPU of a new listener's owner, 100 to 10,000 processes outside");
}
