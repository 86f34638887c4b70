/* SPDX-License-Identifier: MIT */
/* elsewhere.h - network namespaces in which a member listens, or may listen, and doesn't live
 *
 * A thread may have a namespace of its own. A socket stays in the namespace in which it was made
 * when its process goes to another, and may begin to listen then. Such places are read like those
 * where members live. A reported listen(2) that leads to no port is looked into: the descriptor
 * itself is asked (probe.h). Where that finds nothing either, it is logged once. */
#ifndef ELSEWHERE_H
#define ELSEWHERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "notify/tcp_state.h"
#include "proc/process_tree.h"
#include "table/probe.h"
#include "table/snapshot.h"
#include "util/list.h"
#include "util/loop.h"

struct expectation;
struct context;
struct netns_table;
struct reader_target;
struct subscription_table;

/* For all watchers together. Where there are more, the tree that has the most of them loses its
 * oldest one: a tree keeps as many as its share, whatever others do. */
#define PLACES_MAX 256
#define LISTENS_MAX 64

/* A namespace in which a process doesn't live. */
struct place {
	struct list link;
	const void *tree; /* whose share it belongs to */
	pid_t pid;        /* of the process */
	uint64_t start_time;
	struct netns_id id;
	pid_t tid;       /* a thread of it that lives there; 0: none */
	int descriptor;  /* of the namespace, as a socket has shown; -1: none */
	uint64_t verify; /* CLOCK_MONOTONIC: when it is looked at again */
};

/* A listen(2) of a member that should have led to a port by `due`. */
struct listen {
	const void *tree; /* whose share it belongs to */
	pid_t pid;
	uint64_t start_time;
	uint64_t socket; /* the kernel's address of it */
	struct listener listener;
	uint64_t reported; /* CLOCK_MONOTONIC */
	uint64_t due;
	bool asks; /* its descriptor is to be asked now */
};

struct elsewhere {
	struct context *context;
	struct netns_table *namespaces;
	struct subscription_table *subscriptions;
	struct list places;
	size_t count;
	struct listen listens[LISTENS_MAX];
	size_t listen_count;
	struct probe *probe; /* NULL: none is under way */
	struct source source;
	struct listen probed; /* that it asks for */
	uint64_t deadline;
	uint64_t earliest; /* no probe before */
	unsigned int turn; /* which threads are looked at next */
};

void elsewhere_init(struct elsewhere *elsewhere, struct subscription_table *subscriptions);
void elsewhere_clear(struct elsewhere *elsewhere);
/* Whether a PID is that of the probe. */
bool elsewhere_is_child(const struct elsewhere *elsewhere, pid_t pid);

/* The next place of a process; NULL after the last. */
struct place *elsewhere_next(const struct elsewhere *elsewhere, const struct process *process,
                             const struct place *previous);

/* Looks where some of the threads of a process live. True where one has a place of its own that
 * wasn't known. */
bool elsewhere_look(struct elsewhere *elsewhere, const struct process *process);

/* A member was reported to listen. Returns true where its thread was found in a place that wasn't
 * known. */
bool elsewhere_listened(struct elsewhere *elsewhere, const struct process *process,
                        const struct tcp_change *change);
/* A socket was reported to listen no more. */
void elsewhere_ended(struct elsewhere *elsewhere, uint64_t socket);
/* No table shows what was expected in a namespace. */
void elsewhere_missed(struct elsewhere *elsewhere, const struct expectation *expectation);

/* Does what is due. */
void elsewhere_work(struct elsewhere *elsewhere, uint64_t now);
uint64_t elsewhere_due(const struct elsewhere *elsewhere);

/* Finds a way into a namespace where no process is known to live: sets pid and start_time of the
 * target to those of a thread, or descriptor, which is the caller's. 0, or -ESRCH. */
int elsewhere_enter(struct elsewhere *elsewhere, const struct netns_id *id,
                    struct reader_target *target);

#endif
