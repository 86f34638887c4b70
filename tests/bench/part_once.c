/* SPDX-License-Identifier: MIT */
/* part_once.c - pwatch --once, compared with other programs that list listening ports */
#include <math.h>
#include <stdio.h>

#include "actor.h"
#include "bench.h"
#include "command.h"

#define LISTENERS 10

static double measure(struct bench *bench, const char *what, char *const arguments[], double base)
{
	struct figure *figure;
	struct cost cost;

	if (!command_measure(arguments, bench->quick ? 10 : 40, &cost)) {
		report_impossible(bench->report, 7, what, "it cannot be run, or fails");
		return NAN;
	}
	figure = report_figure(bench->report, 7, UNIT_SECONDS, cost.wall, NAN, "%s", what);
	report_note(figure, "%.2f ms of CPU", cost.cpu * 1e3);
	report_compare(figure, "`ss -Htlnp`", isnan(base) ? cost.wall : base);
	return cost.wall;
}

void part_once(struct bench *bench)
{
	char pid[16];
	char *ss[] = {"ss", "-Htlnp", NULL};
	char *lsof[] = {"lsof", "-nP", "-iTCP", "-sTCP:LISTEN", NULL};
	char *pwatch[] = {(char *)bench->pwatch, "--once", pid, NULL};
	struct actor actor;
	double base, own;

	if (!actor_start(&actor, PLACE_OWN, 1))
		bench_fail("no actor");
	for (int i = 0; i < LISTENERS; i++)
		actor_listen(&actor, 0);
	snprintf(pid, sizeof(pid), "%d", (int)actor.root);
	base = measure(bench, "`ss -Htlnp`", ss, NAN);
	own = measure(bench, "`pwatch --once PID`", pwatch, base);
	measure(bench, "`lsof -nP -iTCP -sTCP:LISTEN`", lsof, base);
	actor_stop(&actor);
	report_budget(bench->report, UNIT_RATIO, own / base, 0.5,
	              "`pwatch --once PID`, of `ss -Htlnp`");
	if (!actor_start(&actor, PLACE_FOREIGN, 1))
		return;
	actor_listen(&actor, 0);
	snprintf(pid, sizeof(pid), "%d", (int)actor.root);
	measure(bench, "`pwatch --once PID`, foreign namespace", pwatch, base);
	actor_stop(&actor);
}
