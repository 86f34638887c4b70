/* SPDX-License-Identifier: MIT */
/* namespace.c - the worker of one network namespace: its identity, its reader, what listens there
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "subscription.h"

/* How long an answer may take; doubled with each failure, up to eight times. */
#define ANSWER_DEADLINE (2 * NSEC_PER_SEC)
/* Pause before a reader that worked is opened again; doubled with each failure in a row. */
#define RESTART_FIRST (50 * NSEC_PER_MSEC)
#define RESTART_MAX (30 * NSEC_PER_SEC)
/* After so many failures in a row the next way is taken. */
#define FAILURES_MAX 4
/* A reader that lasted so long counts as one that works. */
#define RELIABLE (10 * NSEC_PER_SEC)
/* Pause before a better way is tried again; doubled each time. */
#define IMPROVE_FIRST (60 * NSEC_PER_SEC)
#define IMPROVE_MAX (3600 * NSEC_PER_SEC)
/* After a read, a pause of so many times its length: reads take at most a fifth of one CPU. */
#define REST 4
/* How often an answer without information is asked for again at once. */
#define RETRIES_MAX 5

static const enum portwatch_reader order[] = {
	PORTWATCH_READER_LOCAL,
	PORTWATCH_READER_SETNS,
	PORTWATCH_READER_NSENTER,
	PORTWATCH_READER_PROCFS,
};
#define KINDS (sizeof(order) / sizeof(order[0]))

void namespace_log(struct portwatch_namespace *ns, enum portwatch_log_level level,
                   const char *format, ...)
{
	char text[LOG_TEXT];
	struct view *view;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	list_each (view, &ns->views, struct view, of_namespace)
		log_write(view->subscription->watcher, level, "namespace %llu (PID %d): %s",
		          (unsigned long long)ns->inode, (int)ns->pid, text);
}

struct portwatch_namespace *namespace_get(struct monitor *monitor, const struct netns_id *id,
                                          enum portwatch_reader reader, enum portwatch_table table)
{
	struct portwatch_namespace *ns;

	list_each (ns, &monitor->namespaces, struct portwatch_namespace, link)
		if (ns->id.ino == id->ino && ns->id.dev == id->dev && ns->forced_reader == reader &&
		    ns->forced_table == table)
			return ns;
	ns = calloc(1, sizeof(*ns));
	if (!ns)
		return NULL;
	ns->monitor = monitor;
	ns->serial = ++monitor->serial;
	ns->id = *id;
	ns->forced_reader = reader;
	ns->forced_table = table;
	ns->source.fd = -1;
	ns->improve = UINT64_MAX;
	ns->improve_delay = IMPROVE_FIRST;
	list_init(&ns->views);
	list_append(&monitor->namespaces, &ns->link);
	return ns;
}

static void close_reader(struct portwatch_namespace *ns)
{
	struct child child = {0};

	if (!ns->reader)
		return;
	if (ns->source.fd >= 0)
		monitor_remove(ns->monitor, &ns->source);
	ns->source.fd = -1;
	if (ns->monitor->forked_away) {
		reader_forget(ns->reader);
	} else {
		reader_close(ns->reader, &child);
		monitor_reap(ns->monitor, &child);
	}
	ns->reader = NULL;
	ns->pending = false;
}

enum portwatch_reader namespace_reader(const struct portwatch_namespace *ns)
{
	return ns->reader && ns->reads > 0 ? order[ns->kind] : PORTWATCH_READER_AUTO;
}

void namespace_free(struct portwatch_namespace *ns)
{
	close_reader(ns);
	snapshot_clear(&ns->known);
	list_remove(&ns->link);
	free(ns);
}

/* Remembers why a way can't be taken. That another namespace isn't ours is no reason worth a word.
 */
static void note(struct portwatch_namespace *ns, struct failure failure)
{
	char text[LOG_TEXT];
	size_t used = strlen(ns->reason);

	if (failure.error == EXDEV && ns->forced_reader == PORTWATCH_READER_AUTO)
		return;
	ns->failure = failure;
	snprintf(ns->reason + used, sizeof(ns->reason) - used, "%s%s: %s", used ? "; " : "",
	         portwatch_reader_name(order[ns->kind]), log_failure(&failure, text));
}

static void warn_once(struct portwatch_namespace *ns, enum portwatch_log_level level,
                      const char *text)
{
	if (strncmp(ns->told, text, sizeof(ns->told) - 1) == 0)
		return;
	snprintf(ns->told, sizeof(ns->told), "%s", text);
	namespace_log(ns, level, "%s", text);
}

static void reader_ready(struct source *source);

/* Opens the reader of the present kind. 0 or a negative errno, with the failure noted. */
static int open_kind(struct portwatch_namespace *ns, const struct reader_target *target)
{
	struct failure failure = {0};
	int result = reader_open(&ns->reader, order[ns->kind], ns->forced_table, target, &failure);

	if (result < 0) {
		ns->reader = NULL;
		note(ns, failure);
		return result;
	}
	ns->source.fd = reader_fd(ns->reader);
	ns->source.ready = reader_ready;
	if (ns->source.fd >= 0)
		result = monitor_add(ns->monitor, &ns->source);
	if (result < 0) {
		ns->source.fd = -1;
		close_reader(ns);
		note(ns, (struct failure){"wait for the helper (epoll_ctl)", -result});
		return result;
	}
	ns->reads = 0;
	ns->opened = clock_now(CLOCK_MONOTONIC);
	return 0;
}

static bool is_allowed(const struct portwatch_namespace *ns)
{
	return ns->forced_reader == PORTWATCH_READER_AUTO || ns->forced_reader == order[ns->kind];
}

/* Opens the first way from the present one on that can be opened. False if there is none. */
static bool open_reader(struct portwatch_namespace *ns)
{
	struct reader_target target;

	if (ns->kind == 0)
		ns->reason[0] = '\0';
	if (!namespace_entry(ns, &target)) {
		ns->failure = (struct failure){"find a process in it", ESRCH};
		return false;
	}
	for (; ns->kind < KINDS; ns->kind++)
		if (is_allowed(ns) && open_kind(ns, &target) == 0)
			return true;
	return false;
}

/* No way is left: pause, then begin with the best again. */
static void exhaust(struct portwatch_namespace *ns, uint64_t now)
{
	uint64_t pause = RESTART_FIRST << (ns->failures < 10 ? ns->failures : 10);
	char text[LOG_TEXT + 64];

	ns->failures++;
	ns->exhausted = true;
	ns->next = now + (pause < RESTART_MAX ? pause : RESTART_MAX);
	ns->kind = 0;
	snprintf(text, sizeof(text), "cannot be read, trying again: %s", ns->reason);
	warn_once(ns, PORTWATCH_LOG_WARNING, text);
	monitor_wake(ns->monitor);
}

/* The reader has died. One that never answered is given up for the next way; one that did is opened
 * again after a pause, unless that happens too often. */
static void reader_broke(struct portwatch_namespace *ns, struct failure failure, uint64_t now)
{
	bool worked = ns->reads > 0;
	uint64_t pause;
	char text[LOG_TEXT], message[LOG_TEXT + 64];

	if (now - ns->opened > RELIABLE && worked)
		ns->failures = 0;
	close_reader(ns);
	if (!worked || ns->failures >= FAILURES_MAX) {
		note(ns, failure);
		ns->kind++;
		ns->next = now;
		return;
	}
	pause = ns->failures ? RESTART_FIRST << ns->failures : 0;
	ns->failures++;
	ns->failure = failure;
	ns->next = now + pause;
	snprintf(message, sizeof(message), "the %s reader is started again: %s",
	         portwatch_reader_name(order[ns->kind]), log_failure(&failure, text));
	warn_once(ns, PORTWATCH_LOG_WARNING, message);
}

/* Tells by which way the namespace is read, when that is new. */
static void reader_works(struct portwatch_namespace *ns, uint64_t now)
{
	struct failure table = reader_table_failure(ns->reader);
	bool best = ns->reason[0] == '\0';
	char text[LOG_TEXT + 128], why[LOG_TEXT];

	ns->cookie = reader_cookie(ns->reader) ? reader_cookie(ns->reader) : ns->cookie;
	ns->exhausted = false;
	ns->improve = UINT64_MAX;
	if (!best && ns->forced_reader == PORTWATCH_READER_AUTO) {
		ns->improve = now + ns->improve_delay;
		if (ns->improve_delay < IMPROVE_MAX)
			ns->improve_delay *= 2;
	}
	if (table.error && !strstr(ns->reason, "table diag")) {
		size_t used = strlen(ns->reason);

		snprintf(ns->reason + used, sizeof(ns->reason) - used, "%stable diag: %s",
		         used ? "; " : "", log_failure(&table, why));
	}
	namespace_log(ns, PORTWATCH_LOG_INFO, "read by the %s reader, %s table, through PID %d",
	              portwatch_reader_name(order[ns->kind]),
	              portwatch_table_name(reader_table(ns->reader)), (int)ns->pid);
	if (ns->reason[0]) {
		snprintf(text, sizeof(text), "read by the %s reader, %s table, because %s",
		         portwatch_reader_name(order[ns->kind]),
		         portwatch_table_name(reader_table(ns->reader)), ns->reason);
		warn_once(ns, PORTWATCH_LOG_INFO, text);
	}
}

static void change(void *data, enum snapshot_change change, const struct listener *listener)
{
	struct portwatch_namespace *ns = data;
	struct view *view;

	list_each (view, &ns->views, struct view, of_namespace)
		view_change(view, change, listener);
}

static void tell_rejected(struct portwatch_namespace *ns)
{
	uint64_t rejected = reader_rejected(ns->reader);

	if (rejected > ns->rejected)
		namespace_log(ns, PORTWATCH_LOG_DEBUG, "%llu malformed rows were left out",
		              (unsigned long long)(rejected - ns->rejected));
	ns->rejected = rejected;
}

static void complete(struct portwatch_namespace *ns, uint64_t now)
{
	struct view *view;
	ssize_t missing;
	uint64_t pause;

	if (ns->reads++ == 0)
		reader_works(ns, now);
	ns->retries = 0;
	ns->completed = ns->requests;
	tell_rejected(ns);
	pause = expectations_read(&ns->expected, reader_snapshot(ns->reader));
	if (pause)
		ns->next = now + pause;
	missing = snapshot_update(&ns->known, reader_snapshot(ns->reader), change, ns);
	if (missing < 0) {
		ns->next = now + RESTART_FIRST;
		return;
	}
	/* The second look is due at once, but only one: under churn there is always something
	 * missing. */
	if (missing > 0 && !ns->confirming)
		ns->again = true;
	ns->confirming = missing > 0 && !ns->confirming;
	list_each (view, &ns->views, struct view, of_namespace)
		view_completed(view);
}

/* An answer without information: asked for again soon, then with the next poll. */
static void retry(struct portwatch_namespace *ns, uint64_t now)
{
	struct failure failure = reader_failure(ns->reader);
	char text[LOG_TEXT];

	if (ns->retries++ < RETRIES_MAX) {
		ns->next = now + (NSEC_PER_MSEC << ns->retries);
		return;
	}
	warn_once(ns, PORTWATCH_LOG_WARNING, log_failure(&failure, text));
	ns->retries = 0;
}

static void take(struct portwatch_namespace *ns, enum reader_state state)
{
	uint64_t now;

	if (state == READER_PENDING)
		return;
	now = clock_now(CLOCK_MONOTONIC);
	ns->pending = false;
	ns->earliest = now + (now - ns->requested) * REST;
	if (ns->source.fd >= 0)
		ns->monitor->waited += now - ns->requested;
	if (state == READER_COMPLETE)
		complete(ns, now);
	else if (state == READER_RETRY)
		retry(ns, now);
	else
		reader_broke(ns, reader_failure(ns->reader), now);
}

static void reader_ready(struct source *source)
{
	struct portwatch_namespace *ns = container_of(source, struct portwatch_namespace, source);

	if (ns->pending)
		take(ns, reader_process(ns->reader));
	else /* nothing was asked: it can only have died */
		reader_broke(ns, (struct failure){"keep the helper alive", EPIPE},
		             clock_now(CLOCK_MONOTONIC));
}

static void request(struct portwatch_namespace *ns, uint64_t now)
{
	ns->again = false;
	ns->next = UINT64_MAX;
	if (!ns->reader && !open_reader(ns)) {
		exhaust(ns, now);
		return;
	}
	ns->pending = true;
	ns->requested = now;
	ns->requests++;
	ns->monitor->polled = true;
	take(ns, reader_request(ns->reader));
}

void namespace_read_now(struct portwatch_namespace *ns)
{
	ns->again = true;
}

void namespace_expect(struct portwatch_namespace *ns, const struct doorbell_change *change)
{
	expectations_change(&ns->expected, change);
	ns->again = true;
}

static uint64_t answer_deadline(const struct portwatch_namespace *ns)
{
	return ns->requested + (ANSWER_DEADLINE << (ns->failures < 3 ? ns->failures : 3));
}

void namespace_tick(struct portwatch_namespace *ns, uint64_t now)
{
	if (ns->pending) {
		if (now >= answer_deadline(ns))
			reader_broke(ns, (struct failure){"get an answer in time", ETIMEDOUT}, now);
		return;
	}
	if (ns->interval && now >= ns->slot) {
		uint64_t interval = ns->interval * NSEC_PER_MSEC;

		ns->slot = ns->slot + interval > now ? ns->slot + interval : now + interval;
		ns->again = true;
	}
	if (now >= ns->improve) {
		close_reader(ns);
		ns->kind = 0;
		ns->reason[0] = '\0';
		ns->improve = UINT64_MAX;
		ns->again = true;
	}
	if (!ns->reader && now < ns->next && ns->next != UINT64_MAX)
		return; /* the pause between two attempts */
	if ((ns->again && now >= ns->earliest) || now >= ns->next)
		request(ns, now);
}

uint64_t namespace_due(const struct portwatch_namespace *ns)
{
	if (ns->pending)
		return answer_deadline(ns);
	if (!ns->reader && ns->next != UINT64_MAX)
		return ns->next;
	if (ns->again)
		return ns->earliest;
	if (ns->interval && ns->slot < ns->next)
		return ns->slot;
	return ns->next < ns->improve ? ns->next : ns->improve;
}
