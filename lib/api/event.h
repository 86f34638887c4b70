/* SPDX-License-Identifier: MIT */
/* event.h - an event as the host has it
 *
 * An event that waits is a plain value (watch/event.h). For the callback it becomes an object with
 * references, so that the host can keep it. The same object serves for the next event unless the
 * host has kept it. */
#ifndef API_EVENT_H
#define API_EVENT_H

#include "watch/ports.h"

/* What is read of the owner when it is asked for. */
enum event_fact {
	EVENT_COMMAND_LINE,
	EVENT_UID,
	EVENT_CGROUP,
	EVENT_FACTS,
};

struct event_life {
	unsigned int references;  /* atomic, as are these pointers, which are set once: */
	void *facts[EVENT_FACTS]; /* malloc()ed; NULL: not asked for yet */
};

/* An empty event, with a reference for the caller; NULL without memory. */
struct portwatch_event *event_new(void);
/* An empty event in the place of one that was delivered: the same where nobody has kept that. The
 * caller's reference moves to it. event NULL: a new one. NULL without memory. */
struct portwatch_event *event_renew(struct portwatch_event *event);
/* Makes it say what the content says. */
void event_fill(struct portwatch_event *event, const struct portwatch_event *content);

#endif
