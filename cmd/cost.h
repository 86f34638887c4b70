/* SPDX-License-Identifier: MIT */
/* cost.h - what watching cost, for --stats */
#ifndef COST_H
#define COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "portwatch.h"

/* More figures than the library has. */
#define COST_FIGURES_MAX 64

#define COST_NOTICES 3 /* as many as enum portwatch_notice has */

struct cost {
	bool known[COST_FIGURES_MAX];        /* whether this was ever known: */
	uint64_t figures[COST_FIGURES_MAX];  /* by enum portwatch_stat */
	const char *notifiers[COST_NOTICES]; /* by enum portwatch_notice: the mechanism; NULL */
};

/* Takes by which mechanisms the kernel reports, to be called when a watcher was started: the
 * library lets go of the mechanisms when all trees have ended. */
void cost_take_ways(struct cost *cost, struct portwatch *watcher);

/* Takes the figures of a watcher, to be called before it is stopped, once for each. Events are its
 * own and are summed; the other figures are those of the whole process and only grow. */
void cost_take(struct cost *cost, struct portwatch *watcher);

/* Writes one line for each figure, and for each mechanism by which the kernel reports. Returns the
 * length. */
#define COST_TEXT_MAX 4096
size_t cost_format(const struct cost *cost, char text[COST_TEXT_MAX]);

#endif
