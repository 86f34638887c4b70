/* SPDX-License-Identifier: MIT */
/* settle.h - delays open events until the port has been open for some time */
#ifndef SETTLE_H
#define SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"

/* The waiting open events, each with its own copy of the strings. All wait for the same time, so
 * the oldest is due first. */
struct settle {
	unsigned int delay; /* milliseconds; 0: no event waits */
	struct waiting *first, *last;
	void *tree; /* of tsearch(3): the elements of the list, by the id of their port */
};

/* Applies an event. Returns whether to print it now. An open event waits and returns false. A close
 * or owner event of a port whose open event waits drops or changes the waiting event, and returns
 * false. */
bool settle_take(struct settle *settle, const struct format_fields *fields, int64_t now_ms);

/* The open event that is due, valid until the next call of any of these functions; NULL if none is
 * due. */
const struct format_fields *settle_due(struct settle *settle, int64_t now_ms);

/* When the next open event is due; 0 if none waits. */
int64_t settle_next(const struct settle *settle);

void settle_free(struct settle *settle);

#endif
