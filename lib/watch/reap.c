/* SPDX-License-Identifier: MIT */
/* reap.c - reaps the children that were told to go, without waiting for them */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "watch/monitor.h"
#include "util/fd.h"

/* 5 s in all. */
#define REAP_ROUNDS 500
#define REAP_ROUND_MSEC 10

/* A child that was told to go. */
struct reaper {
	struct source source;
	struct child child;
	struct monitor *monitor;
	struct list link;
};

static void free_reaper(struct reaper *reaper)
{
	if (reaper->source.fd >= 0)
		monitor_remove(reaper->monitor, &reaper->source);
	list_remove(&reaper->link);
	free(reaper);
}

static void try_reap(struct source *source)
{
	struct reaper *reaper = container_of(source, struct reaper, source);
	struct child child = reaper->child;

	/* spawn_reap() closes the pidfd, which must leave the epoll set before. */
	if (source->fd >= 0)
		monitor_remove(reaper->monitor, source);
	if (spawn_reap(&child) == 0) {
		source->fd = -1;
		free_reaper(reaper);
	} else {
		/* Its exit was told, but it can't be reaped yet: somebody traces it. */
		source->fd = -1;
	}
}

/* Where nobody will come back to it. A killed child takes no time worth a thought, but on a machine
 * with more to do than it can; one that is traced may never be ours to reap. */
static void reap_now(struct child *child)
{
	struct pollfd exited = {.fd = child->pidfd, .events = POLLIN};

	for (int i = 0; i < REAP_ROUNDS; i++) {
		if (spawn_reap(child) == 0)
			return;
		/* Without a pidfd it only waits. */
		poll(&exited, 1, REAP_ROUND_MSEC);
	}
	if (child->pidfd >= 0)
		fd_close(child->pidfd);
}

void monitor_reap(struct monitor *monitor, const struct child *child)
{
	struct child copy = *child;
	struct reaper *reaper;

	if (child->pid == 0 || spawn_reap(&copy) == 0)
		return;
	reaper = calloc(1, sizeof(*reaper));
	if (!reaper) {
		reap_now(&copy);
		return;
	}
	reaper->child = copy;
	reaper->monitor = monitor;
	reaper->source = (struct source){.fd = copy.pidfd, .ready = try_reap};
	list_append(&monitor->reaping, &reaper->link);
	if (copy.pidfd >= 0 && monitor_add(monitor, &reaper->source) < 0)
		reaper->source.fd = -1;
}

bool monitor_reap_turn(struct monitor *monitor)
{
	struct reaper *reaper;
	bool waiting = false;

	list_each (reaper, &monitor->reaping, struct reaper, link) {
		if (reaper->source.fd >= 0)
			continue;
		try_reap(&reaper->source);
		waiting = true;
	}
	return waiting;
}

bool monitor_reaps(const struct monitor *monitor, pid_t pid)
{
	struct reaper *reaper;

	list_each (reaper, &monitor->reaping, struct reaper, link)
		if (reaper->child.pid == pid)
			return true;
	return false;
}

void monitor_reap_end(struct monitor *monitor)
{
	struct reaper *reaper;

	list_each (reaper, &monitor->reaping, struct reaper, link) {
		reap_now(&reaper->child);
		reaper->source.fd = -1;
		free_reaper(reaper);
	}
}
