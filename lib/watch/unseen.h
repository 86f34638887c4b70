/* SPDX-License-Identifier: MIT */
/* unseen.h - reported listen(2) calls of members that have not led to a port
 *
 * A probe asks the descriptor itself for the network namespace of its socket (probe.h), which is
 * then read (elsewhere.h). If the probe finds nothing either, one message is logged. */
#ifndef UNSEEN_H
#define UNSEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "notify/tcp_state.h"
#include "proc/process_tree.h"
#include "table/probe.h"
#include "table/snapshot.h"
#include "util/loop.h"

struct context;
struct elsewhere;
struct expectation;
struct subscription_table;

/* The limit for all watchers together. Each tree has a share (elsewhere.h). */
#define LISTENS_MAX 64

/* A listen(2) of a member that should have led to a port by `due`. */
struct listen {
	const void *tree; /* the tree to whose share it belongs */
	pid_t pid;
	uint64_t start_time;
	uint64_t socket; /* the kernel's address of the socket */
	struct listener listener;
	uint64_t reported; /* CLOCK_MONOTONIC */
	uint64_t due;
	bool asks;          /* the descriptors of the process must be examined now */
	unsigned int first; /* lower descriptors have been examined */
};

struct unseen {
	struct context *context;
	struct subscription_table *subscriptions;
	struct elsewhere *elsewhere;
	struct listen listens[LISTENS_MAX];
	size_t listen_count;
	struct probe *probe; /* NULL: no probe is running */
	struct source source;
	struct listen probed; /* the listen that the probe examines */
	uint64_t deadline;
	uint64_t earliest; /* earliest time of the next probe */
};

void unseen_init(struct unseen *unseen, struct elsewhere *elsewhere);
void unseen_clear(struct unseen *unseen);
/* Returns whether a PID belongs to the probe. */
bool unseen_is_child(const struct unseen *unseen, pid_t pid);

/* A member was reported to listen. */
void unseen_listened(struct unseen *unseen, const struct process *process,
                     const struct tcp_change *change);
/* The kernel has reported that a socket no longer listens. */
void unseen_ended(struct unseen *unseen, uint64_t socket);
/* No read of a namespace shows an expected listener. */
void unseen_missed(struct unseen *unseen, const struct expectation *expectation);

/* Does what is due. */
void unseen_work(struct unseen *unseen, uint64_t now);
uint64_t unseen_due(const struct unseen *unseen);

#endif
