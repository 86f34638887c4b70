/* SPDX-License-Identifier: MIT */
/* common.c - functions that all processes of the soak share */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "soak.h"
#include "support/loopback.h"
#include "support/patience.h"

#define LIFE_MAX 60 /* seconds after which a process of an actor is ended */

void soak_fail(struct soak *soak, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fprintf(stderr, "FAIL: %s\n", text);
	atomic_fetch_add(&soak->failures, 1);
}

void soak_sleep(const struct soak *soak, int milliseconds)
{
	poll(NULL, 0, milliseconds);
	if (kill(soak->director, 0) < 0 && errno == ESRCH)
		_exit(1);
}

uint32_t soak_random(uint32_t *state, uint32_t limit)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % limit;
}

bool soak_may_run(struct soak *soak)
{
	if (atomic_load(&soak->phase) == SOAK_PAUSE) {
		atomic_fetch_add(&soak->paused, 1);
		while (atomic_load(&soak->phase) == SOAK_PAUSE)
			soak_sleep(soak, 10);
		atomic_fetch_sub(&soak->paused, 1);
	}
	return atomic_load(&soak->phase) == SOAK_RUN;
}

pid_t soak_fork(struct soak *soak)
{
	pid_t pid = fork();

	if (pid == 0)
		alarm((unsigned int)patience(LIFE_MAX));
	else if (pid > 0)
		atomic_fetch_add(&soak->processes, 1);
	return pid;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t fill(union address *address, unsigned int number, uint16_t port)
{
	static const struct in6_addr any = IN6ADDR_ANY_INIT, loopback = IN6ADDR_LOOPBACK_INIT;

	*address = (union address){.any.sa_family = AF_UNSPEC};
	if (number % 4 < 2) {
		address->v4 = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = htons(port),
			.sin_addr.s_addr = htonl(number % 4 ? INADDR_ANY : INADDR_LOOPBACK),
		};
		return sizeof(address->v4);
	}
	address->v6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_port = htons(port),
		.sin6_addr = number % 4 == 2 ? loopback : any,
	};
	return sizeof(address->v6);
}

static int listen_on(const union address *address, socklen_t size)
{
	int on = 1, error, fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0 &&
	    bind(fd, &address->any, size) == 0 && listen(fd, 16) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int soak_listen(struct soak *soak, unsigned int number, uint16_t port)
{
	union address address;
	int fd = listen_on(&address, fill(&address, number, port));

	/* A host without IPv6 gets the IPv4 address. */
	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
		fd = listen_on(&address, fill(&address, number % 2, port));
	if (fd >= 0)
		atomic_fetch_add(&soak->listens, 1);
	return fd;
}

int soak_enter_netns(void)
{
	int result = unshare(CLONE_NEWNET);

	if (result < 0 && errno == EPERM)
		result = unshare(CLONE_NEWUSER | CLONE_NEWNET);
	return result < 0 ? -errno : loopback_up();
}
