/* SPDX-License-Identifier: MIT */
/* aside.c - runs a call that an untrusted process can delay in a separate thread */

#include "util/aside.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/lock.h"

/* Belongs to the thread once it is abandoned. */
struct job {
	const struct aside *aside;
	void *argument;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool ended;
	bool abandoned;
	unsigned int generation;
};

/* Under the library's lock. */
static struct {
	unsigned int generation; /* that of the process in which the rest was written */
	unsigned int lasting;    /* calls that go on */
	uint64_t earliest;       /* CLOCK_MONOTONIC: no call before */
} asides;

/* The child of a fork(2) has none of the threads of its parent. */
static void forget_those_of_parent(void)
{
	if (asides.generation != library_generation()) {
		asides.generation = library_generation();
		asides.lasting = 0;
	}
}

static bool is_allowed(void)
{
	bool allowed;

	library_lock();
	forget_those_of_parent();
	allowed = asides.lasting < ASIDE_MAX && clock_now(CLOCK_MONOTONIC) >= asides.earliest;
	library_unlock();
	return allowed;
}

static void note(bool lasts)
{
	library_lock();
	forget_those_of_parent();
	if (lasts) {
		asides.lasting++;
		asides.earliest = clock_now(CLOCK_MONOTONIC) + ASIDE_REST;
	} else {
		asides.lasting--;
	}
	library_unlock();
}

static void free_job(struct job *job)
{
	pthread_cond_destroy(&job->changed);
	pthread_mutex_destroy(&job->lock);
	free(job);
}

static void dispose(const struct aside *aside, void *argument)
{
	aside->dispose(argument);
}

static void *work(void *data)
{
	struct job *job = data;
	bool abandoned;

	job->aside->run(job->argument);
	pthread_mutex_lock(&job->lock);
	job->ended = true;
	abandoned = job->abandoned;
	pthread_cond_broadcast(&job->changed);
	pthread_mutex_unlock(&job->lock);
	if (abandoned) {
		/* Closing the result may block as well. */
		dispose(job->aside, job->argument);
		note(false);
		free_job(job);
	}
	return NULL;
}

static struct job *make_job(const struct aside *aside, void *argument)
{
	struct job *job = calloc(1, sizeof(*job));
	pthread_condattr_t attributes;

	if (!job)
		return NULL;
	job->aside = aside;
	job->argument = argument;
	pthread_mutex_init(&job->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&job->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return job;
}

/* The thread blocks all signals, so that the signals of the host reach only its own threads. */
static int start(struct job *job, pthread_t *thread)
{
	sigset_t all, before;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = -pthread_create(thread, NULL, work, job);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result;
}

/* Whether it has ended in time; if not, it is abandoned. */
static bool await(struct job *job)
{
	uint64_t end = clock_now(CLOCK_MONOTONIC) + ASIDE_TIMEOUT;
	const struct timespec time = {
		.tv_sec = (time_t)(end / NSEC_PER_SEC),
		.tv_nsec = (long)(end % NSEC_PER_SEC),
	};
	bool ended;

	pthread_mutex_lock(&job->lock);
	while (!job->ended && pthread_cond_timedwait(&job->changed, &job->lock, &time) == 0)
		continue;
	ended = job->ended;
	if (!ended) {
		job->abandoned = true;
		note(true);
	}
	pthread_mutex_unlock(&job->lock);
	return ended;
}

int aside_call(const struct aside *aside, void *argument)
{
	bool allowed = is_allowed();
	struct job *job = allowed ? make_job(aside, argument) : NULL;
	pthread_t thread;
	int result;

	if (!job) {
		dispose(aside, argument);
		return allowed ? -ENOMEM : -EBUSY;
	}
	result = start(job, &thread);
	if (result < 0) {
		dispose(aside, argument);
		free_job(job);
		return result;
	}
	if (!await(job)) {
		pthread_detach(thread);
		return -ETIMEDOUT;
	}
	pthread_join(thread, NULL);
	free_job(job);
	return 0;
}
