/* SPDX-License-Identifier: MIT */
/* watch.c - the watching process: some watchers for the whole run, others for a short time */
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "soak.h"

#define BRIEF_WATCHERS 3

static const struct watching {
	const char *name;
	enum portwatch_reader reader;
	enum portwatch_table table;
	enum portwatch_delivery delivery;
	int notifier;
} ways[SOAK_WATCHERS] = {
	{"auto", 0, 0, PORTWATCH_DELIVERY_THREAD, 1},
	{"text", 0, PORTWATCH_TABLE_PROCFS, PORTWATCH_DELIVERY_DISPATCH, 1},
	{"polling", 0, PORTWATCH_TABLE_DIAG, PORTWATCH_DELIVERY_THREAD, 0},
	{"procfs", PORTWATCH_READER_PROCFS, 0, PORTWATCH_DELIVERY_THREAD, 0},
};

static void record_event(struct soak_reported *reported, const struct portwatch_event *event)
{
	int kept = portwatch_event_get_port(event) - SOAK_FIRST_PORT;
	bool is_kept = kept >= 0 && kept < SOAK_PORTS;

	switch (portwatch_event_get_kind(event)) {
	case PORTWATCH_EVENT_OPEN:
		atomic_fetch_add(&reported->opens, 1);
		if (is_kept && atomic_fetch_add(&reported->kept_opens[kept], 1) > 0)
			soak_fail(reported->soak, "%s: port %d was reported more than once",
			          reported->name, SOAK_FIRST_PORT + kept);
		break;
	case PORTWATCH_EVENT_CLOSE:
		atomic_fetch_add(&reported->closes, 1);
		if (is_kept && atomic_fetch_add(&reported->kept_closes[kept], 1) == 0)
			soak_fail(reported->soak, "%s: port %d was reported as closed",
			          reported->name, SOAK_FIRST_PORT + kept);
		break;
	case PORTWATCH_EVENT_END:
		atomic_fetch_add(&reported->ends, 1);
		break;
	case PORTWATCH_EVENT_OWNER:
		break;
	}
}

static void on_event(struct portwatch *watcher, const struct portwatch_event *event,
                     void *user_data)
{
	(void)watcher;
	record_event(user_data, event);
}

static void on_message(struct portwatch *watcher, enum portwatch_log_level level,
                       const char *message, void *user_data)
{
	const struct soak_reported *reported = user_data;

	(void)watcher;
	fprintf(stderr, "%s: %d: %s\n", reported->name, (int)level, message);
}

/* The main loop of a host program, in a thread. */
static void *dispatch(void *data)
{
	struct portwatch *watcher = data;
	struct soak_reported *reported = portwatch_get_user_data(watcher);
	struct pollfd wait = {.fd = portwatch_get_fd(watcher), .events = POLLIN};

	while (atomic_load(&reported->soak->phase) != SOAK_QUIT) {
		poll(&wait, 1, 100);
		portwatch_dispatch(watcher);
	}
	return NULL;
}

static int start(struct soak *soak, struct portwatch **watcher, pid_t root, int which)
{
	const struct watching *way = &ways[which];
	struct soak_reported *reported = &soak->reported[which];
	int error;

	reported->soak = soak;
	reported->name = way->name;
	error = portwatch_new(watcher, root, on_event, reported);
	if (error < 0)
		return error;
	portwatch_set_events(*watcher,
	                     PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE | PORTWATCH_EVENT_END);
	portwatch_set_reader(*watcher, way->reader);
	portwatch_set_table(*watcher, way->table);
	portwatch_set_delivery(*watcher, way->delivery);
	portwatch_set_notifier(*watcher, way->notifier);
	if (getenv("SOAK_LOG"))
		portwatch_set_log(*watcher, PORTWATCH_LOG_INFO, on_message);
	return portwatch_start(*watcher);
}

static int count_namespace(const struct portwatch_namespace *ns, void *user_data)
{
	enum portwatch_reader reader = portwatch_namespace_get_reader(ns);

	if (reader != PORTWATCH_READER_LOCAL && reader != PORTWATCH_READER_SETNS)
		++*(int *)user_data;
	return 0;
}

/* Bytes that are allocated, or 0 if the C library does not report them. */
static size_t heap_in_use(void)
{
#ifdef HAVE_MALLINFO2
	return mallinfo2().uordblks + mallinfo2().hblkhd;
#else
	return 0;
#endif
}

/* Stores the state that the director prints. */
static void publish(struct soak *soak, struct portwatch *const *watchers)
{
	int watched = 0, degraded = 0, ignored = 0;

	for (int i = 0; i < SOAK_WATCHERS; i++)
		watched += portwatch_each_namespace(
			watchers[i], count_namespace,
			ways[i].reader == PORTWATCH_READER_PROCFS ? &ignored : &degraded);
	atomic_store(&soak->watched, watched);
	atomic_store(&soak->degraded, degraded);
	atomic_store(&soak->heap, heap_in_use());
	for (int i = 0; i <= PORTWATCH_STAT_CPU; i++)
		atomic_store(&soak->stats[i],
		             portwatch_get_stat(watchers[0], (enum portwatch_stat)i));
	atomic_store(&soak->notifier,
	             portwatch_get_notifier(watchers[0], PORTWATCH_NOTICE_LISTEN, NULL, 0) > 0);
}

struct brief_watcher {
	struct soak *soak;
	pid_t root;
	uint32_t random;
	pthread_t thread;
};

/* The thread counts as an actor, so it pauses with the other actors. */
static void *run_brief_watches(void *data)
{
	struct brief_watcher *brief_watcher = data;

	while (soak_may_run(brief_watcher->soak))
		soak_watch_briefly(brief_watcher->soak, brief_watcher->root,
		                   &brief_watcher->random);
	return NULL;
}

static void run_watchers(struct soak *soak, struct portwatch *const *watchers, pid_t root)
{
	struct brief_watcher brief_watchers[BRIEF_WATCHERS];
	pthread_t dispatcher;

	if (pthread_create(&dispatcher, NULL, dispatch, watchers[1]) != 0)
		abort();
	for (int i = 0; i < BRIEF_WATCHERS; i++) {
		brief_watchers[i] = (struct brief_watcher){soak, root, 0x77a7c4U + (uint32_t)i, 0};
		if (pthread_create(&brief_watchers[i].thread, NULL, run_brief_watches,
		                   &brief_watchers[i]) != 0)
			abort();
	}
	while (atomic_load(&soak->phase) != SOAK_QUIT) {
		publish(soak, watchers);
		soak_sleep(soak, 20);
	}
	for (int i = 0; i < BRIEF_WATCHERS; i++)
		pthread_join(brief_watchers[i].thread, NULL);
	pthread_join(dispatcher, NULL);
}

/* Without a watcher, the library must hold no descriptor, thread or child. */
static void check_end(struct soak *soak, const struct measure *before)
{
	struct measure after;

	measure_take(&after, getpid());
	if (after.descriptors != before->descriptors || after.threads != before->threads ||
	    after.children != before->children)
		soak_fail(soak,
		          "all watchers are freed, and there are %u descriptors instead of %u, "
		          "%u threads instead of %u, %u children instead of %u",
		          after.descriptors, before->descriptors, after.threads, before->threads,
		          after.children, before->children);
}

void soak_watch(struct soak *soak, pid_t root)
{
	struct portwatch *watchers[SOAK_WATCHERS] = {NULL};
	struct measure before;
	int error = 0;

	measure_take(&before, getpid());
	atomic_fetch_add(&soak->actors, BRIEF_WATCHERS);
	for (int i = 0; i < SOAK_WATCHERS && error == 0; i++) {
		error = start(soak, &watchers[i], root, i);
		if (error < 0)
			soak_fail(soak, "start of watcher %s: %s", ways[i].name, strerror(-error));
	}
	atomic_store(&soak->watching, error < 0 ? error : 1);
	if (error == 0)
		run_watchers(soak, watchers, root);
	for (int i = 0; i < SOAK_WATCHERS; i++)
		portwatch_free(watchers[i]);
	check_end(soak, &before);
	/* exit(), not _exit(), because the sanitizers report at exit. */
	exit(error < 0);
}
