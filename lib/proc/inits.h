/* SPDX-License-Identifier: MIT */
/* inits.h - the init processes (PID 1) of PID namespaces below the caller's, by network namespace
 *
 * To find them, all processes must be read. The result of one walk is used for a while, and a walk
 * is divided into slices. */
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
	struct init_process *found; /* result of the last complete walk, sorted by namespace */
	size_t count;
	struct init_process *partial; /* of the walk under way */
	size_t partial_count;
	size_t partial_capacity;
	int list;        /* the directory of the present walk; -1: none */
	uint64_t began;  /* CLOCK_MONOTONIC: when the present walk began */
	uint64_t walked; /* CLOCK_MONOTONIC: when the last complete walk began; 0: none */
	uint64_t took;   /* total length of its slices */
	uint64_t spent;  /* length of the slices of the present walk so far */
};

void inits_init(struct inits *inits, const struct procfs *procfs);
void inits_clear(struct inits *inits);

/* Returns the init process (PID 1 of its PID namespace) that lives in the network namespace; 0 if
 * none is known. If the last walk is too old, starts a new one and does its first slice. */
pid_t inits_find(struct inits *inits, const struct netns_id *netns);

/* Continues a walk until the deadline (CLOCK_MONOTONIC). Returns true if the walk is not
 * finished. */
bool inits_walk(struct inits *inits, uint64_t deadline);

#endif
