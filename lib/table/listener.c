/* SPDX-License-Identifier: MIT */
/* listener.c - one listening TCP socket, as the kernel's tables show it */
#include <string.h>
#include <sys/socket.h>

#include "table/listener.h"

void listener_set_address(struct listener *listener, int family, const uint8_t *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memset(listener->address, 0, sizeof(listener->address));
	if (family == AF_INET6 && memcmp(address, mapped, sizeof(mapped)) != 0) {
		listener->family = AF_INET6;
		memcpy(listener->address, address, 16);
		return;
	}
	if (family == AF_INET6)
		address += sizeof(mapped);
	listener->family = AF_INET;
	memcpy(listener->address, address, 4);
}

int listener_compare(const struct listener *a, const struct listener *b)
{
	int order;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = memcmp(a->address, b->address, sizeof(a->address));
	if (order != 0)
		return order;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return (a->inode > b->inode) - (a->inode < b->inode);
}

bool listener_same_port(const struct listener *a, const struct listener *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->address, b->address, sizeof(a->address)) == 0;
}
