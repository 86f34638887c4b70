/* SPDX-License-Identifier: MIT */
/* inits.h - which processes are PID 1 of a PID namespace below ours, by their network namespaces
 *
 * /proc lists no such processes: all of them have to be read. One walk serves every question for a
 * while, and is made in slices. */
#ifndef INITS_H
#define INITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proc/procfs.h"

struct init_process {
	struct netns_id netns;
	pid_t pid;
};

struct inits {
	const struct procfs *procfs;
	struct init_process *found; /* of the last whole walk, sorted by namespace */
	size_t count;
	struct init_process *finding; /* of the walk under way */
	size_t finding_count;
	size_t finding_capacity;
	int list;        /* the directory that is walked; -1: no walk is under way */
	uint64_t began;  /* CLOCK_MONOTONIC of that walk */
	uint64_t walked; /* CLOCK_MONOTONIC when the last whole walk began; 0: there was none */
	uint64_t took;   /* by all its slices */
	uint64_t spent;  /* by the slices of the walk under way */
};

void inits_init(struct inits *inits, const struct procfs *procfs);
void inits_clear(struct inits *inits);

/* The process that is PID 1 of its PID namespace and lives in the network namespace; 0 where none
 * is known. Begins a walk where the last one is too old for the answer, and makes a first slice of
 * it. */
pid_t inits_find(struct inits *inits, const struct netns_id *netns);

/* Goes on with a walk until the deadline (CLOCK_MONOTONIC). True while there is more to do. */
bool inits_walk(struct inits *inits, uint64_t deadline);

#endif
