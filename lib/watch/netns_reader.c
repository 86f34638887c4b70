/* SPDX-License-Identifier: MIT */
/* netns_reader.c - chooses the reader of a network namespace, and another one after a failure */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "table/step.h"
#include "util/fd.h"
#include "watch/netns_reader.h"

/* The pause before a reader that has worked is opened again; doubled with each consecutive
 * failure. */
#define RESTART_FIRST (50 * NSEC_PER_MSEC)
#define RESTART_MAX (30 * NSEC_PER_SEC)
/* After more consecutive failures than this, the next reader is used. */
#define FAILURES_MAX 4
/* A reader that has lasted for this time counts as reliable. */
#define RELIABLE (10 * NSEC_PER_SEC)
/* The pause before a better reader is tried again; doubled each time. */
#define IMPROVE_FIRST (60 * NSEC_PER_SEC)
#define IMPROVE_MAX (3600 * NSEC_PER_SEC)

static const enum portwatch_reader order[] = {
	PORTWATCH_READER_LOCAL,
	PORTWATCH_READER_SETNS,
	PORTWATCH_READER_NSENTER,
	PORTWATCH_READER_PROCFS,
};
#define KINDS (sizeof(order) / sizeof(order[0]))

#define TABLE_DIAG "table diag"

void netns_log(struct netns *ns, enum portwatch_log_level level, const char *format, ...)
{
	char text[LOG_TEXT];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	ns->workers->observer->log(ns->workers->data, ns, level, text);
}

static void add_reason(struct netns *ns, const char *what, const struct failure *failure)
{
	char text[LOG_TEXT];
	const char *remedy = log_remedy(failure);
	size_t used = strlen(ns->reason);

	/* All readers may fail at the same limit. */
	if (strstr(ns->reason, remedy))
		remedy = "";
	snprintf(ns->reason + used, sizeof(ns->reason) - used, "%s%s: %s%s", used ? "; " : "", what,
	         log_failure(failure, text), remedy);
}

/* Drops the reason about the form of the table, because a reader that is opened again tries the
 * better form again. */
static void forget_table_reason(struct netns *ns)
{
	char *reason = strstr(ns->reason, TABLE_DIAG);

	if (reason)
		reason[reason > ns->reason ? -(ptrdiff_t)strlen("; ") : 0] = '\0';
}

/* Whether the failure means that the process through which the namespace was entered has exited or
 * moved: another process must be chosen, or none is left. */
static bool is_departure(const struct failure *failure)
{
	if (failure->error == ENOENT)
		return failure->step == STEP_FIND_PROCESS || failure->step == STEP_OPEN_NETNS ||
		       failure->step == STEP_CHECK_NETNS;
	return failure->error == ESRCH || failure->error == ESTALE;
}

/* Stores why a reader cannot be used. The local reader's "not our namespace" is not stored, because
 * it is always true for other namespaces. */
static void note(struct netns *ns, struct failure failure)
{
	if (failure.error == EXDEV && ns->forced_reader == PORTWATCH_READER_AUTO)
		return;
	ns->failure = failure;
	add_reason(ns, portwatch_reader_name(order[ns->kind]), &failure);
}

static void log_once(struct netns *ns, char logged[LOG_TEXT], enum portwatch_log_level level,
                     const char *text)
{
	if (strncmp(logged, text, LOG_TEXT - 1) == 0)
		return;
	snprintf(logged, LOG_TEXT, "%s", text);
	netns_log(ns, level, "%s", text);
}

void netns_warn_once(struct netns *ns, const char *text)
{
	log_once(ns, ns->logged, PORTWATCH_LOG_WARNING, text);
}

void netns_close_reader(struct netns *ns)
{
	struct child child = {0};

	if (!ns->reader)
		return;
	ns->workers->context->stats[PORTWATCH_STAT_CPU] += spawn_cpu_time(reader_pid(ns->reader));
	if (ns->source.fd >= 0)
		loop_remove(&ns->workers->context->loop, &ns->source);
	ns->source.fd = -1;
	if (!list_empty(&ns->helper)) {
		list_remove(&ns->helper);
		hash_remove(&ns->workers->by_helper, &ns->by_helper);
	}
	reader_close(ns->reader, &child);
	loop_reap(&ns->workers->context->loop, &child);
	ns->reader = NULL;
	if (ns->pending)
		turn_place_remove(&ns->place);
	ns->pending = false;
}

enum portwatch_reader netns_reader(const struct netns *ns)
{
	bool works = ns->parked || (ns->reader && ns->reads > 0);

	return works ? order[ns->kind] : PORTWATCH_READER_AUTO;
}

/* The most descriptors that a helper needs: two pipes, a pidfd, the pipe for error messages of
 * nsenter, a /proc directory, and those that are open while it starts. */
#define HELPER_DESCRIPTORS 10

static bool has_room(const struct netns_table *table)
{
	size_t count = table->by_helper.count;

	return count == 0 || (count < table->helpers_max && fd_room() >= HELPER_DESCRIPTORS);
}

/* Whether the helper of `other` is at work, or will be for the same watcher and is more urgent: in
 * a poll cycle those with helpers are read first. Otherwise they would all take the helpers of
 * others that are to be read next. What waits for another watcher's turn counts less than a turn
 * that has come. */
static bool is_needed(const struct netns *other, const struct netns *ns)
{
	return other->pending ||
	       (turn_place_waits(&other->place) && other->place.turn == ns->place.turn &&
	        other->place.urgency < ns->place.urgency);
}

bool netns_make_room(struct netns *ns)
{
	struct netns_table *table = ns->workers;
	struct netns *other;

	list_each (other, &table->helpers, struct netns, helper) {
		if (has_room(table))
			break;
		if (is_needed(other, ns))
			continue;
		/* The snapshot survives the helper, and the cookie of the namespace shows whether
		 * the next helper enters the same namespace. */
		netns_close_reader(other);
		other->parked = true;
	}
	return has_room(table);
}

void netns_note_use(struct netns *ns)
{
	if (list_empty(&ns->helper))
		return;
	list_move(&ns->workers->helpers, &ns->helper);
}

/* Opens the reader of the present kind. Returns 0 or a negative errno, with the failure stored. */
static int open_kind(struct netns *ns, const struct reader_target *target)
{
	struct failure failure = {0};
	int result = reader_open(&ns->reader, order[ns->kind], ns->forced_table, target, &failure);

	if (result < 0) {
		ns->reader = NULL;
		note(ns, failure);
		return result;
	}
	ns->source.fd = reader_fd(ns->reader);
	if (ns->source.fd >= 0)
		result = loop_add(&ns->workers->context->loop, &ns->source);
	if (result < 0) {
		ns->source.fd = -1;
		netns_close_reader(ns);
		note(ns, (struct failure){"wait for the helper (epoll_ctl)", -result});
		return result;
	}
	ns->reads = 0;
	ns->cpu = 0;
	ns->length_cpu = 0;
	ns->received = 0;
	ns->slowest = 0;
	ns->parked = false;
	if (reader_pid(ns->reader) != 0) {
		list_append(&ns->workers->helpers, &ns->helper);
		hash_add(&ns->workers->by_helper, &ns->by_helper, (uint64_t)reader_pid(ns->reader));
		ns->workers->context->stats[PORTWATCH_STAT_HELPERS]++;
	}
	ns->opened = clock_now(CLOCK_MONOTONIC);
	return 0;
}

uint64_t netns_helper_cost(struct netns *ns, uint64_t now)
{
	uint64_t cpu, before = ns->cpu;

	if (reader_pid(ns->reader) == 0)
		return 0;
	/* The CPU clock of the shell behind nsenter does not include the programs that the shell
	 * starts. */
	if (order[ns->kind] != PORTWATCH_READER_SETNS)
		return now - ns->requested < NSEC_PER_SEC ? now - ns->requested : NSEC_PER_SEC;
	cpu = spawn_cpu_time(reader_pid(ns->reader));
	ns->cpu = cpu;
	return cpu > before ? cpu - before : 0;
}

/* A read of this length is not worth a look at the clocks. */
#define SHORT NSEC_PER_MSEC
/* The whole process may have been stopped during the read. */
#define LENGTH_MAX (250 * NSEC_PER_MSEC)

/* CPU time of the helper since the last call. */
static uint64_t helper_used(struct netns *ns)
{
	uint64_t before = ns->length_cpu;

	ns->length_cpu = spawn_cpu_time(reader_pid(ns->reader));
	return ns->length_cpu > before ? ns->length_cpu - before : 0;
}

uint64_t netns_silent_length(struct netns *ns, uint64_t took)
{
	uint64_t used = took <= SHORT ? took : helper_used(ns);

	return used < took ? used : took;
}

uint64_t netns_read_length(struct netns *ns, uint64_t now)
{
	uint64_t length = now - ns->requested, used;

	if (length <= SHORT)
		return length;
	if (order[ns->kind] == PORTWATCH_READER_NSENTER)
		return length < LENGTH_MAX ? length : LENGTH_MAX;
	used = helper_used(ns);
	used += ns->work;
	if (ns->workers->entered)
		used += clock_now(CLOCK_THREAD_CPUTIME_ID) - ns->workers->entered;
	return used < length ? used : length;
}

static bool is_allowed(const struct netns *ns)
{
	return ns->forced_reader == PORTWATCH_READER_AUTO || ns->forced_reader == order[ns->kind];
}

int netns_reports_closed(const struct netns *ns)
{
	if (ns->closes_retry)
		return -EBUSY;
	return ns->reader && ns->reads > 0 ? reader_reports_closed(ns->reader) : 0;
}

void netns_silence_closes(struct netns *ns, uint64_t now)
{
	ns->closes_delay = ns->closes_delay ? ns->closes_delay * 2 : IMPROVE_FIRST;
	if (ns->closes_delay > IMPROVE_MAX)
		ns->closes_delay = IMPROVE_MAX;
	ns->closes_retry = now + ns->closes_delay;
	netns_log(ns, PORTWATCH_LOG_INFO,
	          "too many connections for reports of closed sockets, polling instead for "
	          "%llu s",
	          (unsigned long long)(ns->closes_delay / NSEC_PER_SEC));
	netns_close_reader(ns);
	ns->again = true;
}

/* Opens the first reader, from the present kind on, that can be opened. Returns false if there is
 * none. */
bool netns_open_reader(struct netns *ns)
{
	struct reader_target target = {.descriptor = 0};
	CLEANUP_CLOSE int descriptor = -1;
	int result;

	if (ns->kind == 0)
		ns->reason[0] = '\0';
	forget_table_reason(ns);
	result = ns->workers->observer->enter(ns->workers->data, ns, &target);
	if (target.descriptor)
		descriptor = target.descriptor;
	if (result == -ESRCH) {
		ns->failure = (struct failure){STEP_FIND_PROCESS, ESRCH};
		return false;
	}
	if (result < 0) {
		ns->kind = KINDS - 1;
		note(ns, (struct failure){STEP_FIND_PROCESS, -result});
		return false;
	}
	target.closes =
		!ns->closes_retry && ns->workers->observer->wants_closes(ns->workers->data, ns);
	for (; ns->kind < KINDS; ns->kind++)
		if (is_allowed(ns) && open_kind(ns, &target) == 0)
			return true;
	return false;
}

/* No reader works: after a pause, starts again with the best one. */
void netns_exhaust(struct netns *ns, uint64_t now)
{
	uint64_t pause = RESTART_FIRST << (ns->failures < 10 ? ns->failures : 10);
	char text[LOG_TEXT + 64];

	ns->failures++;
	ns->exhausted = true;
	ns->next = now + (pause < RESTART_MAX ? pause : RESTART_MAX);
	ns->kind = 0;
	snprintf(text, sizeof(text), "cannot be read, trying again: %s", ns->reason);
	/* The last reader needs only a process in the namespace. */
	if (!is_departure(&ns->failure))
		netns_warn_once(ns, text);
	ns->workers->observer->exhausted(ns->workers->data, ns);
}

bool netns_is_reliable(const struct netns *ns, uint64_t now)
{
	return ns->reads > 0 && now - ns->opened > RELIABLE;
}

/* Whether this kind of reader has worked for this namespace. */
static bool has_worked(const struct netns *ns)
{
	return ns->reads > 0 || (ns->worked & 1U << ns->kind) != 0;
}

/* Handles the death of the reader. A kind that has never worked is replaced by the next kind. A
 * kind that has worked is opened again after a pause, unless it fails too often. */
void netns_reader_broke(struct netns *ns, struct failure failure, uint64_t now)
{
	uint64_t pause;
	char text[LOG_TEXT], message[2 * LOG_TEXT];

	netns_close_reader(ns);
	/* With a notifier reads are rare, so the reader may have lasted for long without a
	 * request. */
	if (netns_is_reliable(ns, now))
		ns->failures = 0;
	if (!has_worked(ns) || ns->failures >= FAILURES_MAX) {
		ns->worked &= ~(1U << ns->kind);
		note(ns, failure);
		ns->kind++;
		ns->next = now;
		return;
	}
	ns->workers->context->stats[PORTWATCH_STAT_RESTARTS]++;
	pause = ns->failures ? RESTART_FIRST << ns->failures : 0;
	ns->failures++;
	ns->failure = failure;
	ns->next = now + pause;
	snprintf(message, sizeof(message), "the %s reader is started again: %s%s",
	         portwatch_reader_name(order[ns->kind]), log_failure(&failure, text),
	         log_remedy(&failure));
	if (is_departure(&failure))
		netns_log(ns, PORTWATCH_LOG_DEBUG, "%s", message);
	else
		netns_warn_once(ns, message);
}

/* Logs which reader reads the namespace, and why, if this has changed. */
void netns_reader_works(struct netns *ns, uint64_t now)
{
	struct failure table = reader_table_failure(ns->reader);
	bool best = ns->reason[0] == '\0';
	int reports = reader_reports_closed(ns->reader);
	char text[LOG_TEXT + 256];
	size_t length;

	ns->cookie = reader_cookie(ns->reader) ? reader_cookie(ns->reader) : ns->cookie;
	ns->exhausted = false;
	ns->worked |= 1U << ns->kind;
	ns->improve = UINT64_MAX;
	if (!best && ns->forced_reader == PORTWATCH_READER_AUTO) {
		if (ns->improve_delay < IMPROVE_MAX)
			ns->improve_delay =
				ns->improve_delay ? ns->improve_delay * 2 : IMPROVE_FIRST;
		ns->improve = now + ns->improve_delay;
	}
	if (table.error)
		add_reason(ns, TABLE_DIAG, &table);
	ns->table = reader_table(ns->reader);
	snprintf(text, sizeof(text), "read by the %s reader, %s table%s%s",
	         portwatch_reader_name(order[ns->kind]), portwatch_table_name(ns->table),
	         ns->reason[0] ? ", because " : "", ns->reason);
	length = strlen(text);
	if (reports > 0)
		snprintf(text + length, sizeof(text) - length,
		         "; the kernel reports closed sockets");
	else if (reports < 0)
		snprintf(text + length, sizeof(text) - length,
		         "; the kernel does not report closed sockets: %s",
		         strerrordesc_np(-reports));
	log_once(ns, ns->logged_way, PORTWATCH_LOG_INFO, text);
}
