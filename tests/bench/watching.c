/* SPDX-License-Identifier: MIT */
/* watching.c - a watcher whose events are recorded */
#include "bench.h"
#include "watching.h"

static void on_event(struct portwatch *watcher, const struct portwatch_event *event,
                     void *user_data)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);
	struct watching *watching = user_data;

	(void)watcher;
	if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_OPEN)
		sightings_note(watching->opened, portwatch_event_get_port(event), now);
	else if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_CLOSE)
		sightings_note(watching->closed, portwatch_event_get_port(event), now);
}

static int start(struct watching *watching, const struct way *way)
{
	struct portwatch *watcher = watching->watcher;
	uint64_t before;
	int error;

	portwatch_set_events(watcher, PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE);
	portwatch_set_reader(watcher, way->reader);
	portwatch_set_table(watcher, way->table);
	portwatch_set_notifier(watcher, way->notifier);
	portwatch_set_interval(watcher, way->interval);
	before = clock_now(CLOCK_MONOTONIC);
	error = portwatch_start(watcher);
	watching->ready = seconds(clock_now(CLOCK_MONOTONIC) - before);
	return error;
}

int watching_start(struct watching *watching, pid_t pid, const struct way *way)
{
	int error;

	watching->watcher = NULL;
	watching->opened = sightings_new();
	watching->closed = sightings_new();
	error = portwatch_new(&watching->watcher, pid, on_event, watching);
	if (error == 0)
		error = start(watching, way);
	if (error < 0)
		watching_stop(watching);
	return error;
}

void watching_stop(struct watching *watching)
{
	portwatch_free(watching->watcher);
	sightings_free(watching->opened);
	sightings_free(watching->closed);
}

uint64_t watching_stat(struct watching *watching, enum portwatch_stat stat)
{
	return portwatch_get_stat(watching->watcher, stat);
}
