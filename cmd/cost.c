/* SPDX-License-Identifier: MIT */
/* cost.c - what watching cost, for --stats */
#include <inttypes.h>

#include "cost.h"
#include "text.h"

#define NAME_WIDTH 24
#define VALUE_WIDTH 14

/* The figures that there are: the first without a name comes after the last. */
static enum portwatch_stat count_figures(void)
{
	enum portwatch_stat count = 0;

	while (count < COST_FIGURES_MAX && portwatch_stat_name(count))
		count++;
	return count;
}

void cost_take(struct cost *cost, struct portwatch *watcher)
{
	enum portwatch_stat count = count_figures();
	uint64_t value;

	for (enum portwatch_stat stat = 0; stat < count; stat++) {
		value = portwatch_get_stat(watcher, stat);
		if (stat == PORTWATCH_STAT_EVENTS)
			cost->figures[stat] += value;
		else if (value > cost->figures[stat])
			cost->figures[stat] = value;
	}
}

size_t cost_format(const struct cost *cost, char buffer[COST_TEXT_MAX])
{
	enum portwatch_stat count = count_figures();
	struct text text;

	text_init(&text, buffer, COST_TEXT_MAX);
	for (enum portwatch_stat stat = 0; stat < count; stat++) {
		if (stat == PORTWATCH_STAT_CPU)
			text_add(&text, "%-*s%*.3f\n", NAME_WIDTH, "CPU time (ms)", VALUE_WIDTH,
			         (double)cost->figures[stat] / 1e6);
		else
			text_add(&text, "%-*s%*" PRIu64 "\n", NAME_WIDTH, portwatch_stat_name(stat),
			         VALUE_WIDTH, cost->figures[stat]);
	}
	return text.length;
}
