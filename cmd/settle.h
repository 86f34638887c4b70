/* SPDX-License-Identifier: MIT */
/* settle.h - ports are reported only when they have stayed open for some time */
#ifndef SETTLE_H
#define SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "format.h"

/* Opens that wait, each with its own copy of what is to be said. All wait equally long, so the
 * first that came is the first to be due. */
struct settle {
	unsigned int delay; /* milliseconds; 0: nothing waits */
	struct waiting *first, *last;
	void *tree; /* of tsearch(3): those of the list, by the id of their port */
};

/* Takes an event. Returns whether it is to be printed now: not an open, which waits; not the close
 * or another owner of a port whose open waits, which is dropped or changed. */
bool settle_take(struct settle *settle, const struct format_fields *fields, int64_t now_ms);

/* The open that is due, valid until the next call of any of these; NULL where none is. */
const struct format_fields *settle_due(struct settle *settle, int64_t now_ms);

/* When the next open is due; 0 where none waits. */
int64_t settle_next(const struct settle *settle);

void settle_free(struct settle *settle);

#endif
