/* SPDX-License-Identifier: MIT */
/* notifier.c - kernel events that say "look now" */
#include <errno.h>
#include <stdlib.h>

#include "notify/perf_cpus.h"
#include "util/clock.h"
#include "notify/notifier.h"
#include "notify/tcp_state.h"

/* Between two looks at which CPUs are online. */
#define CPUS_INTERVAL NSEC_PER_SEC

struct doorbell {
	struct doorbell_hooks hooks;
	void *data;
	struct state_format format;
	struct bells *bells;
	uint64_t records;
	uint64_t lost;
	uint64_t cpus_checked; /* CLOCK_MONOTONIC */
};

static int set_up(struct doorbell *doorbell, const char **step)
{
	int error = state_format_read(&doorbell->format, step);

	if (error < 0)
		return error;
	doorbell->cpus_checked = clock_now(CLOCK_MONOTONIC);
	return bells_open(&doorbell->bells, doorbell->format.id, STATE_FILTER, step);
}

int doorbell_open(struct doorbell **doorbell, const struct doorbell_hooks *hooks, void *data,
                  struct failure *failure)
{
	struct doorbell *made = calloc(1, sizeof(*made));
	const char *step = "make a doorbell (malloc)";
	int error = -ENOMEM;

	if (made) {
		made->hooks = *hooks;
		made->data = data;
		error = set_up(made, &step);
	}
	if (error < 0) {
		*failure = (struct failure){step, -error};
		doorbell_close(made);
		return error;
	}
	*doorbell = made;
	return 0;
}

void doorbell_close(struct doorbell *doorbell)
{
	if (!doorbell)
		return;
	bells_close(doorbell->bells);
	free(doorbell);
}

void doorbell_forget(struct doorbell *doorbell)
{
	bells_forget(doorbell->bells);
	free(doorbell);
}

int doorbell_fd(const struct doorbell *doorbell)
{
	return doorbell->bells->epoll;
}

static void tell_lost(struct doorbell *doorbell, uint64_t records)
{
	doorbell->lost += records;
	doorbell->hooks.lost(doorbell->data, records);
}

static int handle_task(struct doorbell *doorbell, const struct perf_record *record)
{
	struct perf_task task;

	if (perf_record_task(record, &task) < 0)
		return -EBADMSG;
	if (task.pid <= 0)
		return 0;
	if (record->type == PERF_RECORD_EXIT)
		doorbell->hooks.exited(doorbell->data, task.pid);
	else if (task.pid != task.ppid)
		doorbell->hooks.forked(doorbell->data, task.ppid > 0 ? task.ppid : 0, task.pid);
	return 0;
}

static int handle_change(struct doorbell *doorbell, const struct perf_record *record)
{
	struct doorbell_change change;

	if (state_change_decode(&doorbell->format, record, &change) < 0)
		return -EBADMSG;
	doorbell->hooks.changed(doorbell->data, &change);
	return 0;
}

static int handle_lost(struct doorbell *doorbell, const struct perf_record *record)
{
	uint64_t records;

	if (perf_record_lost(record, &records) < 0)
		return -EBADMSG;
	tell_lost(doorbell, records);
	return 0;
}

static void handle(struct doorbell *doorbell, const struct perf_record *record)
{
	int error = 0;

	doorbell->records++;
	switch (record->type) {
	case PERF_RECORD_SAMPLE:
		error = handle_change(doorbell, record);
		break;
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		error = handle_task(doorbell, record);
		break;
	case PERF_RECORD_LOST:
		error = handle_lost(doorbell, record);
		break;
	}
	if (error < 0)
		tell_lost(doorbell, 0);
}

static bool next_record(struct doorbell *doorbell, struct bell *bell)
{
	int result = perf_ring_next(&bell->tracepoint.ring, &bell->record);

	if (result < 0)
		tell_lost(doorbell, 0);
	return result > 0;
}

/* Linear, because few rings hold anything at once. */
static size_t earliest(struct bell *const *waiting, size_t count)
{
	size_t best = 0, i;

	for (i = 1; i < count; i++)
		if (waiting[i]->record.time < waiting[best]->record.time)
			best = i;
	return best;
}

static void drain_rings(struct doorbell *doorbell)
{
	struct bells *bells = doorbell->bells;
	struct bell **waiting = bells->waiting;
	size_t count = 0, cpu;

	for (cpu = 0; cpu < bells->count; cpu++) {
		struct bell *bell = &bells->each[cpu];

		if (bell->tracepoint.fd >= 0 && perf_ring_begin(&bell->tracepoint.ring) &&
		    next_record(doorbell, bell))
			waiting[count++] = bell;
	}
	while (count > 0) {
		size_t first = earliest(waiting, count);

		handle(doorbell, &waiting[first]->record);
		if (!next_record(doorbell, waiting[first]))
			waiting[first] = waiting[--count];
	}
	for (cpu = 0; cpu < bells->count; cpu++) {
		struct tracepoint *tracepoint = &bells->each[cpu].tracepoint;

		if (tracepoint->fd >= 0 && perf_ring_end(&tracepoint->ring))
			tell_lost(doorbell, 0);
	}
}

void doorbell_drain(struct doorbell *doorbell)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	drain_rings(doorbell);
	if (now - doorbell->cpus_checked < CPUS_INTERVAL)
		return;
	doorbell->cpus_checked = now;
	if (bells_follow(doorbell->bells))
		tell_lost(doorbell, 0);
}

uint64_t doorbell_records(const struct doorbell *doorbell)
{
	return doorbell->records;
}

uint64_t doorbell_lost(const struct doorbell *doorbell)
{
	return doorbell->lost;
}
