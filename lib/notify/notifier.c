/* SPDX-License-Identifier: MIT */
/* notifier.c - kernel events that arrive without polling */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "notify/notifier.h"
#include "notify/perf_cpus.h"
#include "notify/process_events.h"
#include "notify/tcp_bpf.h"
#include "notify/tcp_tracepoint.h"
#include "util/clock.h"
#include "util/fd.h"

/* The pause between two checks which CPUs are online. */
#define CPUS_INTERVAL NSEC_PER_SEC
/* ... and the time after a change in which there is no such check. */
#define CPUS_DELAY (5 * NSEC_PER_MSEC)
#define CPUS_DELAY_MAX (100 * NSEC_PER_MSEC)
/* The longest drain; the time is checked after DRAIN_CHECK records. */
#define DRAIN_TIME (2 * NSEC_PER_MSEC)
#define DRAIN_CHECK 32

/* The CPU time that listen events may cost: 2% of a CPU, of which up to 20 ms accumulate.
 * WAKE_UP_COST and EVENT_COST are the assumed costs of a wake-up and an event. When the allowance
 * is spent, the descriptor stays silent, for a time that is long enough to save wake-ups, and too
 * short for a ring to overflow. */
#define SHARE 50
#define SAVED_MAX (20 * NSEC_PER_MSEC)
#define WAKE_UP_COST UINT64_C(10000)
#define EVENT_COST UINT64_C(300)
#define SILENCE_MIN NSEC_PER_MSEC
#define SILENCE_MAX (5 * NSEC_PER_MSEC)
/* The pause after the connector was lost, before it is opened again. */
#define CONNECTOR_PAUSE NSEC_PER_SEC

struct notifier {
	struct notifier_hooks hooks;
	void *data;
	unsigned int wanted; /* ways, as bits */
	enum notifier_way in_use[NOTIFIER_KINDS];
	struct failure failures[NOTIFIER_WAYS];
	int epoll;                   /* readable when `events` is, except during silence */
	int events;                  /* an epoll: the perf events */
	uint64_t silent_until;       /* CLOCK_MONOTONIC; UINT64_MAX: not silent */
	int64_t saved;               /* see SHARE, in ns */
	uint64_t saved_at;           /* CLOCK_MONOTONIC */
	uint64_t changes;            /* listen events so far */
	struct tcp_source *source;   /* of listen events; NULL: none */
	struct perf_cpus *perf_cpus; /* NULL: none */
	struct process_events *process_events; /* the connector; NULL: not in use */
	uint64_t connector_retry;              /* CLOCK_MONOTONIC; 0: it was not lost */
	uint64_t records;
	uint64_t lost;
	uint64_t cpus_checked; /* CLOCK_MONOTONIC */
	uint64_t changed;      /* when listening has begun or ended somewhere */
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

/* Opens perf events for records of processes only. */
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

/* Tries one mechanism. The failure of the one before it does not matter. */
static bool try_way(struct notifier *notifier, enum notifier_way way,
                    int (*open)(struct notifier *notifier, const char **step))
{
	const char *step = NULL;
	int error;

	if (!is_wanted(notifier, way))
		return false;
	error = open(notifier, &step);
	if (error == 0)
		error = perf_cpus_open(&notifier->perf_cpus, notifier->source, notifier->events,
		                       &step);
	if (error < 0) {
		close_source(notifier);
		notifier->failures[way] = (struct failure){step, -error};
		return false;
	}
	notifier->in_use[notifier_way_kind(way)] = way;
	return true;
}

static bool on_process_event(void *data, const struct process_event *event)
{
	struct notifier *notifier = data;

	notifier->records++;
	if (event->what == PROCESS_FORK)
		return notifier->hooks.forked(notifier->data, event->pid, event->child);
	if (event->what == PROCESS_EXEC)
		return notifier->hooks.execed(notifier->data, event->pid);
	return notifier->hooks.exited(notifier->data, event->pid);
}

static void on_followed(void *data, pid_t pid)
{
	struct notifier *notifier = data;

	notifier->hooks.followed(notifier->data, pid);
}

static void on_events_lost(void *data)
{
	struct notifier *notifier = data;

	notifier->hooks.lost(notifier->data, 0);
}

static int open_connector(struct notifier *notifier)
{
	static const struct process_events_hooks hooks = {
		on_process_event,
		on_followed,
		on_events_lost,
	};
	struct epoll_event event = {.events = EPOLLIN};
	struct failure *failure = &notifier->failures[NOTIFIER_CONNECTOR];
	int error = process_events_open(&notifier->process_events, &hooks, notifier, failure);

	if (error < 0)
		return error;
	if (epoll_ctl(notifier->epoll, EPOLL_CTL_ADD, process_events_fd(notifier->process_events),
	              &event) < 0) {
		error = -errno;
		*failure = (struct failure){"wait for process events (epoll)", -error};
		process_events_close(notifier->process_events);
		notifier->process_events = NULL;
		return error;
	}
	*failure = (struct failure){NULL, 0};
	notifier->in_use[NOTIFIER_PROCESSES] = NOTIFIER_CONNECTOR;
	return 0;
}

static void close_connector(struct notifier *notifier)
{
	if (!notifier->process_events)
		return;
	epoll_ctl(notifier->epoll, EPOLL_CTL_DEL, process_events_fd(notifier->process_events),
	          NULL);
	process_events_close(notifier->process_events);
	notifier->process_events = NULL;
	notifier->in_use[NOTIFIER_PROCESSES] = NOTIFIER_NONE;
}

/* The mechanism that opens the perf events also provides the records of processes. Without listen
 * events the connector is better than perf records, because it reports at once. */
static void open_ways(struct notifier *notifier)
{
	bool open = try_way(notifier, NOTIFIER_BPF, open_bpf) ||
	            try_way(notifier, NOTIFIER_TRACEPOINT, open_tracepoint);

	notifier->cpus_checked = clock_now(CLOCK_MONOTONIC);
	if (open && is_wanted(notifier, NOTIFIER_PERF))
		notifier->in_use[NOTIFIER_PROCESSES] = NOTIFIER_PERF;
	else if (!is_wanted(notifier, NOTIFIER_CONNECTOR) || open_connector(notifier) < 0)
		try_way(notifier, NOTIFIER_PERF, open_no_source);
}

/* Sets whether the descriptor is readable with the perf events. Returns 0 or a negative errno. */
static int wait_on_events(struct notifier *notifier, int operation, bool wait)
{
	struct epoll_event event = {.events = wait ? EPOLLIN : 0};

	return epoll_ctl(notifier->epoll, operation, notifier->events, &event) < 0 ? -errno : 0;
}

static int open_epolls(struct notifier *notifier)
{
	notifier->epoll = fd_own(epoll_create1(EPOLL_CLOEXEC));
	if (notifier->epoll < 0)
		return notifier->epoll;
	notifier->events = fd_own(epoll_create1(EPOLL_CLOEXEC));
	if (notifier->events < 0)
		return notifier->events;
	return wait_on_events(notifier, EPOLL_CTL_ADD, true);
}

int notifier_open(struct notifier **notifier, const struct notifier_hooks *hooks, void *data,
                  unsigned int ways, struct failure *failure)
{
	struct notifier *made = calloc(1, sizeof(*made));
	int error;

	if (!made) {
		*failure = (struct failure){"make a notifier (malloc)", ENOMEM};
		return -ENOMEM;
	}
	*made = (struct notifier){
		.hooks = *hooks,
		.data = data,
		.wanted = ways,
		.epoll = -1,
		.events = -1,
		.silent_until = UINT64_MAX,
		.saved = SAVED_MAX,
		.saved_at = clock_now(CLOCK_MONOTONIC),
	};
	error = open_epolls(made);
	if (error < 0) {
		*failure = (struct failure){"wait on events (epoll)", -error};
		notifier_close(made);
		return error;
	}
	open_ways(made);
	*notifier = made;
	return 0;
}

void notifier_close(struct notifier *notifier)
{
	if (!notifier)
		return;
	close_connector(notifier);
	perf_cpus_close(notifier->perf_cpus);
	close_source(notifier);
	fd_close(notifier->events);
	fd_close(notifier->epoll);
	free(notifier);
}

enum notifier_kind notifier_way_kind(enum notifier_way way)
{
	return way == NOTIFIER_PERF || way == NOTIFIER_CONNECTOR ? NOTIFIER_PROCESSES
	                                                         : NOTIFIER_LISTEN;
}

const char *notifier_way_name(enum notifier_way way)
{
	static const char *const names[NOTIFIER_WAYS] = {
		[NOTIFIER_BPF] = "bpf",
		[NOTIFIER_TRACEPOINT] = "tracepoint",
		[NOTIFIER_PERF] = "perf",
		[NOTIFIER_CONNECTOR] = "connector",
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

/* --- silence */

static uint64_t connector_due(const struct notifier *notifier)
{
	if (notifier->process_events)
		return process_events_due(notifier->process_events);
	return notifier->connector_retry ? notifier->connector_retry : UINT64_MAX;
}

uint64_t notifier_due(const struct notifier *notifier)
{
	uint64_t due = connector_due(notifier);

	return due < notifier->silent_until ? due : notifier->silent_until;
}

/* Takes the cost of a wake-up with `changes` listen events from the allowance, and starts silence
 * if it is spent. The work of the hooks is not counted, because it has its own bounds. */
static void pay(struct notifier *notifier, uint64_t changes, uint64_t now)
{
	uint64_t silence;

	notifier->saved += (int64_t)((now - notifier->saved_at) / SHARE);
	notifier->saved_at = now;
	if (notifier->saved > (int64_t)SAVED_MAX)
		notifier->saved = SAVED_MAX;
	notifier->saved -= (int64_t)(WAKE_UP_COST + changes * EVENT_COST);
	/* The debt is limited to the length of a silence. */
	if (notifier->saved < -(int64_t)(SILENCE_MAX / SHARE))
		notifier->saved = -(int64_t)(SILENCE_MAX / SHARE);
	if (notifier->saved >= 0 || notifier->silent_until != UINT64_MAX ||
	    wait_on_events(notifier, EPOLL_CTL_MOD, false) < 0)
		return;
	silence = (uint64_t)-notifier->saved * SHARE;
	notifier->silent_until = now + (silence < SILENCE_MIN ? SILENCE_MIN : silence);
}

static void end_silence(struct notifier *notifier, uint64_t now)
{
	if (now < notifier->silent_until)
		return;
	notifier->silent_until = UINT64_MAX;
	if (wait_on_events(notifier, EPOLL_CTL_MOD, true) < 0)
		notifier->silent_until = now + SILENCE_MAX; /* drained then in any case */
}

/* --- the records */

static void report_lost(struct notifier *notifier, uint64_t records)
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

/* Decodes a PERF_RECORD_SAMPLE of the source. Returns 0 or -EBADMSG. */
static int decode_change(const struct tcp_source *source, const struct perf_record *record,
                         struct tcp_change *change)
{
	struct perf_sample sample;

	if (perf_record_sample(record, &sample) < 0)
		return -EBADMSG;
	*change = (struct tcp_change){
		.pid = sample.pid > 0 ? sample.pid : 0,
		.tid = sample.tid > 0 ? sample.tid : 0,
		.time = record->time,
	};
	return source->ops->decode(source, &sample, change);
}

static int handle_change(struct notifier *notifier, const struct perf_record *record)
{
	struct tcp_change change;

	if (!notifier->source || decode_change(notifier->source, record, &change) < 0)
		return -EBADMSG;
	notifier->changes++;
	notifier->hooks.changed(notifier->data, &change);
	return 0;
}

static int handle_lost(struct notifier *notifier, const struct perf_record *record)
{
	uint64_t records;

	if (perf_record_lost(record, &records) < 0)
		return -EBADMSG;
	report_lost(notifier, records);
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
		report_lost(notifier, 0);
}

/* Whether a record is later than `limit`, the time of the read of the rings. Its cause may be in a
 * ring that was read before, so the record is left for the next read. An absurd time is ignored. */
static bool is_later(const struct perf_record *record, uint64_t limit)
{
	return record->time > limit && record->time - limit < NSEC_PER_SEC;
}

/* Whether a drain has done enough. */
static bool is_enough(unsigned int done, unsigned int records, uint64_t began)
{
	return done >= records || (done > 0 && done % DRAIN_CHECK == 0 &&
	                           clock_now(CLOCK_MONOTONIC) - began >= DRAIN_TIME);
}

static bool drain_rings(struct notifier *notifier, unsigned int records, uint64_t now)
{
	const struct perf_record *record;
	struct perf_merge *merge;
	unsigned int done = 0;
	bool damaged, more;

	merge = perf_cpus_begin(notifier->perf_cpus, &damaged);
	while (!is_enough(done, records, now) && (record = perf_merge_first(merge)) &&
	       !is_later(record, now)) {
		handle(notifier, record);
		damaged |= perf_merge_next(merge) < 0;
		done++;
	}
	more = perf_merge_first(merge) != NULL;
	damaged |= perf_cpus_end(notifier->perf_cpus);
	if (damaged)
		report_lost(notifier, 0);
	return more;
}

/* --- the connector */

void notifier_follow(struct notifier *notifier, pid_t pid)
{
	if (notifier->process_events)
		process_events_follow(notifier->process_events, pid);
}

void notifier_keep(struct notifier *notifier, pid_t pid)
{
	if (notifier->process_events)
		process_events_keep(notifier->process_events, pid);
}

void notifier_widen(struct notifier *notifier)
{
	if (notifier->process_events)
		process_events_widen(notifier->process_events);
}

void notifier_reset(struct notifier *notifier)
{
	if (notifier->process_events)
		process_events_reset(notifier->process_events);
}

bool notifier_is_unapplied(const struct notifier *notifier)
{
	return notifier->process_events && process_events_is_unapplied(notifier->process_events);
}

void notifier_apply(struct notifier *notifier, pid_t last)
{
	if (notifier->process_events)
		process_events_apply(notifier->process_events, last);
}

bool notifier_is_behind(const struct notifier *notifier)
{
	return notifier->process_events && !process_events_is_empty(notifier->process_events);
}

/* A socket that has failed is opened again, because the host may have closed it by mistake. */
static void drain_connector(struct notifier *notifier, uint64_t now)
{
	if (notifier->process_events && !process_events_drain(notifier->process_events)) {
		close_connector(notifier);
		notifier->failures[NOTIFIER_CONNECTOR] =
			(struct failure){"receive process events", EBADF};
		notifier->connector_retry = now;
	}
	if (notifier->process_events || notifier->connector_retry == 0 ||
	    now < notifier->connector_retry)
		return;
	notifier->connector_retry = now + CONNECTOR_PAUSE;
	if (open_connector(notifier) == 0)
		report_lost(notifier, 0);
}

bool notifier_drain(struct notifier *notifier, unsigned int records)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC), changes = notifier->changes;
	bool more;

	drain_connector(notifier, now);
	if (!notifier->perf_cpus)
		return false;
	end_silence(notifier, now);
	more = drain_rings(notifier, records, now);
	if (notifier->changes > changes) {
		pay(notifier, notifier->changes - changes, now);
		notifier->changed = now;
	}
	if (now - notifier->cpus_checked < CPUS_INTERVAL)
		return more;
	/* What the change causes comes first. */
	if (now - notifier->changed < CPUS_DELAY &&
	    now - notifier->cpus_checked < CPUS_INTERVAL + CPUS_DELAY_MAX)
		return more;
	notifier->cpus_checked = now;
	if (perf_cpus_update(notifier->perf_cpus))
		report_lost(notifier, 0);
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
