/* SPDX-License-Identifier: MIT */
/* listener.h - one listening TCP socket, as the kernel's tables show it */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdbool.h>
#include <stdint.h>

struct listener {
	uint64_t inode;      /* of the socket, as in /proc/PID/fd; never 0 */
	uint64_t cookie;     /* of the socket (sock_diag); 0 where the table doesn't tell */
	uint8_t address[16]; /* network order; AF_INET uses the first 4 bytes, the rest are 0 */
	uint16_t port;       /* host order; never 0 */
	uint8_t family;      /* AF_INET or AF_INET6; IPv4-mapped addresses are AF_INET */
	int8_t v6only;       /* 1, 0; -1 for AF_INET and where the table doesn't tell */
};

/* Receives one listener. Returns 0, or a negative errno to stop, which the parser hands on. */
typedef int (*listener_sink)(void *data, const struct listener *listener);

/* Sets family and address from an address as the kernel keeps it: 4 bytes of AF_INET or 16 of
 * AF_INET6, network order. An IPv4-mapped one becomes AF_INET. */
void listener_set_address(struct listener *listener, int family, const uint8_t *address);

/* Orders by family, address, port, inode: <0, 0, >0. Other fields don't count. */
int listener_compare(const struct listener *a, const struct listener *b);

/* Whether family, address and port are the same. */
bool listener_same_port(const struct listener *a, const struct listener *b);

#endif
