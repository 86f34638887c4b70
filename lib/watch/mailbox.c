/* SPDX-License-Identifier: MIT */
/* mailbox.c - requests of host threads to the monitor thread, and the life cycle of this thread */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "util/fd.h"
#include "util/lock.h"
#include "watch/mailbox.h"

/* Guarded by the library's lock. */
static struct {
	struct list requests;
	unsigned int watchers; /* between mailbox_enter() and mailbox_leave() */
	bool running;          /* the thread exists and has not announced its end */
	bool joinable;         /* the thread is not joined yet */
	pthread_t thread;
	int wake; /* an eventfd, while the thread runs */
} mailbox = {.requests = {&mailbox.requests, &mailbox.requests}, .wake = -1};

static struct request *next_request(void)
{
	struct request *request = NULL;

	library_lock();
	if (!list_empty(&mailbox.requests)) {
		request = container_of(mailbox.requests.next, struct request, link);
		list_remove(&request->link);
	}
	library_unlock();
	return request;
}

/* After the reply the request belongs to the host thread again, which may free it at once. */
static void reply(struct request *request)
{
	library_lock();
	request->served = true;
	library_notify();
	library_unlock();
}

void mailbox_serve(struct subscription_table *subscriptions, int error)
{
	struct request *request;

	while ((request = next_request())) {
		request->serve(request, subscriptions, error);
		reply(request);
	}
}

int mailbox_fd(void)
{
	return mailbox.wake;
}

bool mailbox_is_idle(void)
{
	bool idle;

	library_lock();
	idle = mailbox.watchers == 0 && list_empty(&mailbox.requests);
	library_unlock();
	return idle;
}

bool mailbox_is_needed(void)
{
	bool needed;

	library_lock();
	needed = mailbox.watchers > 0 || !list_empty(&mailbox.requests);
	if (!needed) {
		mailbox.running = false;
		library_notify();
	}
	library_unlock();
	return needed;
}

void mailbox_refuse(int error)
{
	eventfd_t value;

	/* Blocks until there is a request, or the last watcher has stopped. The requests are
	 * answered afterwards, because nothing would wake the next monitor for one that has been
	 * read here. */
	eventfd_read(mailbox.wake, &value);
	mailbox_serve(NULL, error);
}

static void wake(void)
{
	fd_signal(mailbox.wake);
}

static void join(void)
{
	pthread_t thread = mailbox.thread;
	int fd = mailbox.wake;

	mailbox.joinable = false;
	mailbox.wake = -1;
	library_unlock();
	pthread_join(thread, NULL);
	fd_close(fd);
	library_lock();
}

/* The thread blocks all signals, so that the signals of the host reach only its own threads. */
static int create(mailbox_thread *thread)
{
	sigset_t all, before;
	int result;

	mailbox.wake = fd_own(eventfd(0, EFD_CLOEXEC));
	if (mailbox.wake < 0) {
		result = mailbox.wake;
		mailbox.wake = -1;
		return result;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = -pthread_create(&mailbox.thread, NULL, thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	mailbox.running = result == 0;
	mailbox.joinable = result == 0;
	if (result == 0)
		return 0;
	fd_close(mailbox.wake);
	mailbox.wake = -1;
	return result;
}

int mailbox_enter(mailbox_thread *thread)
{
	int result = 0;

	mailbox.watchers++;
	while (!mailbox.running && mailbox.joinable)
		join();
	if (!mailbox.running)
		result = create(thread);
	if (result < 0)
		mailbox.watchers--;
	return result;
}

/* If no watcher is left, waits for the end of the thread, which is awake. */
static void await_end(void)
{
	while (mailbox.watchers == 0 && mailbox.running)
		library_wait();
	if (mailbox.watchers == 0 && mailbox.joinable)
		join();
}

void mailbox_leave(void)
{
	if (--mailbox.watchers > 0)
		return;
	wake();
	await_end();
}

void mailbox_call(struct request *request)
{
	request->served = false;
	list_append(&mailbox.requests, &request->link);
	wake();
	while (!request->served)
		library_wait();
}

void mailbox_call_and_leave(struct request *request)
{
	mailbox.watchers--;
	mailbox_call(request);
	await_end();
}

bool mailbox_is_own_thread(void)
{
	return mailbox.running && pthread_equal(pthread_self(), mailbox.thread);
}

void mailbox_forget(void)
{
	list_init(&mailbox.requests);
	mailbox.watchers = 0;
	mailbox.running = false;
	mailbox.joinable = false;
	mailbox.wake = -1;
}
