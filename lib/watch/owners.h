/* SPDX-License-Identifier: MIT */
/* owners.h - searches for the holders of the sockets of a subscription
 *
 * A search scans processes one after the other for all sockets that they hold. It is divided into
 * slices and followed by a pause, so that a large or hostile tree delays only reports about its own
 * ports. The phases are, in this order: members that have joined (if nothing is pending),
 * candidates of the notifier and their relatives (for a new socket), all members, and in a scope
 * that counts every process also non-members. */
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
	OWNERS_NEWCOMERS, /* members that have joined since the last scan of all members */
	OWNERS_MEMBERS,   /* all members */
	OWNERS_KNOWN,     /* non-members that hold other sockets */
	OWNERS_OUTSIDE,   /* all non-members in the namespaces that are read */
	OWNERS_ANYWHERE,  /* all non-members */
};

/* The search for the owners of one subscription's sockets. */
struct owners {
	struct holders holders;
	struct list watches; /* pidfds of non-members that own a socket */
	unsigned int watch_count;
	uint64_t number;  /* number of the last search that scans every possible holder */
	uint64_t scanned; /* the last complete scan of the trees when the search began */
	enum owners_phase phase;
	bool verifies;         /* a full check: searches for all sockets, not only pending ones */
	bool complete;         /* every process was scanned so far ... */
	bool refused;          /* ... except processes that may not be read */
	bool decides;          /* everything is scanned, and the result is evaluated */
	struct list undecided; /* sockets that were pending when the search began its result ... */
	struct list unheld;    /* ... and those of them without a holder, in the order of both */
	uint64_t first_answer;
	pid_t *queue; /* the processes of this phase */
	size_t capacity;
	size_t count;
	size_t next;
	int directory; /* /proc/PID of the process that is being scanned; -1: none */
	pid_t asked;   /* the process that the present search has scanned last */
	int stat;      /* descriptor of its stat; -1: not open */
	struct fds_scan fds;
	struct fd_tables tables; /* descriptor tables that this search has read */
	struct holder_answer answer;
	bool holds_pending;          /* the present process holds a pending socket */
	uint64_t took;               /* duration of the search so far, in ns */
	uint64_t cpu;                /* its CPU time */
	uint64_t paced;              /* CLOCK_MONOTONIC: earliest time of the next slice of a long
	                                search; 0: the search is not long */
	uint64_t verify_cost;        /* CPU time of a full check, smoothed */
	uint64_t earliest;           /* CLOCK_MONOTONIC: earliest time of the next search */
	uint64_t newcomers_earliest; /* earliest time of the next search of newcomers */
	bool waiting;                /* a search is necessary at this time */
	uint64_t again;              /* time of a scheduled search; 0: none */
	pid_t newcomers[NEWCOMERS_MAX];
	size_t newcomer_count;
	bool ask_all_members;             /* too many newcomers, or some could not be scanned */
	pid_t candidates[CANDIDATES_MAX]; /* processes that were reported to listen */
	unsigned int candidate_count;
};

void owners_init(struct subscription *subscription);
void owners_clear(struct subscription *subscription);

/* Does the next slice of work. Returns false if a search has ended and some processes could not be
 * scanned: the next poll cycle repeats it. */
bool owners_resolve(struct subscription *subscription, uint64_t now);
/* When owners_resolve() has work that no event announces; UINT64_MAX: never. `verify`: when the
 * next full check is due. */
uint64_t owners_due(const struct subscription *subscription, uint64_t verify);

/* Adds a process that was reported to listen as a candidate, which is scanned first. */
void owners_add_candidate(struct subscription *subscription, pid_t pid);
/* A member has joined, has called exec, or is gone. */
void owners_joined(struct subscription *subscription, const struct process *process);
void owners_execed(struct subscription *subscription, const struct process *process);
void owners_left(struct subscription *subscription, const struct process *process);

#endif
