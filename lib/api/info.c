/* SPDX-License-Identifier: MIT */
/* info.c - what a host program may ask of how it is served */
#include <errno.h>
#include <stdio.h>

#include "util/clock.h"
#include "api/lock.h"
#include "api/stats.h"
#include "watch/subscription.h"

int portwatch_each_namespace(struct portwatch *watcher, portwatch_namespace_callback callback,
                             void *user_data)
{
	struct view *view;
	int count = 0;

	if (!watcher || !callback)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return 0;
	library_lock();
	if (watcher->subscription) {
		list_each (view, &watcher->subscription->views, struct view, of_subscription) {
			callback(view->ns, user_data);
			count++;
		}
	}
	library_unlock();
	return count;
}

static int describe_notifier(const struct subscription *subscription, char *reason, size_t size)
{
	const struct monitor *monitor = subscription->monitor;
	char text[LOG_TEXT] = "";

	if (!monitor->notifier && !subscription->options->notifier)
		snprintf(text, sizeof(text), "it is not wanted");
	else if (!monitor->notifier)
		log_failure(&monitor->notifier_failure, text);
	if (size > 0)
		snprintf(reason, size, "%s", text);
	return monitor->notifier != NULL;
}

int portwatch_get_notifier(struct portwatch *watcher, char *reason, size_t size)
{
	int result = -ENOTCONN;

	if (!watcher || (!reason && size > 0))
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return -ENOTCONN;
	library_lock();
	if (watcher->subscription)
		result = describe_notifier(watcher->subscription, reason, size);
	library_unlock();
	return result;
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
	return namespace_reader(ns);
}

enum portwatch_table portwatch_namespace_get_table(const struct portwatch_namespace *ns)
{
	return ns->reader ? reader_table(ns->reader) : PORTWATCH_TABLE_AUTO;
}

const char *portwatch_namespace_get_reason(const struct portwatch_namespace *ns)
{
	return ns->reason;
}

/* --- what watching costs */

uint64_t stats_child_cpu(pid_t pid)
{
	clockid_t clock;

	if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0)
		return 0;
	return clock_now(clock);
}

static uint64_t cpu(struct monitor *monitor)
{
	uint64_t sum = monitor->stats[PORTWATCH_STAT_CPU]; /* of helpers that are gone */
	struct portwatch_namespace *ns;
	clockid_t clock;

	if (pthread_getcpuclockid(monitor->thread, &clock) == 0)
		sum += clock_now(clock);
	list_each (ns, &monitor->namespaces, struct portwatch_namespace, link)
		if (ns->reader)
			sum += stats_child_cpu(reader_pid(ns->reader));
	return sum;
}

static uint64_t get(struct subscription *subscription, enum portwatch_stat stat)
{
	struct monitor *monitor = subscription->monitor;

	switch (stat) {
	case PORTWATCH_STAT_EVENTS:
		return subscription->events;
	case PORTWATCH_STAT_NOTIFIER_RECORDS:
		return monitor->stats[stat] +
		       (monitor->notifier ? notifier_records(monitor->notifier) : 0);
	case PORTWATCH_STAT_NOTIFIER_LOST:
		return monitor->stats[stat] +
		       (monitor->notifier ? notifier_lost(monitor->notifier) : 0);
	case PORTWATCH_STAT_CPU:
		return cpu(monitor);
	default:
		return stat < PORTWATCH_STAT_CPU ? monitor->stats[stat] : 0;
	}
}

uint64_t portwatch_get_stat(struct portwatch *watcher, enum portwatch_stat stat)
{
	uint64_t value = 0;

	if (!watcher || watcher_is_inert(watcher))
		return 0;
	library_lock();
	if (watcher->subscription)
		value = get(watcher->subscription, stat);
	library_unlock();
	return value;
}
