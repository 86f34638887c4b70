/* SPDX-License-Identifier: MIT */
/* cost.c - the figures of --stats */
#include <inttypes.h>

#include "cost.h"
#include "text.h"

#define NAME_WIDTH 24
#define VALUE_WIDTH 14

/* The number of figures: the first value without a name follows the last figure. */
static enum portwatch_stat count_figures(void)
{
	enum portwatch_stat count = 0;

	while (count < COST_FIGURES_MAX && portwatch_stat_name(count))
		count++;
	return count;
}

void cost_take_ways(struct cost *cost, struct portwatch *watcher)
{
	for (int notice = 0; notice < COST_NOTICES; notice++) {
		int notifier =
			portwatch_get_notifier(watcher, (enum portwatch_notice)notice, NULL, 0);

		if (notifier >= 0)
			cost->notifiers[notice] =
				portwatch_notifier_name((enum portwatch_notifier)notifier);
	}
}

void cost_take(struct cost *cost, struct portwatch *watcher)
{
	enum portwatch_stat count = count_figures();
	uint64_t value;

	for (enum portwatch_stat stat = 0; stat < count; stat++) {
		value = portwatch_get_stat(watcher, stat);
		if (value == PORTWATCH_STAT_UNKNOWN)
			continue;
		cost->known[stat] = true;
		if (stat == PORTWATCH_STAT_EVENTS)
			cost->figures[stat] += value;
		else if (value > cost->figures[stat])
			cost->figures[stat] = value;
	}
}

size_t cost_format(const struct cost *cost, char buffer[COST_TEXT_MAX])
{
	static const char *const names[COST_NOTICES] = {
		[PORTWATCH_NOTICE_LISTEN] = "listen reported by",
		[PORTWATCH_NOTICE_CLOSE] = "close reported by",
		[PORTWATCH_NOTICE_PROCESS] = "processes reported by",
	};
	enum portwatch_stat count = count_figures();
	struct text text;

	text_init(&text, buffer, COST_TEXT_MAX);
	for (enum portwatch_stat stat = 0; stat < count; stat++) {
		if (!cost->known[stat])
			text_add(&text, "%-*s%*s\n", NAME_WIDTH, portwatch_stat_name(stat),
			         VALUE_WIDTH, "unknown");
		else if (stat == PORTWATCH_STAT_CPU)
			text_add(&text, "%-*s%*.3f\n", NAME_WIDTH, "CPU time (ms)", VALUE_WIDTH,
			         (double)cost->figures[stat] / 1e6);
		else
			text_add(&text, "%-*s%*" PRIu64 "\n", NAME_WIDTH, portwatch_stat_name(stat),
			         VALUE_WIDTH, cost->figures[stat]);
	}
	for (int notice = 0; notice < COST_NOTICES; notice++)
		if (cost->notifiers[notice])
			text_add(&text, "%-*s%*s\n", NAME_WIDTH, names[notice], VALUE_WIDTH,
			         cost->notifiers[notice]);
	return text.length;
}
