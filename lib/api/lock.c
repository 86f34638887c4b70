/* SPDX-License-Identifier: MIT */
/* lock.c - the one lock of the library, and what fork(2) does to it */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "util/clock.h"
#include "api/lock.h"

#define REGISTERED (-1)

static pthread_mutex_t lock;
static pthread_cond_t changed;
static pthread_once_t lock_made = PTHREAD_ONCE_INIT;
/* Whether the handlers of fork(2) are registered: 0: not, REGISTERED, or the process of which a
 * thread is at it. */
static pid_t registrar;
static void (*forked_hook)(void);
static bool fork_took_lock;
static unsigned int generation;

/* At run time: not every C library has an initializer for a mutex that finds its owner asking for
 * it again. */
static void make_lock(void)
{
	pthread_mutexattr_t checked;
	pthread_condattr_t monotonic;

	pthread_mutexattr_init(&checked);
	pthread_mutexattr_settype(&checked, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&lock, &checked);
	pthread_mutexattr_destroy(&checked);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

/* With the lock held, the child's copy of all data is consistent. A log callback that forks holds
 * it already. */
static void before_fork(void)
{
	bool took = pthread_mutex_lock(&lock) == 0;

	if (took)
		fork_took_lock = true;
}

static void after_fork(void)
{
	if (!fork_took_lock)
		return;
	fork_took_lock = false;
	pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
	/* Its owner is recorded as a thread of the parent, and waiters as well. */
	fork_took_lock = false;
	generation++;
	make_lock();
	forked_hook();
}

/* One thread does it, and the others wait. In the child of a fork(2) in another thread it may never
 * end: there it is begun anew. Where it fails it is tried again by the next that comes. */
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
	/* The handlers take the lock, perhaps before anybody else. */
	pthread_once(&lock_made, make_lock);
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
	pthread_once(&lock_made, make_lock);
	pthread_mutex_lock(&lock);
}

void library_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

bool library_wait(uint64_t deadline)
{
	struct timespec until = {
		.tv_sec = (time_t)(deadline / NSEC_PER_SEC),
		.tv_nsec = (long)(deadline % NSEC_PER_SEC),
	};

	if (deadline == UINT64_MAX)
		return pthread_cond_wait(&changed, &lock) == 0;
	return pthread_cond_timedwait(&changed, &lock, &until) != ETIMEDOUT;
}

void library_notify(void)
{
	pthread_cond_broadcast(&changed);
}
