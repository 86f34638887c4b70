/* SPDX-License-Identifier: MIT */
/* wrap_clock.c - the library's time */
#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <time.h>

#include "wrap.h"
#include "wrap_calls.h"
#include "wrap_names.h"

/* The linker replaces an unversioned call of a shared library with one of these functions, which
 * therefore must be visible. */
#pragma GCC visibility push(default)

static atomic_uint factor = 1;
/* By how many nanoseconds the library's clock is ahead. The value never decreases, because the
 * clock must not go back. */
static atomic_ullong skipped;

void wrap_hasten(unsigned int times)
{
	atomic_store(&factor, times);
}

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	int result = __real_clock_gettime(clock, time);
	unsigned long long sum;

	if (result < 0 || clock != CLOCK_MONOTONIC || wrap_is_outside())
		return result;
	sum = (unsigned long long)time->tv_nsec + atomic_load(&skipped);
	time->tv_sec += (time_t)(sum / 1000000000);
	time->tv_nsec = (long)(sum % 1000000000);
	return result;
}

/* Skips time for a wait between these two times. The wait had a timeout of `timeout` milliseconds
 * of the library's time. */
static void skip(const struct timespec *before, const struct timespec *after, int timeout)
{
	long long waited = (after->tv_sec - before->tv_sec) * 1000000000LL +
	                   (after->tv_nsec - before->tv_nsec);
	long long ahead = waited * ((long long)atomic_load(&factor) - 1);
	long long left = timeout * 1000000LL - waited;

	if (ahead > left)
		ahead = left;
	if (ahead > 0)
		atomic_fetch_add(&skipped, (unsigned long long)ahead);
}

int __real_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
	int times = (int)atomic_load(&factor), result, error;
	struct timespec before, after;

	if (wrap_strike(CALL_epoll_wait, NULL))
		return -1;
	if (times <= 1 || timeout <= 0 || wrap_is_outside())
		return __real_epoll_wait(epoll, events, count, timeout);
	__real_clock_gettime(CLOCK_MONOTONIC, &before);
	result = __real_epoll_wait(epoll, events, count, (timeout - 1) / times + 1);
	error = errno;
	__real_clock_gettime(CLOCK_MONOTONIC, &after);
	skip(&before, &after, timeout);
	errno = error;
	return result;
}
