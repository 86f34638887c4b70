/* SPDX-License-Identifier: MIT */
/* dumps.c - the baseline of a read: two dumps of the listening sockets with the least code */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actor_commands.h"
#include "bench.h"
#include "samples.h"

#define BUFFER 32768

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

/* Returns whether a datagram ends a dump. */
static bool is_last(const char *bytes, ssize_t size)
{
	struct nlmsghdr header;

	for (ssize_t at = 0; at + (ssize_t)sizeof(header) <= size;) {
		memcpy(&header, bytes + at, sizeof(header));
		if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR)
			return true;
		if (header.nlmsg_len < sizeof(header))
			return true;
		at += NLMSG_ALIGN(header.nlmsg_len);
	}
	return size <= 0;
}

static void dump(int fd, int family)
{
	static char buffer[BUFFER];
	struct request request = {
		.header = {.nlmsg_len = sizeof(request),
	                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
	                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.sdiag_family = (uint8_t)family,
	                 .sdiag_protocol = IPPROTO_TCP,
	                 .idiag_states = 1 << TCP_LISTEN},
	};

	if (send(fd, &request, sizeof(request), 0) < 0)
		return;
	while (!is_last(buffer, recv(fd, buffer, sizeof(buffer), 0)))
		;
}

double dumps_measure(int count, uint64_t pause)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct samples samples = {.count = 0};

	if (fd < 0)
		return NAN;
	for (int i = 0; i < count; i++) {
		uint64_t before = clock_now(CLOCK_THREAD_CPUTIME_ID);

		dump(fd, AF_INET);
		dump(fd, AF_INET6);
		samples_add(&samples, seconds(clock_now(CLOCK_THREAD_CPUTIME_ID) - before));
		bench_sleep(pause);
	}
	close(fd);
	return samples_median(&samples);
}
