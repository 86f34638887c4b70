/* SPDX-License-Identifier: MIT */
/* watcher.c - the life cycle of the public object */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "util/number.h"
#include "api/delivery.h"
#include "api/event.h"
#include "api/watcher.h"
#include "util/lock.h"
#include "watch/mailbox.h"
#include "watch/monitor.h"
#include "watch/subscription.h"
#include "util/fd.h"

#ifndef PACKAGE_VERSION
#include "config.h"
#endif

/* The default limits of members and ports, see portwatch_set_limit(). */
#define LIMIT_DEFAULT 65536
/* The default limits of helpers and of warnings at once. */
#define HELPERS_DEFAULT 64
#define WARNINGS_DEFAULT 10

const char *portwatch_version(void)
{
	return PACKAGE_VERSION;
}

bool watcher_is_inert(const struct portwatch *watcher)
{
	return watcher->generation != library_generation();
}

static struct list started = {&started, &started};

static void release(struct portwatch *watcher)
{
	bool last;

	list_remove(&watcher->link);
	list_remove(&watcher->waiting);
	/* In a forked child the descriptor is closed already. */
	if (!watcher_is_inert(watcher))
		fd_close(watcher->eventfd);
	last = watcher->outbox && outbox_unref(watcher->outbox);
	library_unlock();
	if (last)
		outbox_free(watcher->outbox);
	portwatch_event_unref(watcher->event);
	free(watcher);
	library_lock();
}

/* Runs in the child of a fork(2). Only the calling thread exists there, possibly inside a callback
 * or log callback. The subscriptions are abandoned with the monitor, so the outboxes keep the
 * references of the subscriptions. */
static void forked(void)
{
	struct portwatch *watcher;

	fd_close_all();
	list_each (watcher, &started, struct portwatch, link) {
		watcher->dispatching =
			watcher->dispatching && pthread_equal(watcher->dispatcher, pthread_self());
		watcher->starting =
			watcher->starting && pthread_equal(watcher->starter, pthread_self());
		watcher->references = 1U + watcher->dispatching + watcher->starting;
		watcher->state = WATCHER_STOPPED;
		if (watcher->subscription && watcher->outbox->references > 1)
			watcher->outbox->references--;
		watcher->subscription = NULL;
		list_remove(&watcher->waiting);
		list_remove(&watcher->link);
	}
	mailbox_forget();
	delivery_forget();
}

static bool has_exited(int pidfd)
{
	struct pollfd wait = {.fd = pidfd, .events = POLLIN};

	return poll(&wait, 1, 0) > 0;
}

/* Finds the PID of a pidfd. Returns 0 or a negative errno. */
static int resolve(int pidfd, pid_t *pid)
{
	char name[48], text[1024];
	struct procfs procfs;
	const char *line, *at;
	ssize_t size;
	uint64_t number;

	/* The descriptor of /proc below would take this number. */
	if (fcntl(pidfd, F_GETFD) < 0)
		return -errno;
	snprintf(name, sizeof(name), "thread-self/fdinfo/%d", pidfd);
	size = procfs_open(&procfs, "/proc");
	if (size == 0)
		size = procfs_is_ours(&procfs) ? procfs_read(procfs.fd, name, text, sizeof(text))
		                               : -ENOTDIR;
	procfs_close(&procfs);
	if (size < 0)
		return size == -ENOENT ? -EBADF : size == -ENOTDIR ? -ENOENT : (int)size;
	line = strstr(text, "\nPid:\t");
	if (!line)
		return -EINVAL;
	at = line + 6;
	/* The PID is "-1" if the process was reaped, and 0 if it is in another PID namespace. */
	if (!decimal_parse(&at, text + size, &number) || number > INT_MAX)
		return -ESRCH;
	*pid = (pid_t)number;
	return number == 0 ? -ENOENT : 0;
}

/* Reads the start time of `pid`. A pidfd that was opened before shows that the process is still the
 * same. */
static int identify(pid_t pid, uint64_t *start_time)
{
	CLEANUP_CLOSE int pidfd = fd_own((int)syscall(SYS_pidfd_open, pid, 0));
	CLEANUP_CLOSE int process = -1;
	struct process_stat stat;
	int result;

	/* The kernel lacks the call, or a filter refuses it. */
	if (pidfd < 0 && pidfd != -ENOSYS && pidfd != -EPERM && pidfd != -EACCES)
		return pidfd == -EINVAL || pidfd == -ENOENT ? -EINVAL : pidfd;
	process = procfs_open_own(pid);
	/* If the process is alive, /proc hides it: with ENOENT (hidepid=2) or EPERM (hidepid=1). */
	if (process == -ESRCH && pidfd >= 0)
		return has_exited(pidfd) ? -ESRCH : -EACCES;
	if (process < 0)
		return process == -EPERM ? -EACCES : process == -ENOTDIR ? -ENOENT : process;
	result = procfs_read_stat(process, &stat);
	if (result < 0)
		return result == -EPERM ? -EACCES : result;
	if (stat.state == 'X' || (pidfd >= 0 && has_exited(pidfd)))
		return -ESRCH;
	*start_time = stat.start_time;
	return 0;
}

enum portwatch_log_level watcher_log_level(enum portwatch_log_level level)
{
	const char *debug = secure_getenv("PORTWATCH_DEBUG");

	return debug && *debug ? PORTWATCH_LOG_DEBUG : level;
}

static int make(struct portwatch **watcher, pid_t pid, uint64_t start_time,
                portwatch_callback callback, void *user_data)
{
	struct portwatch *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->pid = pid;
	new->start_time = start_time;
	new->generation = library_generation();
	new->callback = callback;
	new->user_data = user_data;
	new->options.kinds = PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_END;
	new->options.notifier = true;
	new->options.members = LIMIT_DEFAULT;
	new->options.ports = LIMIT_DEFAULT;
	new->options.helpers = HELPERS_DEFAULT;
	new->options.warnings = WARNINGS_DEFAULT;
	new->options.log_level = watcher_log_level(PORTWATCH_LOG_WARNING);
	new->references = 1;
	new->release = release;
	new->eventfd = -1;
	list_init(&new->link);
	list_init(&new->waiting);
	*watcher = new;
	return 0;
}

int portwatch_new(struct portwatch **watcher, pid_t pid, portwatch_callback callback,
                  void *user_data)
{
	uint64_t start_time = 0;
	int result;

	if (!watcher || pid <= 0 || !callback)
		return -EINVAL;
	result = library_prepare(forked);
	if (result == 0)
		result = identify(pid, &start_time);
	return result < 0 ? result : make(watcher, pid, start_time, callback, user_data);
}

/* A process that has not exited by the end had the same PID and start time all the time. */
int portwatch_new_pidfd(struct portwatch **watcher, int pidfd, portwatch_callback callback,
                        void *user_data)
{
	uint64_t start_time = 0;
	pid_t pid = 0;
	int result;

	if (!watcher || pidfd < 0 || !callback)
		return -EINVAL;
	result = library_prepare(forked);
	if (result == 0)
		result = resolve(pidfd, &pid);
	if (result == 0)
		result = identify(pid, &start_time);
	if (result == 0 && has_exited(pidfd))
		result = -ESRCH;
	return result < 0 ? result : make(watcher, pid, start_time, callback, user_data);
}

static int open_eventfd(struct portwatch *watcher)
{
	if (watcher->options.delivery != PORTWATCH_DELIVERY_DISPATCH)
		return 0;
	watcher->eventfd = fd_own(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	return watcher->eventfd < 0 ? watcher->eventfd : 0;
}

/* --- requests to the monitor --- */

struct start_request {
	struct request request;
	struct subscription_setup setup;
	struct subscription *subscription;
	int result;
};

static void serve_start(struct request *request, struct subscription_table *subscriptions,
                        int error)
{
	struct start_request *start = container_of(request, struct start_request, request);

	start->result =
		subscriptions ? subscription_new(&start->subscription, subscriptions, &start->setup)
			      : error;
}

struct question {
	struct request request;
	struct subscription *subscription;
	void (*serve)(struct subscription *subscription, void *data);
	void *data;
};

static void serve_question(struct request *request, struct subscription_table *subscriptions,
                           int error)
{
	struct question *question = container_of(request, struct question, request);

	(void)subscriptions;
	(void)error;
	question->serve(question->subscription, question->data);
}

int watcher_ask(struct portwatch *watcher,
                void (*serve)(struct subscription *subscription, void *data), void *data)
{
	struct question question = {
		.request.serve = serve_question,
		.subscription = watcher->subscription,
		.serve = serve,
		.data = data,
	};

	if (!watcher->subscription)
		return -ENOTCONN;
	if (mailbox_is_own_thread())
		return -EDEADLK;
	mailbox_call(&question.request);
	return 0;
}

static void serve_stop(struct subscription *subscription, void *data)
{
	(void)data;
	subscription_free(subscription);
}

/* --- start and stop --- */

static bool uses_thread(const struct portwatch *watcher)
{
	return watcher->options.delivery == PORTWATCH_DELIVERY_THREAD;
}

static int open_outbox(struct portwatch *watcher)
{
	/* Allocated here, so that a successful start can deliver events. */
	watcher->event = event_new();
	watcher->outbox = outbox_new(delivery_wake, watcher);
	if (!watcher->event || !watcher->outbox)
		return -ENOMEM;
	watcher->outbox->ports.reports_owners =
		(watcher->options.kinds & PORTWATCH_EVENT_OWNER) != 0;
	return open_eventfd(watcher);
}

static int ask_start(struct portwatch *watcher)
{
	struct start_request start = {
		.request.serve = serve_start,
		.setup =
			{
				.pid = watcher->pid,
				.start_time = watcher->start_time,
				.options = watcher->options,
				.log =
					{
						.callback = watcher->options.log,
						.level = watcher->options.log_level,
						.warnings_max = watcher->options.warnings,
						.watcher = watcher,
						.user_data = watcher->user_data,
						.last = watcher->outbox->error,
					},
				.outbox = watcher->outbox,
			},
	};

	watcher->outbox->references++;
	mailbox_call(&start.request);
	watcher->subscription = start.subscription;
	if (start.result < 0)
		watcher->outbox->references--;
	return start.result;
}

/* If another thread stops the watcher meanwhile, the start fails. */
static int await_decision(const struct portwatch *watcher)
{
	while (watcher->state == WATCHER_STARTED && !watcher->outbox->decided)
		library_wait(); /* the subscription has a deadline */
	return watcher->outbox->decided ? watcher->outbox->result : -ECANCELED;
}

/* The callbacks for ports that are open at the start run in this thread, because the delivery
 * thread may be busy with a slow callback of another watcher. */
static void deliver_initial(struct portwatch *watcher)
{
	size_t left = watcher->outbox->initial;

	while (left > 0 && watcher->state == WATCHER_STARTED) {
		size_t count = (size_t)delivery_run(watcher, left);

		if (count == 0)
			return;
		left -= count;
	}
}

/* Undoes start(): ends the subscription, and then the threads that no other watcher needs. The
 * subscription pointer is cleared first, so that only one of two threads does this. */
static void end(struct portwatch *watcher)
{
	struct question question = {
		.request.serve = serve_question,
		.subscription = watcher->subscription,
		.serve = serve_stop,
	};

	if (!watcher->subscription)
		return;
	watcher->subscription = NULL;
	mailbox_call_and_leave(&question.request);
	list_remove(&watcher->waiting);
	if (uses_thread(watcher))
		delivery_leave();
}

static int begin(struct portwatch *watcher)
{
	int result = open_outbox(watcher);

	if (result < 0)
		return result;
	result = mailbox_enter(monitor_thread);
	if (result < 0)
		return result;
	if (uses_thread(watcher))
		result = delivery_enter();
	if (result == 0) {
		result = ask_start(watcher);
		if (result < 0 && uses_thread(watcher))
			delivery_leave();
	}
	if (result < 0)
		mailbox_leave();
	return result;
}

static int start(struct portwatch *watcher)
{
	int result;

	if (watcher->state != WATCHER_NEW)
		return -EALREADY;
	if (mailbox_is_own_thread())
		return -EDEADLK;
	watcher->state = WATCHER_STARTED;
	watcher->references++;
	watcher->starting = true;
	watcher->starter = pthread_self();
	list_append(&started, &watcher->link);
	result = begin(watcher);
	if (result == 0)
		result = await_decision(watcher);
	if (result == 0 && uses_thread(watcher))
		deliver_initial(watcher);
	watcher->starting = false;
	watcher->failure = result;
	if (result < 0 || watcher->state != WATCHER_STARTED) {
		watcher->state = WATCHER_STOPPED;
		end(watcher);
	} else if (outbox_waiting(watcher->outbox)) {
		watcher->outbox->woken = true;
		delivery_wake(watcher->outbox, watcher);
	}
	library_notify();
	watcher_unref(watcher);
	return result;
}

int portwatch_start(struct portwatch *watcher)
{
	int result, cancel;

	if (!watcher)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return -EALREADY;
	cancel = library_enter();
	result = start(watcher);
	library_leave(cancel);
	return result;
}

static bool is_dispatching_elsewhere(const struct portwatch *watcher)
{
	return watcher->dispatching && !pthread_equal(watcher->dispatcher, pthread_self());
}

static int stop(struct portwatch *watcher)
{
	if (mailbox_is_own_thread())
		return -EDEADLK;
	watcher->state = WATCHER_STOPPED;
	if (watcher->outbox)
		outbox_shut(watcher->outbox);
	library_notify();
	while (is_dispatching_elsewhere(watcher))
		library_wait(); /* until the callback returns */
	end(watcher);
	return 0;
}

int portwatch_stop(struct portwatch *watcher)
{
	int result, cancel;

	if (!watcher)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return 0;
	cancel = library_enter();
	result = stop(watcher);
	library_leave(cancel);
	return result;
}

void portwatch_free(struct portwatch *watcher)
{
	int cancel;

	if (!watcher)
		return;
	cancel = library_enter();
	if (watcher_is_inert(watcher) || stop(watcher) == 0)
		watcher_unref(watcher);
	library_leave(cancel);
}

int portwatch_get_fd(struct portwatch *watcher)
{
	int fd, cancel;

	if (!watcher || watcher->options.delivery != PORTWATCH_DELIVERY_DISPATCH)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return -ENOTCONN;
	cancel = library_enter();
	fd = watcher->eventfd;
	library_leave(cancel);
	return fd < 0 ? -ENOTCONN : fd;
}

static int dispatch(struct portwatch *watcher)
{
	eventfd_t value;

	if (watcher->eventfd < 0 || !watcher->outbox)
		return -ENOTCONN;
	if (watcher->dispatching)
		return is_dispatching_elsewhere(watcher) ? -EBUSY : -EDEADLK;
	eventfd_read(watcher->eventfd, &value);
	return delivery_run(watcher, EVENT_QUEUE_MAX);
}

int portwatch_dispatch(struct portwatch *watcher)
{
	int result, cancel;

	if (!watcher || watcher->options.delivery != PORTWATCH_DELIVERY_DISPATCH)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return 0;
	cancel = library_enter();
	result = dispatch(watcher);
	library_leave(cancel);
	return result;
}
