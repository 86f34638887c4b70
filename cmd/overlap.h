/* SPDX-License-Identifier: MIT */
/* overlap.h - merges the events of ports that several watched trees hold */
#ifndef OVERLAP_H
#define OVERLAP_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"
#include "portwatch.h"

/* The open ports, each with its owner as the watchers report it. */
struct overlap {
	void *tree;       /* of tsearch(3) */
	uint64_t last_id; /* of a merged port: the ids of the watchers may coincide */
	bool enabled;     /* false if only one tree is watched: all events pass unchanged */
	char name[FORMAT_NAME_MAX + 1]; /* of the process that was named last */
};

/* Applies an event. Returns 1 if there is something to print: the first open of a port, its last
 * close, or a change of its owner. In this case *fields, which describe the event, are changed
 * accordingly, and are valid until the next call. The owner is the one that the speaker reports: a
 * watcher stays the speaker as long as it reports the port and knows the owner. Returns 0 if the
 * event adds nothing to what other watchers report; -ENOMEM. */
int overlap_take(struct overlap *overlap, const struct portwatch *watcher,
                 const struct portwatch_event *event, struct format_fields *fields);
void overlap_free(struct overlap *overlap);

#endif
