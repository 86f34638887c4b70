/* SPDX-License-Identifier: MIT */
/* watcher.c - the life of the public object */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "api/delivery.h"
#include "api/lock.h"
#include "watch/subscription.h"

#ifndef PACKAGE_VERSION
#include "config.h"
#endif

const char *portwatch_version(void)
{
	return PACKAGE_VERSION;
}

bool watcher_is_inert(const struct portwatch *watcher)
{
	return watcher->maker != getpid() || watcher->generation != library_generation();
}

void watcher_unref(struct portwatch *watcher)
{
	if (--watcher->references > 0)
		return;
	if (watcher->eventfd >= 0)
		close(watcher->eventfd);
	free(watcher);
}

void watcher_forget_threads(struct portwatch *watcher)
{
	watcher->dispatching =
		watcher->dispatching && pthread_equal(watcher->dispatcher, pthread_self());
	watcher->starting = watcher->starting && pthread_equal(watcher->starter, pthread_self());
	watcher->references = 1U + watcher->dispatching + watcher->starting;
	watcher->subscription = NULL;
	watcher->monitor = NULL;
}

static bool has_exited(int pidfd)
{
	struct pollfd wait = {.fd = pidfd, .events = POLLIN};

	return poll(&wait, 1, 0) > 0;
}

/* Reads the start time of pid. The pidfd, opened before, shows that it is still the same process.
 */
static int identify(pid_t pid, uint64_t *start_time)
{
	CLEANUP_CLOSE int pidfd = spawn_above_stdio((int)syscall(SYS_pidfd_open, pid, 0));
	CLEANUP_CLOSE int process = -1;
	struct procfs procfs;
	struct process_stat stat;
	int result;

	/* No such call, or a filter refuses it. */
	if (pidfd < 0 && pidfd != -ENOSYS && pidfd != -EPERM && pidfd != -EACCES)
		return pidfd == -EINVAL || pidfd == -ENOENT ? -EINVAL : pidfd;
	result = procfs_open(&procfs, "/proc");
	if (result < 0)
		return result == -ENOTDIR ? -ENOENT : result;
	if (procfs_is_ours(&procfs))
		process = procfs_open_process(&procfs, pid);
	else
		process = -ENOENT;
	procfs_close(&procfs);
	/* /proc hides it, if it lives: as if it were not there (hidepid=2), or with EPERM (1). */
	if (process == -ESRCH && pidfd >= 0)
		return has_exited(pidfd) ? -ESRCH : -EACCES;
	if (process < 0)
		return process == -EPERM ? -EACCES : process;
	result = procfs_read_stat(process, &stat);
	if (result < 0)
		return result == -EPERM ? -EACCES : result;
	if (stat.state == 'X' || (pidfd >= 0 && has_exited(pidfd)))
		return -ESRCH;
	*start_time = stat.start_time;
	return 0;
}

static enum portwatch_log_level initial_log_level(void)
{
	const char *debug = secure_getenv("PORTWATCH_DEBUG");

	return debug && *debug ? PORTWATCH_LOG_DEBUG : PORTWATCH_LOG_WARNING;
}

int portwatch_new(struct portwatch **watcher, pid_t pid, portwatch_callback callback,
                  void *user_data)
{
	struct portwatch *new;
	uint64_t start_time = 0;
	int result;

	if (!watcher || pid <= 0 || !callback)
		return -EINVAL;
	result = monitor_prepare();
	if (result == 0)
		result = identify(pid, &start_time);
	if (result < 0)
		return result;
	new = calloc(1, sizeof(*new));
	if (!new)
		return -ENOMEM;
	new->pid = pid;
	new->start_time = start_time;
	new->maker = getpid();
	new->generation = library_generation();
	new->callback = callback;
	new->user_data = user_data;
	new->options.kinds = PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_END;
	new->options.notifier = true;
	new->options.log_level = initial_log_level();
	new->references = 1;
	new->eventfd = -1;
	*watcher = new;
	return 0;
}

static int open_eventfd(struct portwatch *watcher)
{
	if (watcher->options.delivery != PORTWATCH_DELIVERY_DISPATCH)
		return 0;
	watcher->eventfd = spawn_above_stdio(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	return watcher->eventfd < 0 ? watcher->eventfd : 0;
}

/* Ends what begin() began. */
static void end(struct portwatch *watcher)
{
	struct monitor *monitor = watcher->monitor;

	if (watcher->subscription)
		subscription_free(watcher->subscription);
	watcher->subscription = NULL;
	watcher->monitor = NULL;
	if (!monitor)
		return;
	monitor_wake(monitor);
	monitor_put(monitor);
}

static int begin(struct portwatch *watcher)
{
	int result = open_eventfd(watcher);

	if (result == 0)
		result = monitor_get(&watcher->monitor);
	if (result == 0)
		result = subscription_new(&watcher->subscription, watcher);
	if (result == 0)
		monitor_wake(watcher->monitor);
	return result;
}

static bool is_running(const struct portwatch *watcher)
{
	return watcher->state == WATCHER_STARTED && watcher->subscription;
}

/* Waits until the first reads are taken in, and in thread mode until the callback knows of them. */
static int await_initial(struct portwatch *watcher)
{
	while (is_running(watcher) && watcher->subscription->state == SUBSCRIPTION_STARTING)
		library_wait(UINT64_MAX); /* the subscription has a deadline of its own */
	if (is_running(watcher) && watcher->subscription->state == SUBSCRIPTION_FAILED)
		return watcher->subscription->result;
	if (watcher->options.delivery == PORTWATCH_DELIVERY_DISPATCH)
		return 0;
	while (is_running(watcher) && !watcher->subscription->drained) {
		if (monitor_is_delivering())
			delivery_drain(watcher);
		else
			library_wait(UINT64_MAX); /* as long as the callback takes */
	}
	return 0;
}

static int start(struct portwatch *watcher)
{
	int result;

	if (watcher->state != WATCHER_NEW)
		return -EALREADY;
	watcher->state = WATCHER_STARTED;
	watcher->references++;
	watcher->starting = true;
	watcher->starter = pthread_self();
	result = begin(watcher);
	if (result == 0)
		result = await_initial(watcher);
	if (result < 0) {
		watcher->state = WATCHER_STOPPED;
		end(watcher);
	}
	watcher->starting = false;
	watcher_unref(watcher);
	return result;
}

int portwatch_start(struct portwatch *watcher)
{
	int result;

	if (!watcher)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return -EALREADY;
	library_lock();
	result = start(watcher);
	library_unlock();
	return result;
}

static bool is_dispatching_elsewhere(const struct portwatch *watcher)
{
	return watcher->dispatching && !pthread_equal(watcher->dispatcher, pthread_self());
}

static void stop(struct portwatch *watcher)
{
	watcher->state = WATCHER_STOPPED;
	while (is_dispatching_elsewhere(watcher))
		library_wait(UINT64_MAX); /* as long as the callback takes */
	end(watcher);
	library_notify();
}

int portwatch_stop(struct portwatch *watcher)
{
	if (!watcher)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return 0;
	library_lock();
	stop(watcher);
	library_unlock();
	return 0;
}

void portwatch_free(struct portwatch *watcher)
{
	if (!watcher)
		return;
	if (watcher_is_inert(watcher)) {
		watcher_unref(watcher);
		return;
	}
	library_lock();
	stop(watcher);
	watcher_unref(watcher);
	library_unlock();
}

int portwatch_get_fd(struct portwatch *watcher)
{
	int fd;

	if (!watcher || watcher->options.delivery != PORTWATCH_DELIVERY_DISPATCH)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return -ENOTCONN;
	library_lock();
	fd = watcher->eventfd;
	library_unlock();
	return fd < 0 ? -ENOTCONN : fd;
}

static int dispatch(struct portwatch *watcher)
{
	eventfd_t value;

	if (watcher->eventfd < 0)
		return -ENOTCONN;
	if (watcher->dispatching)
		return is_dispatching_elsewhere(watcher) ? -EBUSY : -EDEADLK;
	eventfd_read(watcher->eventfd, &value);
	return delivery_drain(watcher);
}

int portwatch_dispatch(struct portwatch *watcher)
{
	int result;

	if (!watcher || watcher->options.delivery != PORTWATCH_DELIVERY_DISPATCH)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return 0;
	library_lock();
	result = dispatch(watcher);
	library_unlock();
	return result;
}
