/* SPDX-License-Identifier: MIT */
/* complete.h - whether a subscription can see everything in its scope */
#ifndef COMPLETE_H
#define COMPLETE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "watch/log.h"

struct listener;
struct process;
struct subscription;

/* Writes the first reason why it can't, in words, or "". */
bool complete_check(struct subscription *subscription, char reason[LOG_TEXT]);

/* There are more members, or open ports, than the subscription may have: logged once. */
void complete_note_members(struct subscription *subscription);
void complete_note_ports(struct subscription *subscription);

/* --- members whose descriptors cannot be read ---
 *
 * A process is unreadable for a moment while it executes another program with other rights or makes
 * a user namespace. Some processes are unreadable for good. One warning, about the first of them
 * that lasts, is enough for a watcher. */

#define UNREADABLE_MAX 4

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
/* The subscription ends: whom it would have asked again is asked now. */
void unreadable_finish(struct subscription *subscription);

/* --- members with sockets that can't be told apart ---
 *
 * Linux 6.12 and older do not say which sockets are registered with an io_uring. A port that a
 * member holds in no other way is nobody's then. */

/* Zeroed: none. */
struct unnamed {
	pid_t pid; /* the first such member; 0: none is known */
	uint64_t start_time;
};

/* A member has answered what it holds: it has such sockets, or has none. */
void unnamed_note(struct subscription *subscription, const struct process *process, bool has);
/* No member is known to hold a listener, and a member may: logged once. */
void unnamed_warn(struct subscription *subscription, const struct listener *listener);

/* What it takes to read the descriptors of a process that refuses, to append to a message. */
const char *unreadable_remedy(void);

#endif
