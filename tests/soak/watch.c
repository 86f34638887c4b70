/* SPDX-License-Identifier: MIT */
/* watch.c - the watching process: some watchers for good, others now and then */
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "soak.h"

#define VISITORS 3

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

static void note(struct soak_told *told, const struct portwatch_event *event)
{
	int kept = portwatch_event_get_port(event) - SOAK_FIRST_PORT;
	bool is_kept = kept >= 0 && kept < SOAK_PORTS;

	switch (portwatch_event_get_kind(event)) {
	case PORTWATCH_EVENT_OPEN:
		atomic_fetch_add(&told->opens, 1);
		if (is_kept && atomic_fetch_add(&told->kept_opens[kept], 1) > 0)
			soak_complain(told->soak, "%s: port %d was reported once more", told->name,
			              SOAK_FIRST_PORT + kept);
		break;
	case PORTWATCH_EVENT_CLOSE:
		atomic_fetch_add(&told->closes, 1);
		if (is_kept && atomic_fetch_add(&told->kept_closes[kept], 1) == 0)
			soak_complain(told->soak, "%s: port %d was closed, it is said", told->name,
			              SOAK_FIRST_PORT + kept);
		break;
	case PORTWATCH_EVENT_END:
		atomic_fetch_add(&told->ends, 1);
		break;
	case PORTWATCH_EVENT_OWNER:
		break;
	}
}

static void on_event(struct portwatch *watcher, const struct portwatch_event *event,
                     void *user_data)
{
	(void)watcher;
	note(user_data, event);
}

static void on_message(struct portwatch *watcher, enum portwatch_log_level level,
                       const char *message, void *user_data)
{
	const struct soak_told *told = user_data;

	(void)watcher;
	fprintf(stderr, "%s: %d: %s\n", told->name, (int)level, message);
}

/* The loop of a host program, in a thread of its own. */
static void *dispatch(void *data)
{
	struct portwatch *watcher = data;
	struct soak_told *told = portwatch_get_user_data(watcher);
	struct pollfd wait = {.fd = portwatch_get_fd(watcher), .events = POLLIN};

	while (atomic_load(&told->soak->phase) != SOAK_QUIT) {
		poll(&wait, 1, 100);
		portwatch_dispatch(watcher);
	}
	return NULL;
}

static int start(struct soak *soak, struct portwatch **watcher, pid_t root, int which)
{
	const struct watching *way = &ways[which];
	struct soak_told *told = &soak->told[which];
	int error;

	told->soak = soak;
	told->name = way->name;
	error = portwatch_new(watcher, root, on_event, told);
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

/* Bytes that were allocated and not freed, where the C library tells. */
static size_t heap_in_use(void)
{
#ifdef HAVE_MALLINFO2
	return mallinfo2().uordblks + mallinfo2().hblkhd;
#else
	return 0;
#endif
}

/* For the director's lines. */
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

struct visitor {
	struct soak *soak;
	pid_t root;
	uint32_t random;
	pthread_t thread;
};

/* An actor as well: it pauses with the others. */
static void *go_visiting(void *data)
{
	struct visitor *visitor = data;

	while (soak_turn(visitor->soak))
		soak_visit(visitor->soak, visitor->root, &visitor->random);
	return NULL;
}

static void go_on(struct soak *soak, struct portwatch *const *watchers, pid_t root)
{
	struct visitor visitors[VISITORS];
	pthread_t dispatcher;

	if (pthread_create(&dispatcher, NULL, dispatch, watchers[1]) != 0)
		abort();
	for (int i = 0; i < VISITORS; i++) {
		visitors[i] = (struct visitor){soak, root, 0x77a7c4U + (uint32_t)i, 0};
		if (pthread_create(&visitors[i].thread, NULL, go_visiting, &visitors[i]) != 0)
			abort();
	}
	while (atomic_load(&soak->phase) != SOAK_QUIT) {
		publish(soak, watchers);
		soak_nap(soak, 20);
	}
	for (int i = 0; i < VISITORS; i++)
		pthread_join(visitors[i].thread, NULL);
	pthread_join(dispatcher, NULL);
}

/* Without a watcher nothing may be left of the library but its code. */
static void check_end(struct soak *soak, const struct measure *before)
{
	struct measure after;

	measure_take(&after, getpid());
	if (after.descriptors != before->descriptors || after.threads != before->threads ||
	    after.children != before->children)
		soak_complain(soak,
		              "all watchers are freed, and there are %u descriptors instead of %u, "
		              "%u threads instead of %u, %u children instead of %u",
		              after.descriptors, before->descriptors, after.threads,
		              before->threads, after.children, before->children);
}

void soak_watch(struct soak *soak, pid_t root)
{
	struct portwatch *watchers[SOAK_WATCHERS] = {NULL};
	struct measure before;
	int error = 0;

	measure_take(&before, getpid());
	atomic_fetch_add(&soak->actors, VISITORS);
	for (int i = 0; i < SOAK_WATCHERS && error == 0; i++) {
		error = start(soak, &watchers[i], root, i);
		if (error < 0)
			soak_complain(soak, "start of watcher %s: %s", ways[i].name,
			              strerror(-error));
	}
	atomic_store(&soak->watching, error < 0 ? error : 1);
	if (error == 0)
		go_on(soak, watchers, root);
	for (int i = 0; i < SOAK_WATCHERS; i++)
		portwatch_free(watchers[i]);
	check_end(soak, &before);
	/* Not _exit(): the sanitizers have something to say at the end. */
	exit(error < 0);
}
