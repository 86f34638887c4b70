/* SPDX-License-Identifier: MIT */
/* part_tables.c - CPU of one poll cycle by the number of sockets in the namespace */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "actor.h"
#include "bench.h"
#include "polling.h"
#include "poll_cycle.h"

#define CONNECTIONS 8000

static void measure_way(struct bench *bench, struct actor *actor, const char *where,
                        const char *name, enum portwatch_table table, double dumps)
{
	struct poll_cycle cycle = poll_cycle_measure(actor->root, PORTWATCH_READER_SETNS, table,
	                                             bench->quick ? 2 : 5, bench->quick ? 15 : 25);
	struct figure *figure;
	char what[REPORT_TEXT];

	snprintf(what, sizeof(what), "%s, %s", where, name);
	if (cycle.error < 0) {
		report_impossible(bench->report, 5, what, strerror(-cycle.error));
		return;
	}
	figure = report_figure(bench->report, 5, UNIT_SECONDS, cycle.cpu, NAN, "%s", what);
	report_compare(figure, "two bare dumps", dumps);
	if (!isnan(cycle.calls))
		report_note(figure, "%.1f system calls", cycle.calls);
}

static void measure(struct bench *bench, int listeners, int connections)
{
	char where[REPORT_TEXT / 2];
	struct figure *figure;
	struct actor actor;
	struct cost cost;
	double dumps;

	snprintf(where, sizeof(where), "%d listeners, %d connections", listeners, connections);
	if (!actor_start(&actor, PLACE_FOREIGN, 1)) {
		report_impossible(bench->report, 5, where, "no namespace can be created");
		return;
	}
	/* The connections have a listener too, which counts as one of the listeners. */
	actor_fill(&actor, 0, connections);
	actor_fill(&actor, listeners - (connections > 0), 0);
	dumps = actor_dumps(&actor, bench->quick ? 20 : 50, POLL_INTERVAL * NSEC_PER_MSEC);
	measure_way(bench, &actor, where, "setns+diag", PORTWATCH_TABLE_DIAG, dumps);
	measure_way(bench, &actor, where, "setns+text", PORTWATCH_TABLE_PROCFS, dumps);
	if (polling_cat(actor.root, bench->quick ? 3 : 7, &cost)) {
		figure = report_figure(bench->report, 5, UNIT_SECONDS, cost.cpu, NAN,
		                       "%s, `nsenter … cat`", where);
		report_compare(figure, "two bare dumps", dumps);
	}
	report_figure(bench->report, 5, UNIT_SECONDS, dumps, NAN, "%s, two bare dumps", where);
	actor_stop(&actor);
}

void part_tables(struct bench *bench)
{
	static const int listeners[] = {10, 1000, 10000};

	for (size_t i = 0; i < (bench->quick ? 2 : 3); i++) {
		measure(bench, listeners[i], 0);
		if (!bench->quick || i == 0)
			measure(bench, listeners[i], CONNECTIONS);
	}
}
