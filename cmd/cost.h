/* SPDX-License-Identifier: MIT */
/* cost.h - the figures of --stats */
#ifndef COST_H
#define COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "portwatch.h"

/* At least the number of figures of the library. */
#define COST_FIGURES_MAX 64

#define COST_NOTICES 3 /* the number of values of enum portwatch_notice */

struct cost {
	bool known[COST_FIGURES_MAX];        /* whether the figure was ever known */
	uint64_t figures[COST_FIGURES_MAX];  /* by enum portwatch_stat */
	const char *notifiers[COST_NOTICES]; /* by enum portwatch_notice: the mechanism; NULL */
};

/* Stores the mechanisms by which the kernel reports. Called after a watcher has started, because
 * the library closes the mechanisms when all trees have ended. */
void cost_take_ways(struct cost *cost, struct portwatch *watcher);

/* Stores the figures of a watcher. Called once for each watcher before it is stopped. The number of
 * events belongs to the watcher, so it is added; the other figures belong to the whole process and
 * only grow. */
void cost_take(struct cost *cost, struct portwatch *watcher);

/* Writes one line for each figure, and for each mechanism by which the kernel reports. Returns the
 * length. */
#define COST_TEXT_MAX 4096
size_t cost_format(const struct cost *cost, char text[COST_TEXT_MAX]);

#endif
