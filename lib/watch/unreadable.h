/* SPDX-License-Identifier: MIT */
/* unreadable.h - members whose descriptors can't be read: when that is worth a warning
 *
 * Processes are unreadable for a moment while they change what they are: a new program with other
 * rights, a new user namespace. Some are so for good. One warning, about the first of them that
 * lasts, is enough for a watcher. */
#ifndef UNREADABLE_H
#define UNREADABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define UNREADABLE_MAX 4

struct subscription;
struct process;

/* Zeroed: none. */
struct unreadable {
	struct {
		pid_t pid; /* 0: free */
		uint64_t start_time;
		uint64_t since; /* CLOCK_MONOTONIC */
	} members[UNREADABLE_MAX];
	unsigned int next; /* the one that makes room */
	bool warned;       /* of one that is refused */
	bool limited;      /* of a limit that was met */
};

/* A member was to be asked what it holds, and couldn't be: a negative errno. */
void unreadable_note(struct subscription *subscription, const struct process *process, int error);
/* It could. */
void unreadable_forget(struct subscription *subscription, const struct process *process);
/* Asks those who refused lately again, and returns one who still refuses, with the negative errno;
 * or 0. */
pid_t unreadable_find(struct subscription *subscription, int *error);
/* The subscription ends: whom it would have asked again is asked now. */
void unreadable_finish(struct subscription *subscription);

/* What it takes to read the descriptors of a process that refuses, to append to a message. */
const char *unreadable_remedy(void);

#endif
