/* SPDX-License-Identifier: MIT */
/* notifier.h - kernel events that arrive without polling
 *
 * The layer `notify` receives reports from the kernel that a process listens, forks, executes a
 * program or exits. An event is a hint: the tables and /proc are the truth, and a lost event costs
 * only time.
 *
 * Samples about sockets (tcp_state.h) come from a BPF program (tcp_bpf.h) or from a tracepoint
 * (tcp_tracepoint.h). They arrive in the rings of perf events, one on each CPU (perf_cpus.h), and
 * perf.h has the records of all rings in the order of their times. The same rings have forks, execs
 * and exits. If perf events are refused, the process connector reports these (process_events.h,
 * with a filter in the kernel that connector.h generates).
 *
 * Each mechanism is tried separately. The best one that works is used, and the reason why another
 * one does not work is stored. Only the monitor thread calls these functions. In the child of a
 * fork(2) the rings are not mapped: there a notifier may neither be used nor closed. */
#ifndef NOTIFIER_H
#define NOTIFIER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "notify/tcp_state.h"
#include "util/failure.h"

/* The kinds of events. */
enum notifier_kind {
	NOTIFIER_LISTEN,    /* TCP sockets that start or stop listening, of any process */
	NOTIFIER_PROCESSES, /* fork, exec, exit, of any process */
	NOTIFIER_KINDS
};

/* The mechanisms, best first. */
enum notifier_way {
	NOTIFIER_NONE,       /* the library has to poll */
	NOTIFIER_BPF,        /* listen: a BPF program on a raw tracepoint */
	NOTIFIER_TRACEPOINT, /* listen: a perf event on a tracepoint */
	NOTIFIER_PERF,       /* processes: task records of perf events */
	NOTIFIER_CONNECTOR,  /* processes: the process connector */
	NOTIFIER_WAYS
};

/* For notifier_open(): all mechanisms, or only those that a test selects. */
#define NOTIFIER_ALL_WAYS (~0U)
#define NOTIFIER_ONLY(way) (1U << (way))

struct notifier;

/* The hooks may call only notifier_follow(). All are set. */
struct notifier_hooks {
	void (*changed)(void *data, const struct tcp_change *change);
	/* These three return whether the event was about a followed process. They are called for
	 * processes only, not for threads. parent: the process that has called fork (with the
	 * connector: the parent of the child); 0: not in the caller's PID namespace. */
	bool (*forked)(void *data, pid_t parent, pid_t child);
	bool (*execed)(void *data, pid_t pid);
	/* A thread of the process is about to exit, and possibly the process: a hint. */
	bool (*exited)(void *data, pid_t pid);
	/* From now on all events of a newly followed process are reported. Earlier changes must be
	 * read from /proc. */
	void (*followed)(void *data, pid_t pid);
	/* Records were dropped, or may have been: everything must be read again. 0: their number is
	 * unknown. */
	void (*lost)(void *data, uint64_t records);
};

/* Opens the mechanisms that work. If there are none, all kinds have NOTIFIER_NONE. Returns 0, or a
 * negative errno with *failure set if there is no memory or descriptor for the notifier itself. */
int notifier_open(struct notifier **notifier, const struct notifier_hooks *hooks, void *data,
                  unsigned int ways, struct failure *failure);
void notifier_close(struct notifier *notifier); /* NULL allowed */

/* By which way a kind of events is reported now. */
enum notifier_way notifier_way(const struct notifier *notifier, enum notifier_kind kind);
/* Why a mechanism is not in use: {NULL, 0} if it is, or if it was not tried because a better one
 * works or because it is not wanted. */
struct failure notifier_failure(const struct notifier *notifier, enum notifier_way way);
/* The kind that a way reports, and the name of a way. Not for NOTIFIER_NONE. */
enum notifier_kind notifier_way_kind(enum notifier_way way);
const char *notifier_way_name(enum notifier_way way);

/* One descriptor to wait on (EPOLLIN): an epoll of its own. A listen event, or a ring that is half
 * full, makes it readable; records of processes otherwise wait for the next drain. The wait that
 * reports it also resets it, so the caller drains after each wait, and once after adding it to an
 * epoll. */
int notifier_fd(const struct notifier *notifier);
/* When notifier_drain() must be called regardless of the descriptor (CLOCK_MONOTONIC); UINT64_MAX:
 * never. Every process of the machine can call listen(2) in a loop. If events come too fast, the
 * descriptor stays silent until this time: a few milliseconds. */
uint64_t notifier_due(const struct notifier *notifier);

/* These functions set the processes whose events are wanted, so that events of other processes do
 * not wake the monitor. They call the functions of process_events.h if the connector is in use, and
 * do nothing otherwise. */
void notifier_follow(struct notifier *notifier, pid_t pid);
void notifier_keep(struct notifier *notifier, pid_t pid);
void notifier_widen(struct notifier *notifier);
void notifier_reset(struct notifier *notifier);
bool notifier_is_unapplied(const struct notifier *notifier);
void notifier_apply(struct notifier *notifier, pid_t last);

/* Passes waiting records to the hooks, in the order of their times across all rings: at most
 * `records`, and for about two milliseconds at most. Returns whether more are left: then the caller
 * calls again soon, without waiting. At most once a second it also checks which CPUs are online.
 * Opening an event for a new CPU needs the capability again; without it, and for a CPU that has
 * gone and come back between two checks, events of this CPU are missed. */
bool notifier_drain(struct notifier *notifier, unsigned int records);

/* Whether the last drain has left process events for later: for notifier_due(), or until the
 * descriptor is readable. */
bool notifier_is_behind(const struct notifier *notifier);

/* Counters since the start: handled records, and records that the kernel has reported as
 * dropped. */
uint64_t notifier_records(const struct notifier *notifier);
uint64_t notifier_lost(const struct notifier *notifier);

#endif
