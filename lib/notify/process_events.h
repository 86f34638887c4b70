/* SPDX-License-Identifier: MIT */
/* process_events.h - forks, execs and exits, from the process connector of the kernel
 *
 * NETLINK_CONNECTOR, group CN_IDX_PROC. Since Linux 6.6 it takes no privilege, before it
 * CAP_NET_ADMIN. The kernel serves the initial PID, user and network namespaces alone, and refuses
 * others without a word: what it does not acknowledge counts as refused. Not thread-safe: the
 * monitor calls it.
 *
 * The socket has a filter (connector.h): only events of followed processes, and forks of
 * processes younger than the filter, wake whoever waits. On a host that forks 5,000 times a second
 * it costs 9% of a CPU to wait without that filter, and 1.1% to drain without waiting. With the
 * filter it costs less than 0.05% where one old process forks. The forks of young processes, such
 * as those of shells and make, pass: after these come pauses, so that they take about half a
 * percent
 * (`make bench`, part 9).
 *
 * A fork event names the parent of the new process. That is not who has called clone(2) with
 * CLONE_PARENT: what the root of a tree makes so is a child of the root's parent, and nothing shows
 * it from what that parent forks itself. */
#ifndef PROCESS_EVENTS_H
#define PROCESS_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "notify/connector.h"
#include "util/failure.h"

struct process_events;

/* They may call process_events_follow() alone. All are set. */
struct process_events_hooks {
	/* Returns whether it was about a followed process. */
	bool (*happened)(void *data, const struct process_event *event);
	/* All events of a process that was followed lately arrive from now on: what it did before
	 * is to be read. Its forks did arrive if it was forked itself while this was open. */
	void (*followed)(void *data, pid_t pid);
	/* Events were dropped, or may have been: read all processes again. */
	void (*lost)(void *data);
};

/* Returns 0 or a negative errno with *failure set. Until the first process_events_settle() the
 * forks of all processes are reported. */
int process_events_open(struct process_events **events, const struct process_events_hooks *hooks,
                        void *data, struct failure *failure);
void process_events_close(struct process_events *events); /* NULL allowed */

/* One descriptor to wait on (EPOLLIN). Constant. */
int process_events_fd(const struct process_events *events);
/* When process_events_drain() is to be called whatever the descriptor says (CLOCK_MONOTONIC);
 * UINT64_MAX: never. The descriptor keeps silent until then where events came too fast. */
uint64_t process_events_due(const struct process_events *events);

/* Hands what has arrived to the hooks, in the order in which it happened; so much in one call as
 * takes about two milliseconds. False when the socket has failed for good: only
 * process_events_close() is left. */
bool process_events_drain(struct process_events *events);

/* Whether the last drain took all that had arrived. */
bool process_events_is_empty(const struct process_events *events);

/* A process is to be followed. Until process_events_settle() only its forks may arrive. */
void process_events_follow(struct process_events *events, pid_t pid);
/* The same for one that was followed before process_events_reset(), or will be read anyway. */
void process_events_keep(struct process_events *events, pid_t pid);
/* Before processes are looked for in /proc: lets the forks of all processes arrive until
 * process_events_settle(), so that nothing happens unseen between looking and following. */
void process_events_widen(struct process_events *events);
/* Begins the list of those that are followed anew; widens. */
void process_events_reset(struct process_events *events);
/* Whether there is something to settle. */
bool process_events_is_unsettled(const struct process_events *events);
/* Sets the filter to what is followed. last is the last PID that was given out, 0 where that is not
 * known. To be called when events are unsettled, and at least once a second, so that the numbers
 * don't go round unseen. */
void process_events_settle(struct process_events *events, pid_t last);

/* Counters since it was opened: events of followed processes, events of others, losses. */
struct process_events_counts {
	uint64_t followed;
	uint64_t others;
	uint64_t losses;
};
struct process_events_counts process_events_counts(const struct process_events *events);

#endif
