/* SPDX-License-Identifier: MIT */
/* inits.c - the init processes (PID 1) of PID namespaces below the caller's */
#include <fcntl.h>
#include <stdlib.h>

#include "proc/inits.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fd.h"

/* How long the result of a walk is used: this time, and FRESH_TIMES the length of the walk. */
#define FRESH (100 * NSEC_PER_MSEC)
#define FRESH_SHARE 4
/* The first slice, in the middle of other work. */
#define SLICE (5 * NSEC_PER_MSEC)

void inits_init(struct inits *inits, const struct procfs *procfs)
{
	*inits = (struct inits){.procfs = procfs, .list = -1};
}

static void end_walk(struct inits *inits)
{
	fd_close(inits->list);
	free(inits->partial);
	inits->list = -1;
	inits->partial = NULL;
	inits->partial_count = 0;
	inits->partial_capacity = 0;
}

void inits_clear(struct inits *inits)
{
	if (!inits->procfs)
		return;
	end_walk(inits);
	free(inits->found);
	inits->found = NULL;
	inits->count = 0;
}

static int compare(const void *left, const void *right)
{
	const struct netns_id *a = &((const struct init_process *)left)->netns;
	const struct netns_id *b = &((const struct init_process *)right)->netns;

	if (a->dev != b->dev)
		return a->dev < b->dev ? -1 : 1;
	return (a->ino > b->ino) - (a->ino < b->ino);
}

/* Without memory the init process is left out. The members of its namespace can be used instead. */
static void add(struct inits *inits, const struct init_process *process)
{
	void *grown = array_grow(inits->partial, &inits->partial_capacity, inits->partial_count,
	                         sizeof(*inits->partial));

	if (!grown)
		return;
	inits->partial = grown;
	inits->partial[inits->partial_count++] = *process;
}

static int visit(void *data, long pid)
{
	struct inits *inits = data;
	CLEANUP_CLOSE int process = procfs_open_process(inits->procfs, (pid_t)pid);
	struct init_process init = {.pid = (pid_t)pid};
	unsigned int depth;
	pid_t innermost;

	if (process >= 0 && procfs_read_nspid(process, &innermost, &depth) == 0 && innermost == 1 &&
	    depth > 1 && procfs_netns(process, &init.netns) == 0)
		add(inits, &init);
	return 0;
}

static void finish(struct inits *inits)
{
	free(inits->found);
	inits->found = inits->partial;
	inits->count = inits->partial_count;
	inits->partial = NULL;
	inits->walked = inits->began;
	inits->took = inits->spent;
	end_walk(inits);
	if (inits->count > 1)
		qsort(inits->found, inits->count, sizeof(*inits->found), compare);
}

bool inits_walk(struct inits *inits, uint64_t deadline)
{
	uint64_t before = clock_now(CLOCK_MONOTONIC), now = before;
	int result;

	if (inits->list < 0)
		return false;
	do {
		result = procfs_list_some(inits->list, visit, inits);
		now = clock_now(CLOCK_MONOTONIC);
	} while (result > 0 && now < deadline);
	inits->spent += now - before;
	if (result == 0)
		finish(inits);
	else if (result < 0)
		end_walk(inits);
	return result > 0;
}

static bool is_fresh(const struct inits *inits, uint64_t now)
{
	return inits->walked && now - inits->walked < FRESH + inits->took * (1 + FRESH_SHARE);
}

pid_t inits_find(struct inits *inits, const struct netns_id *netns)
{
	struct init_process key = {.netns = *netns}, *found;
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	if (inits->list < 0 && !is_fresh(inits, now)) {
		inits->list = procfs_open_at(inits->procfs->fd, ".", O_RDONLY | O_DIRECTORY);
		inits->began = now;
		inits->spent = 0;
		inits_walk(inits, now + SLICE);
	}
	if (inits->count == 0)
		return 0;
	found = bsearch(&key, inits->found, inits->count, sizeof(key), compare);
	return found ? found->pid : 0;
}
