/* SPDX-License-Identifier: MIT */
/* part_storm.c - 10,000 listens and closes at full speed */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "actor.h"
#include "bench.h"
#include "polling.h"
#include "watching.h"

#define KEEP 50 /* one port of so many stays open */
#define STAY (150 * NSEC_PER_MSEC)
#define LONG (100 * NSEC_PER_MSEC) /* a port that is open for longer must be reported */
#define PATIENCE (3 * NSEC_PER_SEC / 2)

struct outcome {
	unsigned int lasting; /* ports that were open for longer than LONG */
	unsigned int once;    /* those of them that were reported exactly once */
	unsigned int brief;   /* other ports that were reported */
	unsigned int invented;
	unsigned int repeated;
};

static struct outcome judge(const struct storm_port *ports, const struct sightings *seen)
{
	struct outcome outcome = {0};

	for (int port = 0; port < 65536; port++) {
		const struct storm_port *storm_port = NULL;
		unsigned int count = seen->count[port];
		bool lasting;

		if (port >= STORM_FIRST && port < STORM_FIRST + STORM_PORTS)
			storm_port = &ports[port - STORM_FIRST];
		if (!storm_port || !storm_port->opened) {
			outcome.invented += count;
			continue;
		}
		lasting = storm_port->closed - storm_port->opened > LONG;
		outcome.lasting += lasting;
		outcome.once += lasting && count == 1;
		outcome.brief += !lasting && count > 0;
		outcome.repeated += count > 1;
	}
	return outcome;
}

static void report(struct bench *bench, const char *what, const struct outcome *outcome,
                   double took)
{
	struct figure *figure = report_figure(bench->report, 6, UNIT_COUNT, outcome->once, NAN,
	                                      "%s: ports of more than 100 ms reported once", what);

	report_compare(figure, "all such ports", outcome->lasting);
	report_note(figure, "%u invented, %u reported twice, %u shorter ones reported, in %.2f s",
	            outcome->invented, outcome->repeated, outcome->brief, took);
}

static double storm(struct actor *actor, struct storm_port *ports)
{
	uint64_t start = clock_now(CLOCK_MONOTONIC);

	memset(ports, 0, STORM_PORTS * sizeof(*ports));
	actor_storm(actor, ports, KEEP, STAY);
	return seconds(clock_now(CLOCK_MONOTONIC) - start);
}

static void measure(struct bench *bench, struct storm_port *ports, bool notifier)
{
	const char *what = notifier ? "notifier" : "polling";
	struct way way = {.notifier = notifier};
	struct watching watching;
	struct outcome outcome;
	struct actor actor;
	double took;

	if (!actor_start(&actor, PLACE_FOREIGN, 1) ||
	    watching_start(&watching, actor.root, &way) < 0) {
		report_impossible(bench->report, 6, what, "the actor cannot be watched");
		return;
	}
	bench_sleep(NSEC_PER_SEC / 2);
	took = storm(&actor, ports);
	bench_sleep(PATIENCE);
	outcome = judge(ports, watching.opened);
	report(bench, what, &outcome, took);
	report_budget(bench->report, UNIT_COUNT,
	              outcome.lasting - outcome.once + outcome.invented + outcome.repeated, 0,
	              "10,000 listens and closes, %s: missed, invented or reported twice", what);
	watching_stop(&watching);
	actor_stop(&actor);
}

static void measure_baseline(struct bench *bench, struct storm_port *ports)
{
	struct polling polling;
	struct outcome outcome;
	struct actor actor;
	double took;

	if (!actor_start(&actor, PLACE_FOREIGN, 1))
		return;
	polling_start(&polling, actor.root);
	bench_sleep(NSEC_PER_SEC / 2);
	took = storm(&actor, ports);
	bench_sleep(PATIENCE);
	outcome = judge(ports, polling.opened);
	report(bench, "baseline (nsenter, cat and a walk each second)", &outcome, took);
	polling_stop(&polling);
	actor_stop(&actor);
}

void part_storm(struct bench *bench)
{
	struct storm_port *ports = mmap(NULL, STORM_PORTS * sizeof(*ports), PROT_READ | PROT_WRITE,
	                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (ports == MAP_FAILED)
		bench_fail("no memory");
	if (bench->notifier)
		measure(bench, ports, true);
	else
		report_impossible(bench->report, 6, "notifier", "the kernel refuses the notifier");
	measure(bench, ports, false);
	measure_baseline(bench, ports);
}
