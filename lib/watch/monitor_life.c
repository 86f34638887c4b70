/* SPDX-License-Identifier: MIT */
/* monitor_life.c - the monitor comes with the first started watcher and goes with the last */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/delivery.h"
#include "api/lock.h"
#include "watch/subscription.h"

static struct monitor *current;
static struct list monitors; /* current, and those that are ending */

static void woken(struct source *source)
{
	eventfd_t value;

	eventfd_read(source->fd, &value);
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void destroy(struct monitor *monitor)
{
	struct portwatch_namespace *ns;

	list_remove(&monitor->link);
	monitor_notifier_end(monitor);
	list_each (ns, &monitor->namespaces, struct portwatch_namespace, link)
		namespace_free(ns);
	monitor_reap_end(monitor);
	process_table_free(monitor->processes);
	procfs_close(&monitor->procfs);
	close_if_open(monitor->wake.fd);
	close_if_open(monitor->epoll);
	free(monitor);
}

static int open_all(struct monitor *monitor)
{
	int result = procfs_open(&monitor->procfs, "/proc");

	if (result < 0)
		return result;
	if (!procfs_is_ours(&monitor->procfs))
		return -ENOENT;
	result = process_table_new(&monitor->processes, &monitor->procfs, &monitor_process_hooks,
	                           monitor);
	if (result < 0)
		return result;
	monitor->epoll = spawn_above_stdio(epoll_create1(EPOLL_CLOEXEC));
	if (monitor->epoll < 0)
		return monitor->epoll;
	monitor->wake.ready = woken;
	monitor->wake.fd = spawn_above_stdio(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (monitor->wake.fd < 0)
		return monitor->wake.fd;
	return monitor_add(monitor, &monitor->wake);
}

/* Both threads run with all signals blocked: those of the host are the host's. */
static int start_threads(struct monitor *monitor)
{
	sigset_t all, before;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&monitor->thread, NULL, monitor_run, monitor);
	if (result == 0) {
		result = pthread_create(&monitor->delivery, NULL, delivery_run, monitor);
		if (result != 0) {
			monitor->quit = true;
			monitor_wake(monitor);
			library_unlock();
			pthread_join(monitor->thread, NULL);
			library_lock();
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -result;
}

static int make(struct monitor **made)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	int result;

	if (!monitor)
		return -ENOMEM;
	monitor->epoll = -1;
	monitor->wake.fd = -1;
	monitor->procfs.fd = -1;
	list_init(&monitor->namespaces);
	list_init(&monitor->subscriptions);
	list_init(&monitor->reaping);
	list_append(&monitors, &monitor->link);
	result = open_all(monitor);
	if (result == 0)
		result = start_threads(monitor);
	if (result < 0)
		destroy(monitor);
	else
		*made = monitor;
	return result;
}

/* In the child of a fork(2): the threads are gone, the helpers are the parent's, the descriptors
 * are copies. */
static void forget(struct monitor *monitor)
{
	struct subscription *subscription;

	monitor->forked_away = true;
	/* The epoll set is shared with the parent: without it, nothing is taken out of it. */
	close(monitor->epoll);
	monitor->epoll = -1;
	list_each (subscription, &monitor->subscriptions, struct subscription, link) {
		watcher_forget_threads(subscription->watcher);
		subscription_free(subscription);
	}
	destroy(monitor);
}

static void forked(void)
{
	struct monitor *monitor;

	current = NULL;
	if (!monitors.next)
		return;
	list_each (monitor, &monitors, struct monitor, link)
		forget(monitor);
}

bool monitor_is_delivering(void)
{
	struct monitor *monitor;

	list_each (monitor, &monitors, struct monitor, link)
		if (pthread_equal(pthread_self(), monitor->delivery))
			return true;
	return false;
}

int monitor_get(struct monitor **monitor)
{
	int result = 0;

	if (!monitors.next)
		list_init(&monitors);
	/* One at a time, so that there is one delivery thread: but it can't wait for its own end.
	 */
	while (!current && !list_empty(&monitors) && !monitor_is_delivering())
		library_wait(UINT64_MAX);
	if (!current)
		result = make(&current);
	if (result < 0)
		return result;
	current->references++;
	*monitor = current;
	return 0;
}

int monitor_prepare(void)
{
	return library_prepare(forked);
}

bool monitor_is_idle(const struct monitor *monitor)
{
	return monitor->references == 0;
}

void monitor_end(struct monitor *monitor)
{
	bool delivering = monitor_is_delivering();

	current = NULL;
	monitor->quit = true;
	monitor_wake(monitor);
	library_notify();
	library_unlock();
	pthread_join(monitor->thread, NULL);
	if (delivering)
		pthread_detach(pthread_self());
	else
		pthread_join(monitor->delivery, NULL);
	library_lock();
	destroy(monitor);
	library_notify();
}

void monitor_put(struct monitor *monitor)
{
	if (--monitor->references > 0)
		return;
	/* The delivery thread can't wait for itself: it sees to it when its callback has returned,
	 * unless a watcher was started until then. */
	if (!monitor_is_delivering())
		monitor_end(monitor);
}
