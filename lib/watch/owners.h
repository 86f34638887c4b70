/* SPDX-License-Identifier: MIT */
/* owners.h - finds out who holds the sockets of a subscription
 *
 * A search asks processes, one after the other, for all sockets that they hold. It is divided into
 * slices and followed by a rest, so that a large or hostile tree delays reports about its own ports
 * alone. Who answers decides what is asked: the members that have joined (nothing is pending),
 * those whom the notifier has named and their kin (a new socket), all members, and in a scope in
 * which everybody counts the processes outside of it. */
#ifndef OWNERS_H
#define OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/fd_tables.h"
#include "proc/fds.h"
#include "util/list.h"
#include "watch/holders.h"

struct process;
struct subscription;

#define CANDIDATES_MAX 8
#define NEWCOMERS_MAX 256

enum owners_phase {
	OWNERS_IDLE,
	OWNERS_NEWCOMERS, /* members that have joined since they all were asked */
	OWNERS_MEMBERS,   /* all members */
	OWNERS_KNOWN,     /* non-members that hold other sockets */
	OWNERS_OUTSIDE,   /* all non-members that live in the namespaces that are read */
	OWNERS_ANYWHERE,  /* all non-members */
};

/* The search for the owners of one subscription's sockets. */
struct owners {
	struct holders holders;
	struct list watches; /* of non-members that own a socket: pidfds show their ends */
	unsigned int watch_count;
	uint64_t number;  /* of searches begun that ask everybody who may hold a socket */
	uint64_t scanned; /* the scan of the trees that was complete when it began */
	enum owners_phase phase;
	bool verifies; /* it asks about all sockets, not only for those pending */
	bool complete; /* everybody has answered so far ... */
	bool refused;  /* ... or has refused to */
	uint64_t first_answer;
	pid_t *queue; /* who is to be asked in this phase */
	size_t capacity;
	size_t count;
	size_t next;
	int directory; /* /proc/PID of the one who is being asked; -1: nobody is */
	pid_t asked;   /* who was asked last, in the search under way */
	int stat;      /* stat of that process; -1: not known */
	struct fds_scan fds;
	struct fd_tables tables; /* that this search has read */
	struct holder_answer answer;
	bool holds_pending;          /* it has named a socket that is pending */
	uint64_t took;               /* by the search so far, in ns */
	uint64_t cpu;                /* of that, CPU time; only where it verifies */
	uint64_t verify_cost;        /* CPU time of a search that verifies, smoothed */
	uint64_t earliest;           /* CLOCK_MONOTONIC: no other search before */
	uint64_t newcomers_earliest; /* none of newcomers */
	bool waiting;                /* there is something to ask then */
	uint64_t again;              /* a search is to be made then; 0: none */
	pid_t newcomers[NEWCOMERS_MAX];
	size_t newcomer_count;
	bool ask_all_members;             /* too many newcomers, or not all could be asked */
	pid_t candidates[CANDIDATES_MAX]; /* processes that were reported to listen */
	unsigned int candidate_count;
};

void owners_init(struct subscription *subscription);
void owners_clear(struct subscription *subscription);

/* Does the next slice of what there is to do. False where a search has ended and some could not be
 * asked: it is to be made again with the next poll cycle. */
bool owners_resolve(struct subscription *subscription, uint64_t now);
/* When owners_resolve() has something to do that nothing else announces; UINT64_MAX: never. */
uint64_t owners_due(const struct subscription *subscription);

/* A process was reported to listen: it is asked first. */
void owners_add_candidate(struct subscription *subscription, pid_t pid);
/* A member has joined, has executed another program, or is gone. */
void owners_joined(struct subscription *subscription, const struct process *process);
void owners_execed(struct subscription *subscription, const struct process *process);
void owners_left(struct subscription *subscription, const struct process *process);

#endif
