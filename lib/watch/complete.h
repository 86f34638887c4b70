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

/* Returns whether the subscription can see everything. Writes the first reason why it cannot, in
 * words, or "". */
bool complete_check(struct subscription *subscription, char reason[LOG_TEXT]);

/* Logs once that there are more members, or more open ports, than the subscription may have. */
void complete_note_members(struct subscription *subscription);
void complete_note_ports(struct subscription *subscription);

/* --- members whose descriptors cannot be read ---
 *
 * A process is unreadable for a moment while it executes another program with other rights or
 * creates a user namespace. Some processes are permanently unreadable. A watcher logs one warning,
 * about the first process that stays unreadable. */

#define UNREADABLE_MAX 4

/* The unreadable members. Zero bytes mean none. */
struct unreadable {
	struct {
		pid_t pid; /* 0: free */
		uint64_t start_time;
		uint64_t since; /* CLOCK_MONOTONIC */
	} members[UNREADABLE_MAX];
	unsigned int next; /* the element that is replaced next */
	bool warned;       /* about a permission */
	bool limited;      /* about an exhausted limit */
};

/* The descriptors of a member could not be read: a negative errno. */
void unreadable_note(struct subscription *subscription, const struct process *process, int error);
/* The descriptors of a member could be read. */
void unreadable_forget(struct subscription *subscription, const struct process *process);
/* The subscription ends: tries the unreadable members a last time, and logs the warning that is
 * due. */
void unreadable_finish(struct subscription *subscription);

/* --- members with sockets that cannot be identified ---
 *
 * Linux 6.12 and older do not say which sockets are registered with an io_uring. A port that a
 * member holds in no other way is unattributed then. */

/* The members with such an io_uring. Zero bytes mean none. */
struct unnamed {
	pid_t pid; /* the first such member; 0: none is known */
	uint64_t start_time;
};

/* A scan of a member has found such sockets, or none. */
void unnamed_note(struct subscription *subscription, const struct process *process, bool has);
/* Logs once that no holder of a listener is known, although such a member may hold it. */
void unnamed_warn(struct subscription *subscription, const struct listener *listener);

/* Returns how to become able to read the descriptors of an unreadable process, to be appended to a
 * message. */
const char *unreadable_remedy(void);

#endif
