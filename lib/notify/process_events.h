/* SPDX-License-Identifier: MIT */
/* process_events.h - forks, execs and exits, from the process connector of the kernel
 *
 * NETLINK_CONNECTOR, group CN_IDX_PROC. Since Linux 6.6 it needs no privilege, before
 * CAP_NET_ADMIN. The kernel supports only the initial PID, user and network namespaces, and ignores
 * requests from others: a missing acknowledgement counts as a refusal. Not thread-safe: the monitor
 * calls it.
 *
 * The socket has a filter (connector.h): only events of followed processes, and forks of processes
 * younger than the filter, wake the reader. On a host that forks 5,000 times per second, waiting
 * without the filter costs 9% of a CPU, and draining without waiting 1.1%. With the filter it costs
 * less than 0.05% where one old process forks. The forks of young processes, such as those of
 * shells and make, pass. A pause follows them, so that they take about half a percent (`make
 * bench`, part 9).
 *
 * A fork event names the parent of the new process. With CLONE_PARENT this is not the process that
 * has called clone(2): such a child of the root of a tree is a child of the root's parent, and
 * cannot be distinguished from the parent's own children. */
#ifndef PROCESS_EVENTS_H
#define PROCESS_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "notify/connector.h"
#include "util/failure.h"

struct process_events;

/* The hooks may call only process_events_follow(). All are set. */
struct process_events_hooks {
	/* Returns whether the event was about a followed process. */
	bool (*happened)(void *data, const struct process_event *event);
	/* From now on all events of a newly followed process arrive. Earlier changes must be read
	 * from /proc. Its forks have arrived already if the process itself was forked while this
	 * was open. */
	void (*followed)(void *data, pid_t pid);
	/* Events were dropped, or may have been: all processes must be read again. */
	void (*lost)(void *data);
};

/* Returns 0 or a negative errno with *failure set. Until the first process_events_apply() the
 * forks of all processes are reported. */
int process_events_open(struct process_events **events, const struct process_events_hooks *hooks,
                        void *data, struct failure *failure);
void process_events_close(struct process_events *events); /* NULL allowed */

/* One descriptor to wait on (EPOLLIN). Constant. */
int process_events_fd(const struct process_events *events);
/* When process_events_drain() must be called regardless of the descriptor (CLOCK_MONOTONIC);
 * UINT64_MAX: never. After too many events the descriptor stays silent until then. */
uint64_t process_events_due(const struct process_events *events);

/* Passes the arrived events to the hooks in their order, for about two milliseconds per call.
 * Returns false if the socket has failed permanently: then only process_events_close() may be
 * called. */
bool process_events_drain(struct process_events *events);

/* Whether the last drain has taken all events. */
bool process_events_is_empty(const struct process_events *events);

/* Follows a process. Until process_events_apply() possibly only its forks arrive. */
void process_events_follow(struct process_events *events, pid_t pid);
/* The same for a process that was followed before process_events_reset(), or that will be read
 * anyway. */
void process_events_keep(struct process_events *events, pid_t pid);
/* Called before a scan of /proc: the forks of all processes arrive until process_events_apply(), so
 * that no fork is missed between finding a process and following it. */
void process_events_widen(struct process_events *events);
/* Clears the list of followed processes, and widens the filter. */
void process_events_reset(struct process_events *events);
/* Whether process_events_apply() has work. */
bool process_events_is_unapplied(const struct process_events *events);
/* Sets the filter according to the followed processes. `last` is the last assigned PID, 0 if
 * unknown. Called when process_events_is_unapplied(), and at least once a second, so that a
 * wrap-around of the PIDs is noticed. */
void process_events_apply(struct process_events *events, pid_t last);

/* Counters since the start: events of followed processes, events of other processes, losses. */
struct process_events_counts {
	uint64_t followed;
	uint64_t others;
	uint64_t losses;
};
struct process_events_counts process_events_counts(const struct process_events *events);

#endif
