/* SPDX-License-Identifier: MIT */
/* closes.h - the kernel reports that a socket is gone: the multicast groups of sock_diag(7)
 *
 * SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY, of one network namespace, for everybody
 * without privilege. A report is a hint to read the table at once. Nothing but system calls on
 * memory that the caller gives: usable in a forked child.
 *
 * The kernel makes up a report for each socket, also for the two of a connection, and that cannot
 * be spared by a filter: 8 us of CPU for a connection. The filter drops most of them; one in
 * CLOSES_SAMPLE passes, so that their number is known, and the groups be left where it is too
 * high. */
#ifndef CLOSES_H
#define CLOSES_H

#include <stddef.h>
#include <stdint.h>

#define CLOSES_SAMPLE 64
/* What a closed socket costs, in ns of CPU. */
#define CLOSES_COST UINT64_C(4000)

/* Opens a socket that receives the reports of the calling thread's network namespace. A descriptor
 * that the caller closes, or a negative errno. */
int closes_open(void);

/* What was reported. */
struct closes {
	uint64_t
		listeners; /* sockets with a port and without a peer: most probably they listened */
	uint64_t samples;  /* of others, one for CLOSES_SAMPLE */
};

/* Adds all reports that have arrived, without waiting. Reports that the kernel had to drop count as
 * a listener. Returns 0, or a negative errno of a socket that is no more use. */
int closes_take(int fd, struct closes *closes);

/* Adds one datagram; one that isn't understood counts for nothing. Pure. */
void closes_parse(const void *bytes, size_t size, struct closes *closes);

#endif
