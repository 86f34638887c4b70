/* SPDX-License-Identifier: MIT */
/* info.c - what a host program may ask of how it is served */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/watcher.h"
#include "util/clock.h"
#include "util/lock.h"
#include "util/spawn.h"
#include "watch/subscription.h"

/* --- namespaces */

/* What a host sees of a namespace: a copy, made by the monitor thread. */
struct portwatch_namespace {
	uint64_t inode;
	uint64_t cookie;
	pid_t pid;
	enum portwatch_reader reader;
	enum portwatch_table table;
	char reason[LOG_TEXT];
};

struct listing {
	struct portwatch_namespace *rows; /* malloc()ed */
	int count;                        /* or -ENOMEM */
};

static void list_namespaces(struct subscription *subscription, void *data)
{
	struct listing *listing = data;
	struct view *view;
	size_t count = 0;

	list_each (view, &subscription->views, struct view, of_subscription)
		count++;
	listing->rows = calloc(count + 1, sizeof(*listing->rows));
	if (!listing->rows) {
		listing->count = -ENOMEM;
		return;
	}
	list_each (view, &subscription->views, struct view, of_subscription) {
		struct portwatch_namespace *row = &listing->rows[listing->count++];
		const struct netns *ns = view->ns;

		row->inode = ns->inode;
		row->cookie = ns->cookie;
		row->pid = ns->pid;
		row->reader = netns_reader(ns);
		row->table = ns->reader ? reader_table(ns->reader) : PORTWATCH_TABLE_AUTO;
		snprintf(row->reason, sizeof(row->reason), "%s", ns->reason);
	}
}

int portwatch_each_namespace(struct portwatch *watcher, portwatch_namespace_callback callback,
                             void *user_data)
{
	struct listing listing = {0};
	int cancel;

	if (!watcher || !callback)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return 0;
	cancel = library_enter();
	watcher_ask(watcher, list_namespaces, &listing);
	library_leave(cancel);
	for (int i = 0; i < listing.count; i++)
		callback(&listing.rows[i], user_data);
	free(listing.rows);
	return listing.count;
}

uint64_t portwatch_namespace_get_inode(const struct portwatch_namespace *ns)
{
	return ns->inode;
}

uint64_t portwatch_namespace_get_cookie(const struct portwatch_namespace *ns)
{
	return ns->cookie;
}

pid_t portwatch_namespace_get_pid(const struct portwatch_namespace *ns)
{
	return ns->pid;
}

enum portwatch_reader portwatch_namespace_get_reader(const struct portwatch_namespace *ns)
{
	return ns->reader;
}

enum portwatch_table portwatch_namespace_get_table(const struct portwatch_namespace *ns)
{
	return ns->table;
}

const char *portwatch_namespace_get_reason(const struct portwatch_namespace *ns)
{
	return ns->reason;
}

/* --- the notifier */

struct notifier_answer {
	int open;
	char reason[NOTIFIER_TEXT];
};

static void describe_notifier(struct subscription *subscription, void *data)
{
	const struct monitor *monitor = subscription->monitor;
	struct notifier_answer *answer = data;

	answer->open = monitor_notified(monitor, NOTIFIER_LISTEN);
	if (!answer->open && !subscription->options.notifier)
		snprintf(answer->reason, sizeof(answer->reason), "it is not wanted");
	else if (!answer->open)
		monitor_notifier_failure(monitor, NOTIFIER_LISTEN, answer->reason);
}

int portwatch_get_notifier(struct portwatch *watcher, char *reason, size_t size)
{
	struct notifier_answer answer = {0};
	int result, cancel;

	if (!watcher || (!reason && size > 0))
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return -ENOTCONN;
	cancel = library_enter();
	result = watcher_ask(watcher, describe_notifier, &answer);
	library_leave(cancel);
	if (result < 0)
		return result;
	if (size > 0)
		snprintf(reason, size, "%s", answer.reason);
	return answer.open;
}

/* --- what watching costs */

struct stat_answer {
	enum portwatch_stat stat;
	uint64_t value;
};

/* Of the monitor thread, which is the one that asks. */
static uint64_t cpu(const struct monitor *monitor)
{
	uint64_t sum = monitor->stats[PORTWATCH_STAT_CPU]; /* of helpers that are gone */
	struct netns *ns;

	sum += clock_now(CLOCK_THREAD_CPUTIME_ID);
	list_each (ns, &monitor->namespaces, struct netns, link)
		if (ns->reader)
			sum += spawn_cpu_time(reader_pid(ns->reader));
	return sum;
}

static void get(struct subscription *subscription, void *data)
{
	const struct monitor *monitor = subscription->monitor;
	struct stat_answer *answer = data;

	switch (answer->stat) {
	case PORTWATCH_STAT_NOTIFIER_RECORDS:
		answer->value = monitor->stats[answer->stat] +
		                (monitor->notifier ? notifier_records(monitor->notifier) : 0);
		break;
	case PORTWATCH_STAT_NOTIFIER_LOST:
		answer->value = monitor->stats[answer->stat] +
		                (monitor->notifier ? notifier_lost(monitor->notifier) : 0);
		break;
	case PORTWATCH_STAT_CPU:
		answer->value = cpu(monitor);
		break;
	default:
		answer->value =
			answer->stat < PORTWATCH_STAT_CPU ? monitor->stats[answer->stat] : 0;
	}
}

uint64_t portwatch_get_stat(struct portwatch *watcher, enum portwatch_stat stat)
{
	struct stat_answer answer = {.stat = stat};
	int cancel;

	if (!watcher || watcher_is_inert(watcher))
		return 0;
	cancel = library_enter();
	if (watcher->subscription && stat == PORTWATCH_STAT_EVENTS)
		answer.value = watcher->events;
	else
		watcher_ask(watcher, get, &answer);
	library_leave(cancel);
	return answer.value;
}
