/* SPDX-License-Identifier: MIT */
/* lock.c - the lock between the host's threads and the monitor */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "util/lock.h"

#define REGISTERED (-1)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* Waiting threads are woken when the lock is released. Woken while it is held, a thread on a busy
 * CPU runs at once, only to wait for the lock. */
static bool notified;
/* The state of the fork handlers: 0: not registered; a PID: a thread of this process is registering
 * them; or REGISTERED. */
static pid_t registrar;
static void (*forked_hook)(void);
static unsigned int generation;

/* With the lock held, the child's copies of the mailbox and the outboxes are consistent. */
static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

/* Lock and condition are initialized again, because they record threads of the parent as owner and
 * waiters. */
static void after_fork_in_child(void)
{
	static const pthread_mutex_t new_lock = PTHREAD_MUTEX_INITIALIZER;
	static const pthread_cond_t new_condition = PTHREAD_COND_INITIALIZER;

	generation++;
	lock = new_lock;
	changed = new_condition;
	forked_hook();
}

/* One thread registers the handlers, and the others wait. If another thread forks meanwhile, the
 * registration never ends in the child, so the child starts it again. After a failure the next
 * caller tries again. */
int library_prepare(void (*forked)(void))
{
	pid_t self = getpid(), seen = __atomic_load_n(&registrar, __ATOMIC_ACQUIRE);
	int result;

	__atomic_store_n(&forked_hook, forked, __ATOMIC_RELAXED);
	while (seen == self || (seen != REGISTERED &&
	                        !__atomic_compare_exchange_n(&registrar, &seen, self, false,
	                                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))) {
		sched_yield();
		seen = __atomic_load_n(&registrar, __ATOMIC_ACQUIRE);
	}
	if (seen == REGISTERED)
		return 0;
	result = -pthread_atfork(before_fork, after_fork, after_fork_in_child);
	__atomic_store_n(&registrar, result == 0 ? REGISTERED : 0, __ATOMIC_RELEASE);
	return result;
}

unsigned int library_generation(void)
{
	return generation;
}

void library_lock(void)
{
	pthread_mutex_lock(&lock);
}

void library_unlock(void)
{
	bool wakes = notified;

	notified = false;
	pthread_mutex_unlock(&lock);
	if (wakes)
		pthread_cond_broadcast(&changed);
}

int library_enter(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	library_lock();
	return state;
}

void library_leave(int cancel_state)
{
	library_unlock();
	pthread_setcancelstate(cancel_state, NULL);
}

void library_wait(void)
{
	if (notified)
		pthread_cond_broadcast(&changed);
	notified = false;
	pthread_cond_wait(&changed, &lock);
}

void library_notify(void)
{
	notified = true;
}
