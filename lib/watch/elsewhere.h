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

/* For all watchers together. Where there are more, the tree that has the most of them loses its
 * oldest one: a tree keeps as many as its share, whatever others do. */
#define PLACES_MAX 256

/* A namespace that belongs to a process which does not live there. */
struct place {
	struct list link;
	const void *tree; /* whose share it belongs to */
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

/* The tree to whose share counts what is kept for a process: one of them, where it belongs to
 * several. */
const void *elsewhere_payer(const struct process *process);
/* The next place of a process; NULL after the last. */
struct place *elsewhere_next(const struct elsewhere *elsewhere, const struct process *process,
                             const struct place *previous);

/* Whether the process has such a place. */
bool elsewhere_knows(const struct elsewhere *elsewhere, const struct process *process,
                     const struct netns_id *id);

/* Looks where some of the threads of a process live, or where one does. */
void elsewhere_locate(struct elsewhere *elsewhere, const struct process *process);
void elsewhere_look_at(struct elsewhere *elsewhere, const struct process *process, pid_t tid);
/* A socket of the process has shown this namespace. Takes over the descriptor of the namespace,
 * which keeps it until the port is found there. False without memory. */
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
