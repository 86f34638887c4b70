/* SPDX-License-Identifier: MIT */
/* collect_wait.c - waits for collected events, with a deadline */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "check_main.h"
#include "collect.h"

struct wanted {
	enum portwatch_event_kind kind; /* 0: a message, or any event */
	const char *address;
	uint16_t port;
	uint64_t inode;
	const char *message;
};

static bool matches(const struct collected *event, const struct wanted *wanted)
{
	return (wanted->kind == 0 || event->kind == wanted->kind) &&
	       (!wanted->address || strcmp(event->address, wanted->address) == 0) &&
	       (wanted->port == 0 || event->port == wanted->port) &&
	       (wanted->inode == 0 || event->inode == wanted->inode);
}

static size_t count_locked(const struct collect *collect, const struct wanted *wanted,
                           struct collected *latest)
{
	size_t count = 0;

	if (wanted->message) {
		for (size_t i = 0; i < collect->message_count; i++)
			count += strstr(collect->messages[i], wanted->message) != NULL;
		return count;
	}
	for (size_t i = 0; i < collect->count; i++)
		if (matches(&collect->events[i], wanted)) {
			count++;
			if (latest)
				*latest = collect->events[i];
		}
	return count;
}

static size_t count(struct collect *collect, const struct wanted *wanted, struct collected *latest)
{
	size_t found;

	pthread_mutex_lock(&collect->lock);
	found = count_locked(collect, wanted, latest);
	pthread_mutex_unlock(&collect->lock);
	return found;
}

static struct timespec deadline(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += COLLECT_PATIENCE;
	return time;
}

static int left(const struct timespec *end)
{
	struct timespec now;
	long long milliseconds;

	clock_gettime(CLOCK_MONOTONIC, &now);
	milliseconds = (end->tv_sec - now.tv_sec) * 1000LL + (end->tv_nsec - now.tv_nsec) / 1000000;
	return milliseconds > 0 ? (int)milliseconds : 0;
}

/* Messages make no descriptor readable, so this function checks for new messages at intervals. */
static bool wait_dispatching(struct collect *collect, const struct wanted *wanted, size_t enough,
                             const struct timespec *end)
{
	struct pollfd wait = {.fd = portwatch_get_fd(collect->watcher), .events = POLLIN};

	while (count(collect, wanted, NULL) < enough) {
		int time = left(end);

		if (time == 0)
			return false;
		poll(&wait, 1, time < 100 ? time : 100);
		ck_assert_int_ge(portwatch_dispatch(collect->watcher), 0);
	}
	return true;
}

static bool wait_sleeping(struct collect *collect, const struct wanted *wanted, size_t enough,
                          const struct timespec *end)
{
	int result = 0;
	size_t found;

	pthread_mutex_lock(&collect->lock);
	while ((found = count_locked(collect, wanted, NULL)) < enough && result == 0)
		result = pthread_cond_timedwait(&collect->changed, &collect->lock, end);
	pthread_mutex_unlock(&collect->lock);
	return found >= enough;
}

void collect_show(struct collect *collect)
{
	fprintf(stderr, "notifier records %llu, losses %llu\n",
	        (unsigned long long)portwatch_get_stat(collect->watcher,
	                                               PORTWATCH_STAT_NOTIFIER_RECORDS),
	        (unsigned long long)portwatch_get_stat(collect->watcher,
	                                               PORTWATCH_STAT_NOTIFIER_LOST));
	pthread_mutex_lock(&collect->lock);
	for (size_t i = collect->count > 300 ? collect->count - 300 : 0; i < collect->count; i++) {
		const struct collected *event = &collect->events[i];

		fprintf(stderr, "event %d %s:%u pid %d owners %u inode %llu netns %llu\n",
		        (int)event->kind, event->address, event->port, event->pid, event->owners,
		        (unsigned long long)event->inode, (unsigned long long)event->netns);
	}
	for (size_t i = collect->message_count > 300 ? collect->message_count - 300 : 0;
	     i < collect->message_count; i++)
		fprintf(stderr, "message %s\n", collect->messages[i]);
	pthread_mutex_unlock(&collect->lock);
}

static void wait_for(struct collect *collect, const struct wanted *wanted, size_t enough)
{
	struct timespec end = deadline();
	bool came = collect->dispatches ? wait_dispatching(collect, wanted, enough, &end)
	                                : wait_sleeping(collect, wanted, enough, &end);

	if (came)
		return;
	collect_show(collect);
	ck_abort_msg("waited for %zu of kind %d %s:%u %s, got %zu", enough, (int)wanted->kind,
	             wanted->address ? wanted->address : "*", wanted->port,
	             wanted->message ? wanted->message : "", count(collect, wanted, NULL));
}

struct collected collect_wait_count(struct collect *collect, enum portwatch_event_kind kind,
                                    const char *address, uint16_t port, size_t enough)
{
	struct wanted wanted = {.kind = kind, .address = address, .port = port};
	struct collected latest = {0};
	size_t found;

	wait_for(collect, &wanted, enough);
	found = count(collect, &wanted, &latest);
	if (found != enough)
		collect_show(collect);
	ck_assert_msg(found == enough, "kind %d %s:%u came %zu times, not %zu", (int)kind,
	              address ? address : "*", port, found, enough);
	return latest;
}

struct collected collect_wait(struct collect *collect, enum portwatch_event_kind kind,
                              const char *address, uint16_t port)
{
	return collect_wait_count(collect, kind, address, port, 1);
}

size_t collect_count(struct collect *collect, enum portwatch_event_kind kind, const char *address,
                     uint16_t port)
{
	return count(collect, &(struct wanted){.kind = kind, .address = address, .port = port},
	             NULL);
}

size_t collect_total(struct collect *collect)
{
	return count(collect, &(struct wanted){0}, NULL);
}

void collect_forget(struct collect *collect)
{
	pthread_mutex_lock(&collect->lock);
	collect->count = 0;
	pthread_mutex_unlock(&collect->lock);
}

void collect_wait_total(struct collect *collect, size_t total)
{
	wait_for(collect, &(struct wanted){0}, total);
}

void collect_wait_message(struct collect *collect, const char *part)
{
	wait_for(collect, &(struct wanted){.message = part}, 1);
}

size_t collect_count_messages(struct collect *collect, const char *part)
{
	return count(collect, &(struct wanted){.message = part}, NULL);
}

/* If a read began after an event, the read sees a port that was opened after the event. */
void collect_sync(struct collect *collect, const struct fixture *fixture, int reads)
{
	for (int i = 0; i < reads; i++) {
		struct fixture_socket mark = fixture_listen(fixture, "127.0.0.1", 0);
		struct wanted wanted = {.kind = PORTWATCH_EVENT_OPEN, .inode = mark.inode};

		wait_for(collect, &wanted, 1);
		fixture_close(fixture, mark);
	}
}
