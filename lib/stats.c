/* SPDX-License-Identifier: MIT */
/* stats.c - what watching costs */
#include "clock.h"
#include "lock.h"
#include "stats.h"
#include "subscription.h"

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
	case PORTWATCH_STAT_DOORBELL_RECORDS:
		return monitor->doorbell ? doorbell_records(monitor->doorbell) : 0;
	case PORTWATCH_STAT_DOORBELL_LOST:
		return monitor->doorbell ? doorbell_lost(monitor->doorbell) : 0;
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
