/* SPDX-License-Identifier: MIT */
/* overlap.h - ports that several watched trees have in common count once */
#ifndef OVERLAP_H
#define OVERLAP_H

#include <stdbool.h>

#include "portwatch.h"

/* The ports that are open now, each with the number of watchers that have reported it. */
struct overlap {
	void *tree;   /* of tsearch(3) */
	bool enabled; /* false where one tree is watched: then everything passes */
};

/* Counts an event. Returns 1 when it is to be printed: the first open of a port, its last close,
 * and everything else; 0 when another watcher has told or will tell; -ENOMEM. */
int overlap_count(struct overlap *overlap, const struct portwatch_event *event);
void overlap_free(struct overlap *overlap);

#endif
