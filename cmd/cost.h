/* SPDX-License-Identifier: MIT */
/* cost.h - what watching cost, for --stats */
#ifndef COST_H
#define COST_H

#include <stddef.h>
#include <stdint.h>

#include "portwatch.h"

/* More figures than the library has. */
#define COST_FIGURES_MAX 64

struct cost {
	uint64_t figures[COST_FIGURES_MAX]; /* by enum portwatch_stat */
};

/* Takes what a watcher tells, to be called before it is stopped, once for each. Events are its own
 * and are summed; the other figures are those of the whole process and only grow. */
void cost_take(struct cost *cost, struct portwatch *watcher);

/* Writes one line for each figure. Returns the length. */
#define COST_TEXT_MAX 4096
size_t cost_format(const struct cost *cost, char text[COST_TEXT_MAX]);

#endif
