/* SPDX-License-Identifier: MIT */
/* recent_pids.h - which PIDs may have become processes since they were looked at
 *
 * fork(2) gives out the number first and shows the process under it a little later: after
 * microseconds, or, where the forking thread loses its CPU in between, whenever it gets it back
 * (copy_process() in the kernel's kernel/fork.c). So what was given out is looked at twice: at
 * once, and again when it is a second old. */
#ifndef RECENT_PIDS_H
#define RECENT_PIDS_H

#include <stdint.h>
#include <sys/types.h>

struct recent_pids {
	pid_t last;     /* looked at; 0: none yet */
	uint64_t again; /* CLOCK_MONOTONIC of the second look; 0: there is nothing to look at */
	pid_t from;     /* the second look goes over those given out after this one */
	pid_t mark;     /* those up to this one are a second old then */
};

/* The PID after which all are to be looked at now, up to last, the one given out last. Equal to
 * last where there is nothing to do. */
pid_t recent_pids_after(const struct recent_pids *recent, pid_t last, uint64_t now);

/* Notes that they have been looked at, after last was given out. */
void recent_pids_seen(struct recent_pids *recent, pid_t last, uint64_t now);

#endif
