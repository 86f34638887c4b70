/* SPDX-License-Identifier: MIT */
/* owners.h - asks processes which of a set of sockets they hold (attribution_scan.c), for what
 * attribution.c makes of the answers */
#ifndef OWNERS_H
#define OWNERS_H

#include "watch/subscription.h"

/* A set of sockets to look for. */
struct question {
	struct fds_holder *sockets; /* malloc()ed, sorted by inode */
	size_t count;
};

/* Whether who holds a socket is still to be found out. */
static inline bool socket_is_pending(const struct socket *socket)
{
	return socket->state == SOCKET_NEW || socket->state == SOCKET_OWNERLESS;
}

/* Collects the sockets of a subscription that are (or aren't) pending. 0 or -ENOMEM. */
int question_make(struct question *question, struct subscription *subscription, bool pending);

/* Asks one member, through its /proc/PID; directory may be a negative errno of opening that. False
 * where that gave no answer: the question is to be asked again. */
bool question_scan(struct question *question, struct subscription *subscription,
                   const struct process *process, int directory);

#endif
