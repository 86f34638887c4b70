/* SPDX-License-Identifier: MIT */
/* settle.c - delays open events until the port has been open for some time */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settle.h"

#define ADDRESS_SIZE 64 /* more than INET6_ADDRSTRLEN */

struct waiting {
	uint64_t id; /* first member, so that tsearch(3) compares ids */
	int64_t due_ms;
	struct format_fields fields;
	char address[ADDRESS_SIZE], process[FORMAT_NAME_MAX + 1];
	bool dropped; /* the port has closed: the element is freed when it is due */
	bool printed; /* settle_due() has returned it */
	struct waiting *next;
};

static int compare(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return first < second ? -1 : first > second;
}

static struct waiting *find(const struct settle *settle, uint64_t id)
{
	struct waiting **node = tfind(&id, (void *const *)&settle->tree, compare);

	return node ? *node : NULL;
}

static void describe(struct waiting *waiting, const struct format_fields *fields)
{
	waiting->fields = *fields;
	snprintf(waiting->address, sizeof(waiting->address), "%s", fields->address);
	snprintf(waiting->process, sizeof(waiting->process), "%s", fields->process);
	waiting->fields.address = waiting->address;
	waiting->fields.process = waiting->process;
	waiting->fields.command = NULL;
}

/* If there is no memory, the caller prints the open event at once. */
static bool add(struct settle *settle, const struct format_fields *fields, int64_t now_ms)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));

	if (!waiting)
		return false;
	waiting->id = fields->id;
	waiting->due_ms = now_ms + settle->delay;
	describe(waiting, fields);
	if (!tsearch(waiting, &settle->tree, compare)) {
		free(waiting);
		return false;
	}
	if (settle->last)
		settle->last->next = waiting;
	else
		settle->first = waiting;
	settle->last = waiting;
	return true;
}

bool settle_take(struct settle *settle, const struct format_fields *fields, int64_t now_ms)
{
	struct format_fields changed;
	struct waiting *waiting;

	if (settle->delay == 0 || fields->kind == PORTWATCH_EVENT_END)
		return true;
	if (fields->kind == PORTWATCH_EVENT_OPEN)
		return !add(settle, fields, now_ms);
	waiting = find(settle, fields->id);
	if (!waiting)
		return true;
	if (fields->kind == PORTWATCH_EVENT_CLOSE) {
		tdelete(waiting, &settle->tree, compare);
		waiting->dropped = true;
		return false;
	}
	/* Only the owner changes: the event stays an open event with the time of the opening. */
	changed = *fields;
	changed.kind = PORTWATCH_EVENT_OPEN;
	changed.realtime = waiting->fields.realtime;
	changed.initial = waiting->fields.initial;
	describe(waiting, &changed);
	return false;
}

static void remove_first(struct settle *settle)
{
	struct waiting *waiting = settle->first;

	if (!waiting->dropped)
		tdelete(waiting, &settle->tree, compare);
	settle->first = waiting->next;
	if (!settle->first)
		settle->last = NULL;
	free(waiting);
}

const struct format_fields *settle_due(struct settle *settle, int64_t now_ms)
{
	while (settle->first && (settle->first->dropped || settle->first->printed))
		remove_first(settle);
	if (!settle->first || settle->first->due_ms > now_ms)
		return NULL;
	settle->first->printed = true;
	return &settle->first->fields;
}

int64_t settle_next(const struct settle *settle)
{
	return settle->first ? settle->first->due_ms : 0;
}

void settle_free(struct settle *settle)
{
	while (settle->first)
		remove_first(settle);
}
