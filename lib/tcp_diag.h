/* SPDX-License-Identifier: MIT */
/* tcp_diag.h - requests for and parser of sock_diag(7) dumps of listening TCP sockets
 * (include/uapi/linux/inet_diag.h, net/ipv4/inet_diag.c). Pure: no I/O, no allocation. */
#ifndef TCP_DIAG_H
#define TCP_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "listener.h"

#define TCP_DIAG_REQUEST_MAX 128
/* What a buffer for recv(2) on the netlink socket should hold (the kernel's own limit is 32 KiB).
 */
#define TCP_DIAG_BUFFER 32768

struct tcp_diag {
	listener_sink sink;
	void *data;
	int family;
	uint32_t sequence;
	bool done;	  /* the dump is complete */
	bool interrupted; /* NLM_F_DUMP_INTR was seen */
	uint64_t rows;
	uint64_t rejected; /* rows with port 0, inode 0 or another state than TCP_LISTEN */
};

/* Writes the dump request of one family (states = 1 << TCP_LISTEN alone) into buffer. Returns its
 * size. */
size_t tcp_diag_request(unsigned char buffer[TCP_DIAG_REQUEST_MAX], int family, uint32_t sequence);

/* Begins a dump. sink may be NULL to look only for its end. */
void tcp_diag_init(struct tcp_diag *diag, int family, uint32_t sequence, listener_sink sink,
		   void *data);

/* Parses one datagram. Returns 0 (look at `done` for more to come) or a negative errno, after which
 * the dump is "no information": -EAGAIN (interrupted: NLM_F_DUMP_INTR, also on DONE; ask again),
 * -EPROTO (malformed, truncated or of another sequence), the errno of an NLMSG_ERROR or of a
 * negative DONE, or what the sink returned. */
int tcp_diag_feed(struct tcp_diag *diag, const void *datagram, size_t size);

#endif
