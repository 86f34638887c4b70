/* SPDX-License-Identifier: MIT */
/* collect.c - a watcher that collects its events */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "check_main.h"
#include "collect.h"
#include "notified.h"

#define EVENTS_MAX 131072
#define MESSAGES_MAX 8192

/* Doesn't use the heap, because a test may let allocations fail or use the heap heavily. */
static void *reserve(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	return memory;
}

void collect_init(struct collect *collect)
{
	pthread_condattr_t attributes;

	memset(collect, 0, sizeof(*collect));
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&collect->lock, NULL);
	pthread_cond_init(&collect->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	collect->events = reserve(EVENTS_MAX * sizeof(*collect->events));
	collect->messages = reserve(MESSAGES_MAX * sizeof(*collect->messages));
}

static void take(struct collected *to, const struct portwatch_event *event)
{
	to->kind = portwatch_event_get_kind(event);
	to->id = portwatch_event_get_id(event);
	to->family = portwatch_event_get_family(event);
	snprintf(to->address, sizeof(to->address), "%s", portwatch_event_get_address_text(event));
	to->port = portwatch_event_get_port(event);
	to->v6only = portwatch_event_get_v6only(event);
	to->pid = portwatch_event_get_pid(event);
	snprintf(to->process, sizeof(to->process), "%s", portwatch_event_get_process(event));
	to->owners = portwatch_event_get_owners(event);
	to->netns = portwatch_event_get_netns(event);
	to->cookie = portwatch_event_get_netns_cookie(event);
	to->inode = portwatch_event_get_inode(event);
	to->realtime = portwatch_event_get_realtime(event);
	to->monotonic = portwatch_event_get_monotonic(event);
	to->initial = portwatch_event_get_initial(event) == 1;
}

void collect_event(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	struct collect *collect = data;

	(void)watcher;
	pthread_mutex_lock(&collect->lock);
	if (collect->count < EVENTS_MAX)
		take(&collect->events[collect->count++], event);
	pthread_cond_broadcast(&collect->changed);
	pthread_mutex_unlock(&collect->lock);
}

void collect_message(struct portwatch *watcher, enum portwatch_log_level level, const char *message,
                     void *data)
{
	struct collect *collect = data;

	(void)watcher;
	(void)level;
	pthread_mutex_lock(&collect->lock);
	if (collect->message_count < MESSAGES_MAX)
		snprintf(collect->messages[collect->message_count++], sizeof(collect->messages[0]),
		         "%s", message);
	pthread_cond_broadcast(&collect->changed);
	pthread_mutex_unlock(&collect->lock);
}

void collect_new(struct collect *collect, pid_t pid)
{
	collect_init(collect);
	ck_assert_int_eq(portwatch_new(&collect->watcher, pid, collect_event, collect), 0);
	ck_assert_int_eq(portwatch_set_events(collect->watcher, COLLECT_KINDS), 0);
	ck_assert_int_eq(portwatch_set_interval(collect->watcher, notified_interval(10)), 0);
	ck_assert_int_eq(portwatch_set_log(collect->watcher, PORTWATCH_LOG_DEBUG, collect_message),
	                 0);
}

void collect_start(struct collect *collect)
{
	int result = portwatch_start(collect->watcher);

	ck_assert_msg(result == 0, "portwatch_start: %s; last message: %s", strerror(-result),
	              collect->message_count ? collect->messages[collect->message_count - 1] : "");
	notified_check(collect->watcher);
	collect->dispatches = portwatch_get_fd(collect->watcher) >= 0;
}

void collect_watch(struct collect *collect, pid_t pid)
{
	collect_new(collect, pid);
	collect_start(collect);
}

void collect_free(struct collect *collect)
{
	portwatch_free(collect->watcher);
	munmap(collect->events, EVENTS_MAX * sizeof(*collect->events));
	munmap(collect->messages, MESSAGES_MAX * sizeof(*collect->messages));
	pthread_cond_destroy(&collect->changed);
	pthread_mutex_destroy(&collect->lock);
}
