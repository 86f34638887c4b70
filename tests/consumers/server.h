/* SPDX-License-Identifier: MIT */
/* server.h - code that the consumers share: a listener, and failure messages */
#ifndef SERVER_H
#define SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "patience.h"

/* Milliseconds after which a consumer no longer waits for an event. */
#define SERVER_DEADLINE patience(60000)

/* Listens on 127.0.0.1, on a port that the kernel chooses. Returns the socket or -1. */
static inline int server_listen(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -1;
	*port = ntohs(address.sin_port);
	return fd;
}

static inline int fail(const char *what)
{
	fprintf(stderr, "failed: %s\n", what);
	return EXIT_FAILURE;
}

#endif
