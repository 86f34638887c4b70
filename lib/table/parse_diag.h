/* SPDX-License-Identifier: MIT */
/* parse_diag.h - requests for and parser of sock_diag(7) dumps of listening TCP sockets
 * (include/uapi/linux/inet_diag.h, net/ipv4/inet_diag.c). Pure: no I/O, no allocation. */
#ifndef PARSE_DIAG_H
#define PARSE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table/snapshot.h"

#define TCP_DIAG_REQUEST_MAX 128
/* The size of a buffer for recv(2) on the netlink socket: the largest datagram of the kernel. */
#define TCP_DIAG_BUFFER 32768

struct tcp_diag {
	listener_sink sink;
	void *data;
	int family; /* AF_INET, AF_INET6 or AF_UNSPEC: both */
	uint32_t sequence;
	bool done;        /* the dump has ended: the socket may be used for another one */
	bool interrupted; /* NLM_F_DUMP_INTR was seen */
	uint64_t rows;
	uint64_t rejected; /* rows of another family or state, or with port 0 or inode 0 */
};

/* Writes the dump request of one family, or of both (states = 1 << TCP_LISTEN alone) into buffer.
 * Returns its size. Only the older request TCPDIAG_GETSOCK lists both families: in one walk through
 * the kernel's table instead of two. */
size_t tcp_diag_request(unsigned char buffer[TCP_DIAG_REQUEST_MAX], int family, uint32_t sequence);

/* Starts a dump. `sink` may be NULL to find only its end. */
void tcp_diag_init(struct tcp_diag *diag, int family, uint32_t sequence, listener_sink sink,
                   void *data);

/* Parses one datagram, which the caller has from the kernel (sender's nl_pid 0) and whole (no
 * MSG_TRUNC). Returns 0 (look at `done` for more to come) or a negative errno, after which the dump
 * is "no information":
 *
 * -EAGAIN: interrupted (NLM_F_DUMP_INTR). Said only once the dump is `done`, so that the same
 *          socket can be asked again at once.
 * -EPROTO: malformed, truncated, or of another sequence.
 * -ENOBUFS: NLMSG_OVERRUN, messages were lost.
 * The errno of an NLMSG_ERROR or of a negative NLMSG_DONE, `done` then, or what the sink returned.
 *
 * Unless `done` is set, the socket may hold the rest of the dump: close it. */
int tcp_diag_feed(struct tcp_diag *diag, const void *datagram, size_t size);

#endif
