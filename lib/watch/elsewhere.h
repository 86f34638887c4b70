/* SPDX-License-Identifier: MIT */
/* elsewhere.h - network namespaces in which a member listens, or may listen, without living there
 *
 * A thread may have a namespace of its own. A socket stays in the namespace in which it was created
 * when its process moves to another one, and may start to listen afterwards. Such places are read
 * like the namespaces of members. */
#ifndef ELSEWHERE_H
#define ELSEWHERE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/process_tree.h"
#include "util/list.h"

struct context;
struct reader_target;
struct subscription_table;

/* The limit for all watchers together. Beyond it, the tree that has the most places loses its
 * oldest one, so that each tree keeps its share regardless of the others. */
#define PLACES_MAX 256

/* A namespace that belongs to a process which does not live there. */
struct place {
	struct list link;
	const void *tree; /* the tree to whose share it belongs */
	pid_t pid;        /* of the process */
	uint64_t start_time;
	struct netns_id id;
	pid_t tid;       /* a thread of the process that lives there; 0: none */
	int descriptor;  /* of the namespace, found through a socket; -1: none */
	uint64_t verify; /* CLOCK_MONOTONIC: when the place is checked again */
};

struct elsewhere {
	struct context *context;
	struct subscription_table *subscriptions;
	struct list places;
	size_t count;
	unsigned int pass; /* selects the threads that are located next */
};

void elsewhere_init(struct elsewhere *elsewhere, struct subscription_table *subscriptions);
void elsewhere_clear(struct elsewhere *elsewhere);

/* The tree to whose share the places of a process belong: one of its trees, if it has several. */
const void *elsewhere_payer(const struct process *process);
/* The next place of a process; NULL after the last. */
struct place *elsewhere_next(const struct elsewhere *elsewhere, const struct process *process,
                             const struct place *previous);

/* Whether the process has this place. */
bool elsewhere_knows(const struct elsewhere *elsewhere, const struct process *process,
                     const struct netns_id *id);

/* Locates some of the threads of a process, or one thread. */
void elsewhere_locate(struct elsewhere *elsewhere, const struct process *process);
void elsewhere_look_at(struct elsewhere *elsewhere, const struct process *process, pid_t tid);
/* Adds a namespace that was found through a socket of the process. Takes over the descriptor, which
 * keeps the namespace alive until the port is found there. Returns false without memory. */
bool elsewhere_keep(struct elsewhere *elsewhere, const struct process *process,
                    const struct netns_id *id, int netns);

/* Does the work that is due. */
void elsewhere_work(struct elsewhere *elsewhere, uint64_t now);
uint64_t elsewhere_due(const struct elsewhere *elsewhere);

/* Finds a way into a namespace in which no process is known to live: sets pid and start_time of the
 * target to those of a thread, or sets the descriptor, which the caller closes. Returns 0 or
 * -ESRCH. */
int elsewhere_enter(struct elsewhere *elsewhere, const struct netns_id *id,
                    struct reader_target *target);

#endif
