/* SPDX-License-Identifier: MIT */
/* holders.h - the known holders of sockets
 *
 * The sockets of a process change only through a complete answer (a scan of its descriptors), or
 * when the process is gone: a process that cannot be read has not closed anything. Pure
 * bookkeeping, no I/O. */
#ifndef HOLDERS_H
#define HOLDERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/hash.h"
#include "util/list.h"

/* The most holders of one socket that are stored individually: the oldest. The others are
 * counted. */
#define HOLDERS_NAMED 32

/* The holders of one socket, a member of the socket. */
struct holder_set {
	struct list holds;     /* the oldest process first */
	unsigned int named;    /* length of the list */
	unsigned int others;   /* holders beyond the list: as counted last, plus new ones since */
	unsigned int counting; /* holders beyond the list that the present count has found so far */
	uint64_t count;        /* number of the count to which `counting` belongs */
	uint64_t noted;        /* the last answer that has included it: each process counts once */
	struct list of_crowded; /* linked while `others` may not be 0 */
};

/* A process that holds at least one socket. */
struct holder {
	pid_t pid;
	uint64_t start_time; /* clock ticks since boot; identifies the process together with pid */
	uint64_t answered;   /* number of the last complete answer */
	char name[64];       /* set by the caller, as it was read last */
	uint64_t seen;       /* set by the caller: CLOCK_MONOTONIC when it was found alive, or 0 */
	void *watch;         /* owned by the caller, NULL at first; see holders_init() */
	struct list holds;
	struct list link;
	struct hash_link by_pid;
};

struct holders {
	struct hash by_pid;
	struct list list;
	struct list crowded;
	uint64_t answers; /* begun */
	uint64_t count;   /* number of the last count, from 1; see holders_begin_count() */
	/* Called when the holders of a socket have changed. Must not change the holders. */
	void (*changed)(void *data, struct holder_set *set);
	/* Called when a process holds no socket any more and is removed: the callee releases its
	 * watch. */
	void (*forgotten)(void *data, struct holder *holder);
	void *data;
};

void holders_init(struct holders *holders, void (*changed)(void *data, struct holder_set *set),
                  void (*forgotten)(void *data, struct holder *holder), void *data);
/* Removes all processes without calling `changed`. */
void holders_clear(struct holders *holders);

void holder_set_init(struct holder_set *set);
/* Removes the holders of a socket that is gone, without calling `changed` for it. */
void holder_set_clear(struct holders *holders, struct holder_set *set);
/* The oldest process that holds the socket; NULL: none is known. */
struct holder *holder_set_first(const struct holder_set *set);
/* Whether a process is stored as a holder of the socket. */
bool holder_set_names(const struct holder_set *set, pid_t pid);
/* The known number of holders of the socket. */
unsigned int holder_set_count(const struct holder_set *set);

/* An answer: the result of scanning the descriptors of one process. */
struct holder_answer {
	struct holders *holders;
	pid_t pid;
	uint64_t start_time;
	uint64_t number;
	bool counts; /* the answer belongs to the present count */
	int error;   /* -ENOMEM: a socket could not be stored */
};

void holder_answer_begin(struct holder_answer *answer, struct holders *holders, pid_t pid,
                         uint64_t start_time, bool counts);
/* The process holds this socket. May be called more than once for a socket. */
void holder_answer_holds(struct holder_answer *answer, struct holder_set *set);
/* Ends an answer. If it is complete, the process no longer holds sockets that the answer did not
 * include. Returns 0, or -ENOMEM: then the process keeps all its sockets. */
int holder_answer_end(struct holder_answer *answer, bool complete);

/* The process has exited. start_time 0: any process with this PID. */
void holders_exited(struct holders *holders, pid_t pid, uint64_t start_time);
/* A property of the process has changed: calls `changed` for all its sockets. */
void holders_touch(struct holders *holders, const struct holder *holder);
struct holder *holders_find(const struct holders *holders, pid_t pid);

/* holders_begin_count() starts a count of the holders beyond HOLDERS_NAMED: from then on, all
 * processes that may hold a socket answer. holders_end_count() ends the count after all of them
 * have answered. */
void holders_begin_count(struct holders *holders);
void holders_end_count(struct holders *holders);

#endif
