/* SPDX-License-Identifier: MIT */
/* recent_pids.c - which PIDs may have become processes since they were looked at */
#include "proc/recent_pids.h"

#include <stdbool.h>

#include "util/clock.h"

#define SECOND_LOOK NSEC_PER_SEC

static bool is_due(const struct recent_pids *recent, uint64_t now)
{
	return recent->again && now >= recent->again;
}

pid_t recent_pids_after(const struct recent_pids *recent, pid_t last, uint64_t now)
{
	return is_due(recent, now) && last ? recent->from : recent->last;
}

void recent_pids_seen(struct recent_pids *recent, pid_t last, uint64_t now)
{
	if (recent->again && !is_due(recent, now)) {
		recent->last = last;
		return;
	}
	/* Those up to the mark were a second old. */
	recent->from = recent->again ? recent->mark : recent->last;
	recent->mark = last;
	recent->last = last;
	recent->again = recent->from != last ? now + SECOND_LOOK : 0;
}
