/* SPDX-License-Identifier: MIT */
/* event.h - an event as the host sees it
 *
 * An event in the queue is a plain value (watch/ports.h). For the callback it becomes a
 * reference-counted object, so that the host can keep it. The object is reused for the next event
 * unless the host has kept it. */
#ifndef API_EVENT_H
#define API_EVENT_H

#include "watch/ports.h"

/* Properties of the owner that are read on request. */
enum event_fact {
	EVENT_COMMAND_LINE,
	EVENT_UID,
	EVENT_CGROUP,
	EVENT_FACTS,
};

struct event_life {
	unsigned int references;  /* atomic, like these pointers, which are set once: */
	void *facts[EVENT_FACTS]; /* malloc()ed; NULL: not read yet */
};

/* An empty event, with a reference for the caller; NULL without memory. */
struct portwatch_event *event_new(void);
/* Returns an empty event in place of a delivered one: the same object unless the host has kept it.
 * The caller's reference moves to it. event NULL: a new one. Returns NULL without memory. */
struct portwatch_event *event_renew(struct portwatch_event *event);
/* Copies the content into the event. */
void event_fill(struct portwatch_event *event, const struct portwatch_event *content);

#endif
