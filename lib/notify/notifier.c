/* SPDX-License-Identifier: MIT */
/* notifier.c - kernel events that say "look now" */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "notify/notifier.h"
#include "notify/perf_cpus.h"
#include "util/clock.h"
#include "util/fd.h"

/* Between two looks at which CPUs are online. */
#define CPUS_INTERVAL NSEC_PER_SEC

struct notifier {
	struct notifier_hooks hooks;
	void *data;
	unsigned int wanted; /* ways, as bits */
	enum notifier_way in_use[NOTIFIER_KINDS];
	struct failure failures[NOTIFIER_WAYS];
	int epoll;
	struct tcp_source *source;   /* of listen events; NULL: none */
	struct perf_cpus *perf_cpus; /* NULL: none */
	uint64_t records;
	uint64_t lost;
	uint64_t cpus_checked; /* CLOCK_MONOTONIC */
};

static bool is_wanted(const struct notifier *notifier, enum notifier_way way)
{
	return notifier->wanted & NOTIFIER_ONLY(way);
}

/* --- the ways */

static int open_bpf(struct notifier *notifier, const char **step)
{
	int cpus = perf_cpus_possible(step);

	return cpus < 0 ? cpus : tcp_bpf_open(&notifier->source, (unsigned int)cpus, step);
}

static int open_tracepoint(struct notifier *notifier, const char **step)
{
	return tcp_tracepoint_open(&notifier->source, step);
}

/* Records of processes alone. */
static int open_no_source(struct notifier *notifier, const char **step)
{
	(void)notifier, (void)step;
	return 0;
}

static void close_source(struct notifier *notifier)
{
	if (notifier->source)
		notifier->source->ops->close(notifier->source);
	notifier->source = NULL;
}

/* Tries one way; the failure of the one before it is no reason for this one. */
static bool try_way(struct notifier *notifier, enum notifier_way way,
                    int (*open)(struct notifier *notifier, const char **step))
{
	const char *step = NULL;
	int error;

	if (!is_wanted(notifier, way))
		return false;
	error = open(notifier, &step);
	if (error == 0)
		error = perf_cpus_open(&notifier->perf_cpus, notifier->source, notifier->epoll,
		                       &step);
	if (error < 0) {
		close_source(notifier);
		notifier->failures[way] = (struct failure){step, -error};
		return false;
	}
	notifier->in_use[notifier_way_kind(way)] = way;
	return true;
}

/* Whichever opens the perf events also gets the records of processes by them. */
static void open_ways(struct notifier *notifier)
{
	bool open = try_way(notifier, NOTIFIER_BPF, open_bpf) ||
	            try_way(notifier, NOTIFIER_TRACEPOINT, open_tracepoint);

	notifier->cpus_checked = clock_now(CLOCK_MONOTONIC);
	if (!open)
		try_way(notifier, NOTIFIER_PERF, open_no_source);
	else if (is_wanted(notifier, NOTIFIER_PERF))
		notifier->in_use[NOTIFIER_PROCESSES] = NOTIFIER_PERF;
}

int notifier_open(struct notifier **notifier, const struct notifier_hooks *hooks, void *data,
                  unsigned int ways, struct failure *failure)
{
	struct notifier *made = calloc(1, sizeof(*made));

	if (!made) {
		*failure = (struct failure){"make a notifier (malloc)", ENOMEM};
		return -ENOMEM;
	}
	made->hooks = *hooks;
	made->data = data;
	made->wanted = ways;
	made->epoll = fd_own(epoll_create1(EPOLL_CLOEXEC));
	if (made->epoll < 0) {
		*failure = (struct failure){"wait on events (epoll_create1)", -made->epoll};
		free(made);
		return -failure->error;
	}
	open_ways(made);
	*notifier = made;
	return 0;
}

void notifier_close(struct notifier *notifier)
{
	if (!notifier)
		return;
	perf_cpus_close(notifier->perf_cpus);
	close_source(notifier);
	fd_close(notifier->epoll);
	free(notifier);
}

enum notifier_kind notifier_way_kind(enum notifier_way way)
{
	return way == NOTIFIER_PERF ? NOTIFIER_PROCESSES : NOTIFIER_LISTEN;
}

const char *notifier_way_name(enum notifier_way way)
{
	static const char *const names[NOTIFIER_WAYS] = {
		[NOTIFIER_BPF] = "bpf",
		[NOTIFIER_TRACEPOINT] = "tracepoint",
		[NOTIFIER_PERF] = "perf",
	};

	return names[way];
}

enum notifier_way notifier_way(const struct notifier *notifier, enum notifier_kind kind)
{
	return notifier->in_use[kind];
}

struct failure notifier_failure(const struct notifier *notifier, enum notifier_way way)
{
	return notifier->failures[way];
}

int notifier_fd(const struct notifier *notifier)
{
	return notifier->epoll;
}

/* --- the records */

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

static int handle_name(struct notifier *notifier, const struct perf_record *record)
{
	struct perf_name name;

	if (perf_record_name(record, &name) < 0)
		return -EBADMSG;
	if (name.pid > 0 && record->misc & PERF_RECORD_MISC_COMM_EXEC)
		notifier->hooks.execed(notifier->data, name.pid);
	return 0;
}

static int handle_change(struct notifier *notifier, const struct perf_record *record)
{
	struct tcp_change change;

	if (!notifier->source || tcp_change_decode(notifier->source, record, &change) < 0)
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
	case PERF_RECORD_COMM:
		error = handle_name(notifier, record);
		break;
	case PERF_RECORD_LOST:
		error = handle_lost(notifier, record);
		break;
	}
	if (error < 0)
		tell_lost(notifier, 0);
}

/* Whether a record was written after the rings were looked at. What led to it may stand in a ring
 * that was looked at before, and not have been seen. A time that lies far off is no time. */
static bool is_later(const struct perf_record *record, uint64_t looked)
{
	return record->time > looked && record->time - looked < NSEC_PER_SEC;
}

static bool drain_rings(struct notifier *notifier, unsigned int records)
{
	uint64_t looked = clock_now(CLOCK_MONOTONIC);
	const struct perf_record *record;
	struct perf_merge *merge;
	bool damaged, more;

	merge = perf_cpus_begin(notifier->perf_cpus, &damaged);
	while (records-- > 0 && (record = perf_merge_first(merge)) && !is_later(record, looked)) {
		handle(notifier, record);
		damaged |= perf_merge_next(merge) < 0;
	}
	more = perf_merge_first(merge) != NULL;
	damaged |= perf_cpus_end(notifier->perf_cpus);
	if (damaged)
		tell_lost(notifier, 0);
	return more;
}

bool notifier_drain(struct notifier *notifier, unsigned int records)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);
	bool more;

	if (!notifier->perf_cpus)
		return false;
	more = drain_rings(notifier, records);
	if (now - notifier->cpus_checked < CPUS_INTERVAL)
		return more;
	notifier->cpus_checked = now;
	if (perf_cpus_update(notifier->perf_cpus))
		tell_lost(notifier, 0);
	return more;
}

uint64_t notifier_records(const struct notifier *notifier)
{
	return notifier->records;
}

uint64_t notifier_lost(const struct notifier *notifier)
{
	return notifier->lost;
}
