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

struct notifier {
	struct notifier_hooks hooks;
	void *data;
	struct state_format format;
	struct perf_cpus *perf_cpus;
	uint64_t records;
	uint64_t lost;
	uint64_t cpus_checked; /* CLOCK_MONOTONIC */
};

static int set_up(struct notifier *notifier, const char **step)
{
	int error = state_format_read(&notifier->format, step);

	if (error < 0)
		return error;
	notifier->cpus_checked = clock_now(CLOCK_MONOTONIC);
	return perf_cpus_open(&notifier->perf_cpus, notifier->format.id, STATE_FILTER, step);
}

int notifier_open(struct notifier **notifier, const struct notifier_hooks *hooks, void *data,
                  struct failure *failure)
{
	struct notifier *made = calloc(1, sizeof(*made));
	const char *step = "make a notifier (malloc)";
	int error = -ENOMEM;

	if (made) {
		made->hooks = *hooks;
		made->data = data;
		error = set_up(made, &step);
	}
	if (error < 0) {
		*failure = (struct failure){step, -error};
		notifier_close(made);
		return error;
	}
	*notifier = made;
	return 0;
}

void notifier_close(struct notifier *notifier)
{
	if (!notifier)
		return;
	perf_cpus_close(notifier->perf_cpus);
	free(notifier);
}

void notifier_forget(struct notifier *notifier)
{
	perf_cpus_forget(notifier->perf_cpus);
	free(notifier);
}

int notifier_fd(const struct notifier *notifier)
{
	return notifier->perf_cpus->epoll;
}

static void tell_lost(struct notifier *notifier, uint64_t records)
{
	notifier->lost += records;
	notifier->hooks.lost(notifier->data, records);
}

static int handle_task(struct notifier *notifier, const struct perf_record *record)
{
	struct perf_task task;

	if (perf_record_task(record, &task) < 0)
		return -EBADMSG;
	if (task.pid <= 0)
		return 0;
	if (record->type == PERF_RECORD_EXIT)
		notifier->hooks.exited(notifier->data, task.pid);
	else if (task.pid != task.ppid)
		notifier->hooks.forked(notifier->data, task.ppid > 0 ? task.ppid : 0, task.pid);
	return 0;
}

static int handle_change(struct notifier *notifier, const struct perf_record *record)
{
	struct tcp_change change;

	if (state_change_decode(&notifier->format, record, &change) < 0)
		return -EBADMSG;
	notifier->hooks.changed(notifier->data, &change);
	return 0;
}

static int handle_lost(struct notifier *notifier, const struct perf_record *record)
{
	uint64_t records;

	if (perf_record_lost(record, &records) < 0)
		return -EBADMSG;
	tell_lost(notifier, records);
	return 0;
}

static void handle(struct notifier *notifier, const struct perf_record *record)
{
	int error = 0;

	notifier->records++;
	switch (record->type) {
	case PERF_RECORD_SAMPLE:
		error = handle_change(notifier, record);
		break;
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		error = handle_task(notifier, record);
		break;
	case PERF_RECORD_LOST:
		error = handle_lost(notifier, record);
		break;
	}
	if (error < 0)
		tell_lost(notifier, 0);
}

static bool next_record(struct notifier *notifier, struct perf_cpu *perf_cpu)
{
	int result = perf_ring_next(&perf_cpu->tracepoint.ring, &perf_cpu->record);

	if (result < 0)
		tell_lost(notifier, 0);
	return result > 0;
}

/* Linear, because few rings hold anything at once. */
static size_t earliest(struct perf_cpu *const *waiting, size_t count)
{
	size_t best = 0, i;

	for (i = 1; i < count; i++)
		if (waiting[i]->record.time < waiting[best]->record.time)
			best = i;
	return best;
}

static void drain_rings(struct notifier *notifier)
{
	struct perf_cpus *perf_cpus = notifier->perf_cpus;
	struct perf_cpu **waiting = perf_cpus->waiting;
	size_t count = 0, cpu;

	for (cpu = 0; cpu < perf_cpus->count; cpu++) {
		struct perf_cpu *perf_cpu = &perf_cpus->each[cpu];

		if (perf_cpu->tracepoint.fd >= 0 && perf_ring_begin(&perf_cpu->tracepoint.ring) &&
		    next_record(notifier, perf_cpu))
			waiting[count++] = perf_cpu;
	}
	while (count > 0) {
		size_t first = earliest(waiting, count);

		handle(notifier, &waiting[first]->record);
		if (!next_record(notifier, waiting[first]))
			waiting[first] = waiting[--count];
	}
	for (cpu = 0; cpu < perf_cpus->count; cpu++) {
		struct tracepoint *tracepoint = &perf_cpus->each[cpu].tracepoint;

		if (tracepoint->fd >= 0 && perf_ring_end(&tracepoint->ring))
			tell_lost(notifier, 0);
	}
}

void notifier_drain(struct notifier *notifier)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	drain_rings(notifier);
	if (now - notifier->cpus_checked < CPUS_INTERVAL)
		return;
	notifier->cpus_checked = now;
	if (perf_cpus_update(notifier->perf_cpus))
		tell_lost(notifier, 0);
}

uint64_t notifier_records(const struct notifier *notifier)
{
	return notifier->records;
}

uint64_t notifier_lost(const struct notifier *notifier)
{
	return notifier->lost;
}
