/* SPDX-License-Identifier: MIT */
/* clock.h - times in nanoseconds */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

#define NSEC_PER_USEC UINT64_C(1000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_SEC UINT64_C(1000000000)

/* The clock of the given id (CLOCK_MONOTONIC, ...), clock_gettime(2). Can't fail for the ids used.
 */
static inline uint64_t clock_now(clockid_t id)
{
	struct timespec now = {0};

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_earlier(uint64_t one, uint64_t other)
{
	return one < other ? one : other;
}

#endif
