/* SPDX-License-Identifier: MIT */
/* delivery.c - calls the callbacks */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "api/delivery.h"
#include "api/event.h"
#include "api/watcher.h"
#include "util/fd.h"
#include "util/lock.h"

/* The most events of one watcher before the next watcher is served. */
#define BATCH 64
/* The most unwanted events that are skipped before the lock is released. */
#define PASSED_MAX 256
/* The pause of the delivery thread if there is no memory for an event, in milliseconds. */
#define MEMORY_PAUSE 10

/* Guarded by the library's lock. */
static struct {
	struct list
		waiting; /* watchers with waiting events, in the order in which they are served */
	unsigned int users; /* between delivery_enter() and delivery_leave() */
	bool running;       /* the thread exists and has not announced its end */
	bool joinable;      /* the thread is neither joined nor detached */
	bool busy;          /* the thread is in a callback */
	pthread_t thread;
} delivery = {.waiting = {&delivery.waiting, &delivery.waiting}};

void delivery_wake(struct outbox *outbox, void *data)
{
	struct portwatch *watcher = data;

	(void)outbox;
	if (watcher->eventfd >= 0) {
		fd_signal(watcher->eventfd);
		return;
	}
	list_move(&delivery.waiting, &watcher->waiting);
	library_notify();
}

/* Returns the next event that the callback wants. NULL if there is none, if the watcher was
 * stopped, or without memory; in the last case watcher->event is NULL. */
static const struct portwatch_event *take_wanted(struct portwatch *watcher)
{
	struct portwatch_event event;
	unsigned int passed = 0;

	watcher->event = event_renew(watcher->event);
	while (watcher->event && watcher->state == WATCHER_STARTED &&
	       outbox_waiting(watcher->outbox)) {
		bool any = outbox_take(watcher->outbox, &event);

		if (any && (event.kind & watcher->options.kinds)) {
			event_fill(watcher->event, &event);
			return watcher->event;
		}
		/* The lock is released regularly, so that no thread waits while thousands of events
		 * are skipped. */
		if (!any || ++passed % PASSED_MAX == 0) {
			library_unlock();
			library_lock();
		}
	}
	return NULL;
}

/* Pauses after there was no memory for an event. Without the pause the delivery thread would try
 * again at once and never release the lock. A thread that dispatches releases it in between. */
static void rest_without_memory(const struct portwatch *watcher)
{
	if (watcher->event || watcher->eventfd >= 0)
		return;
	library_unlock();
	poll(NULL, 0, MEMORY_PAUSE);
	library_lock();
}

int delivery_run(struct portwatch *watcher, size_t most)
{
	unsigned int generation = library_generation();
	const struct portwatch_event *event;
	size_t count = 0;

	watcher->references++;
	watcher->dispatching = true;
	watcher->dispatcher = pthread_self();
	watcher->outbox->woken = false;
	while (count < most && (event = take_wanted(watcher))) {
		watcher->events++;
		library_unlock();
		watcher->callback(watcher, event, watcher->user_data);
		library_lock();
		count++;
		/* The callback has forked and this is the child, which has no monitor. */
		if (generation != library_generation())
			break;
	}
	rest_without_memory(watcher);
	watcher->dispatching = false;
	/* If there is no memory for an event, the next poll cycle wakes the thread, instead of the
	 * thread itself. */
	if (watcher->event && watcher->state == WATCHER_STARTED &&
	    outbox_waiting(watcher->outbox)) {
		watcher->outbox->woken = true;
		delivery_wake(watcher->outbox, watcher);
	}
	library_notify();
	watcher_unref(watcher);
	return (int)count;
}

/* Returns the watcher that is served next. A watcher whose portwatch_start() still delivers wakes
 * the thread again afterwards. */
static struct portwatch *next_waiting(void)
{
	struct portwatch *watcher;

	list_each (watcher, &delivery.waiting, struct portwatch, waiting) {
		list_remove(&watcher->waiting);
		if (!watcher->starting && !watcher->dispatching)
			return watcher;
		watcher->outbox->woken = false;
	}
	return NULL;
}

static void *run(void *data)
{
	unsigned int generation = library_generation();

	(void)data;
	library_lock();
	while (generation == library_generation() && delivery.users > 0) {
		struct portwatch *watcher = next_waiting();

		if (!watcher) {
			library_wait();
			continue;
		}
		delivery.busy = true;
		delivery_run(watcher, BATCH);
		delivery.busy = false;
	}
	if (generation == library_generation()) {
		delivery.running = false;
		library_notify();
	}
	library_unlock();
	return NULL;
}

static void join(void)
{
	pthread_t thread = delivery.thread;

	delivery.joinable = false;
	library_unlock();
	pthread_join(thread, NULL);
	library_lock();
}

/* The thread blocks all signals, so that the signals of the host reach only its own threads. */
static int create(void)
{
	sigset_t all, before;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = -pthread_create(&delivery.thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	delivery.running = result == 0;
	delivery.joinable = result == 0;
	return result;
}

int delivery_enter(void)
{
	int result = 0;

	delivery.users++;
	while (!delivery.running && delivery.joinable)
		join();
	/* A thread that is in the callback of a stopped watcher continues for this watcher: with a
	 * second thread, two callbacks could run at once. */
	if (!delivery.running)
		result = create();
	if (result < 0)
		delivery.users--;
	return result;
}

void delivery_leave(void)
{
	if (--delivery.users > 0)
		return;
	library_notify();
	while (delivery.users == 0 && delivery.running && !delivery.busy)
		library_wait();
	if (delivery.users > 0 || !delivery.joinable)
		return;
	if (!delivery.running) {
		join();
		return;
	}
	pthread_detach(delivery.thread);
	delivery.joinable = false;
}

void delivery_forget(void)
{
	list_init(&delivery.waiting);
	delivery.users = 0;
	delivery.running = false;
	delivery.joinable = false;
	delivery.busy = false;
}
