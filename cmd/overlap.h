/* SPDX-License-Identifier: MIT */
/* overlap.h - ports that several watched trees have in common count once */
#ifndef OVERLAP_H
#define OVERLAP_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"
#include "portwatch.h"

/* The ports that are open now, each with what the watchers that report it say of its owner. */
struct overlap {
	void *tree;       /* of tsearch(3) */
	uint64_t last_id; /* of a port: those of the watchers are each watcher's own */
	bool enabled;     /* false where one tree is watched: then everything passes */
	char name[FORMAT_NAME_MAX + 1]; /* of the process that was named last */
};

/* Takes an event. Returns 1 when there is something to print: the first open of a port, its last
 * close, and what changes in between for all watchers together; *fields, which describe the event,
 * are made to say that, and are valid until the next call. One watcher speaks for all as long as it
 * reports the port and knows its owner. 0 when another watcher has told or will tell; -ENOMEM. */
int overlap_take(struct overlap *overlap, const struct portwatch *watcher,
                 const struct portwatch_event *event, struct format_fields *fields);
void overlap_free(struct overlap *overlap);

#endif
