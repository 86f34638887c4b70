/* SPDX-License-Identifier: MIT */
/* holders.h - which processes are known to hold which sockets
 *
 * What a process holds changes only when the process itself answers, or is gone: one that can't be
 * read has not let go of anything. Pure bookkeeping, no I/O. */
#ifndef HOLDERS_H
#define HOLDERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/hash.h"
#include "util/list.h"

/* So many holders of one socket are known by name, the oldest; the others are counted. */
#define HOLDERS_NAMED 32

/* The holders of one socket, inside of that. */
struct holder_set {
	struct list holds;      /* the oldest process first */
	unsigned int named;     /* length of the list */
	unsigned int others;    /* as the last count has found, and the new ones since */
	unsigned int counting;  /* those that the present count has found */
	uint64_t count;         /* number of the count that they belong to */
	uint64_t noted;         /* the last answer that has named it: each process counts once */
	struct list of_crowded; /* has, or may have, others */
};

/* A process that holds at least one socket. */
struct holder {
	pid_t pid;
	uint64_t start_time; /* clock ticks since boot; with pid the identity */
	uint64_t answered;   /* number of the last answer that has come to its end */
	char name[64];       /* the caller's, as when it was read last */
	void *watch;         /* the caller's, NULL at first; see holders_init() */
	struct list holds;
	struct list link;
	struct hash_link by_pid;
};

struct holders {
	struct hash by_pid;
	struct list list;
	struct list crowded;
	uint64_t answers; /* begun */
	uint64_t count;   /* of all holders, counted from 1; see holders_count() */
	/* The holders of a socket are others than before. It may change nothing here. */
	void (*changed)(void *data, struct holder_set *set);
	/* A process holds nothing any more and is forgotten: its watch is to be given back. */
	void (*forgotten)(void *data, struct holder *holder);
	void *data;
};

void holders_init(struct holders *holders, void (*changed)(void *data, struct holder_set *set),
                  void (*forgotten)(void *data, struct holder *holder), void *data);
/* Forgets all processes; `changed` is not called. */
void holders_clear(struct holders *holders);

void holder_set_init(struct holder_set *set);
/* The socket is gone. `changed` is not called for it. */
void holder_set_clear(struct holders *holders, struct holder_set *set);
/* The oldest process that holds it; NULL: none is known. */
struct holder *holder_set_first(const struct holder_set *set);
/* Whether a process is known by name to hold it. */
bool holder_set_names(const struct holder_set *set, pid_t pid);
/* How many processes hold it, as far as is known. */
unsigned int holder_set_count(const struct holder_set *set);

/* What one process says. */
struct holder_answer {
	struct holders *holders;
	pid_t pid;
	uint64_t start_time;
	uint64_t number;
	bool counts; /* it belongs to the count under way */
	int error;   /* -ENOMEM: something could not be noted */
};

void holder_answer_begin(struct holder_answer *answer, struct holders *holders, pid_t pid,
                         uint64_t start_time, bool counts);
/* It holds this socket. May be said more than once. */
void holder_answer_holds(struct holder_answer *answer, struct holder_set *set);
/* It has said all (complete): what it held and didn't name any more it has let go. Returns 0, or
 * -ENOMEM: then nothing is let go. */
int holder_answer_end(struct holder_answer *answer, bool complete);

/* The process has exited. start_time 0: whoever had that PID. */
void holders_exited(struct holders *holders, pid_t pid, uint64_t start_time);
/* What is known of the process itself has changed: as if its sockets had others for holders. */
void holders_touch(struct holders *holders, const struct holder *holder);
struct holder *holders_find(const struct holders *holders, pid_t pid);

/* All processes that may hold a socket will answer from here on, so that those beyond HOLDERS_NAMED
 * are counted; and all of them have answered. */
void holders_begin_count(struct holders *holders);
void holders_end_count(struct holders *holders);

#endif
