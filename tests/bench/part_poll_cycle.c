/* SPDX-License-Identifier: MIT */
/* part_poll_cycle.c - CPU and system calls of one idle poll cycle, for each way of reading */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "actor.h"
#include "bench.h"
#include "polling.h"
#include "samples.h"
#include "poll_cycle.h"

#define LISTENERS 3
#define DUMPS 100
#define CATS 15

struct reading {
	const char *what;
	enum portwatch_reader reader;
	enum portwatch_table table;
	bool own; /* in the benchmark's own network namespace */
	double cpu, dumps;
};

static struct reading readings[] = {
	{"setns+diag", PORTWATCH_READER_SETNS, PORTWATCH_TABLE_DIAG, false, NAN, NAN},
	{"setns+text", PORTWATCH_READER_SETNS, PORTWATCH_TABLE_PROCFS, false, NAN, NAN},
	{"nsenter", PORTWATCH_READER_NSENTER, PORTWATCH_TABLE_AUTO, false, NAN, NAN},
	{"procfs", PORTWATCH_READER_PROCFS, PORTWATCH_TABLE_AUTO, false, NAN, NAN},
	{"local+diag", PORTWATCH_READER_LOCAL, PORTWATCH_TABLE_DIAG, true, NAN, NAN},
	{"local+text", PORTWATCH_READER_LOCAL, PORTWATCH_TABLE_PROCFS, true, NAN, NAN},
};
#define READINGS (sizeof(readings) / sizeof(readings[0]))

static double measure_dumps(struct bench *bench, struct actor *actor)
{
	return actor_dumps(actor, bench->quick ? 25 : DUMPS, POLL_INTERVAL * NSEC_PER_MSEC);
}

/* The speed of the machine changes, so the bare dumps are measured right before and right after. */
static void measure(struct bench *bench, struct reading *reading, struct actor *actor)
{
	double before = measure_dumps(bench, actor);
	struct poll_cycle cycle = poll_cycle_measure(actor->root, reading->reader, reading->table,
	                                             bench->quick ? 3 : 10, bench->quick ? 20 : 50);
	struct figure *figure;

	reading->dumps = (before + measure_dumps(bench, actor)) / 2;
	if (cycle.error < 0) {
		report_impossible(bench->report, 2, reading->what, strerror(-cycle.error));
		return;
	}
	reading->cpu = cycle.cpu;
	figure = report_figure(bench->report, 2, UNIT_SECONDS, cycle.cpu, NAN, "%s", reading->what);
	report_compare(figure, "two bare dumps", reading->dumps);
	if (isnan(cycle.calls))
		report_note(figure, "system calls: - (%s)",
		            cycle.untraced == -EPERM ? "ptrace is not allowed here"
		                                     : strerror(-cycle.untraced));
	else
		report_note(figure, "%.1f system calls", cycle.calls);
}

static double measure_cat(struct bench *bench, const struct actor *actor, double dumps)
{
	struct figure *figure;
	struct cost cost;

	if (!polling_cat(actor->root, bench->quick ? 5 : CATS, &cost)) {
		report_impossible(bench->report, 2, "`nsenter -t PID -n cat` of both tables",
		                  "the command fails");
		return NAN;
	}
	figure = report_figure(bench->report, 2, UNIT_SECONDS, cost.cpu, NAN,
	                       "`nsenter -t PID -n cat` of both tables");
	report_compare(figure, "two bare dumps", dumps);
	return cost.cpu;
}

static void budgets(struct bench *bench, double cat)
{
	double cpu = readings[0].cpu;

	report_budget(bench->report, UNIT_RATIO, cpu / readings[0].dumps, 2,
	              "CPU of one idle poll cycle (setns+diag), of two bare dumps");
	report_budget(bench->report, UNIT_RATIO, cpu / cat, 1.0 / 50,
	              "CPU of one idle poll cycle (setns+diag), of `nsenter … cat` of both tables");
}

void part_poll_cycle(struct bench *bench)
{
	struct actor foreign, own;
	struct figure *figure;
	double cat;

	if (!actor_start(&foreign, PLACE_FOREIGN, 1)) {
		report_impossible(bench->report, 2, "the whole part",
		                  "no namespace can be created");
		return;
	}
	actor_start(&own, PLACE_OWN, 1);
	for (int i = 0; i < LISTENERS; i++) {
		actor_listen(&foreign, 0);
		actor_listen(&own, 0);
	}
	for (size_t i = 0; i < READINGS; i++)
		measure(bench, &readings[i], readings[i].own ? &own : &foreign);
	cat = measure_cat(bench, &foreign, readings[0].dumps);
	figure = report_figure(bench->report, 2, UNIT_SECONDS, readings[0].dumps, NAN,
	                       "two bare sock_diag dumps, around setns+diag");
	report_note(figure, "%.1f us in our own namespace, around local+diag",
	            readings[4].dumps * 1e6);
	budgets(bench, cat);
	actor_stop(&foreign);
	actor_stop(&own);
}
