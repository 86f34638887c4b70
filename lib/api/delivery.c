/* SPDX-License-Identifier: MIT */
/* delivery.c - calls the callbacks: from the library's thread, or from portwatch_dispatch() */
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/delivery.h"
#include "api/lock.h"
#include "watch/subscription.h"

void delivery_wake(struct subscription *subscription)
{
	if (subscription->watcher->eventfd >= 0)
		eventfd_write(subscription->watcher->eventfd, 1);
	else
		library_notify();
}

/* The next event that the callback wants. False when there is none, or the watcher was stopped. */
static bool next_wanted(struct portwatch *watcher, struct portwatch_event *event)
{
	while (watcher->state == WATCHER_STARTED && watcher->subscription) {
		if (!subscription_next(watcher->subscription, event))
			return false;
		if (!(event->kind & watcher->options.kinds))
			continue;
		watcher->subscription->events++;
		return true;
	}
	return false;
}

int delivery_drain(struct portwatch *watcher)
{
	struct portwatch_event event;
	struct subscription *subscription;
	int count = 0;

	watcher->references++;
	watcher->dispatching = true;
	watcher->dispatcher = pthread_self();
	if (watcher->subscription)
		watcher->subscription->wake = false;
	while (count < EVENT_QUEUE_MAX && next_wanted(watcher, &event)) {
		library_unlock();
		watcher->callback(watcher, &event, watcher->user_data);
		library_lock();
		count++;
	}
	watcher->dispatching = false;
	subscription = watcher->state == WATCHER_STARTED ? watcher->subscription : NULL;
	if (subscription && count == EVENT_QUEUE_MAX && subscription_waiting(subscription))
		subscription_wake(subscription);
	else if (subscription && subscription->state != SUBSCRIPTION_STARTING)
		subscription->drained = true;
	library_notify();
	watcher_unref(watcher);
	return count;
}

static struct subscription *find_waiting(struct monitor *monitor)
{
	struct subscription *subscription;

	list_each (subscription, &monitor->subscriptions, struct subscription, link)
		if (subscription->wake && subscription->state != SUBSCRIPTION_STARTING &&
		    !subscription->watcher->dispatching &&
		    subscription->options->delivery == PORTWATCH_DELIVERY_THREAD)
			return subscription;
	return NULL;
}

void *delivery_run(void *data)
{
	struct monitor *monitor = data;
	pid_t maker = getpid();

	library_lock();
	while (!monitor->quit && !monitor_is_idle(monitor)) {
		struct subscription *subscription = find_waiting(monitor);

		if (subscription)
			delivery_drain(subscription->watcher);
		else
			library_wait(UINT64_MAX);
		/* A callback that forked has returned in the child too: there is no monitor there.
		 */
		if (getpid() != maker) {
			library_unlock();
			return NULL;
		}
	}
	/* Stopped by a callback of this thread, which can't wait for itself. */
	if (!monitor->quit)
		monitor_end(monitor);
	library_unlock();
	return NULL;
}
