/* SPDX-License-Identifier: MIT */
/* closes.h - the kernel's reports of destroyed sockets: the multicast groups of sock_diag(7)
 *
 * SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY, of one network namespace, available
 * without privilege. A report is a hint to read the table at once. The functions make only system
 * calls on memory of the caller: usable in a forked child.
 *
 * The kernel generates a report for each socket, including the two sockets of a connection, and a
 * filter cannot avoid this cost: 8 us of CPU for a connection. The filter drops most of these
 * reports. One in CLOSES_SAMPLE passes, so that their number is known, and the groups can be left
 * if it is too high. */
#ifndef CLOSES_H
#define CLOSES_H

#include <stddef.h>
#include <stdint.h>

#define CLOSES_SAMPLE 64
/* The cost of a closed socket, in ns of CPU. */
#define CLOSES_COST UINT64_C(4000)

/* Opens a socket that receives the reports of the calling thread's network namespace. A descriptor
 * that the caller closes, or a negative errno. */
int closes_open(void);

/* The reports. */
struct closes {
	uint64_t listeners; /* sockets with a port and without a peer: most probably listeners */
	uint64_t samples;   /* other sockets, divided by CLOSES_SAMPLE */
};

/* Adds all reports that have arrived, without waiting. Dropped reports count as a listener. Returns
 * 0, or a negative errno if the socket is unusable. */
int closes_take(int fd, struct closes *closes);

/* Adds one datagram; an invalid one is ignored. Pure. */
void closes_parse(const void *bytes, size_t size, struct closes *closes);

#endif
