/* SPDX-License-Identifier: MIT */
/* table_diag.c - dumps the listening sockets through a sock_diag(7) socket
 *
 * Nothing here waits: the kernel puts the first datagram of a dump into the queue before sendto(2)
 * returns, and the next one whenever one is taken out (net/netlink/af_netlink.c). */
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "raw.h"
#include "step.h"
#include "table_source.h"
#include "tcp_diag.h"

/* One datagram of the kernel. Returns its size or a negative errno: -EAGAIN where the kernel has
 * dropped one, where it is larger than the buffer, and where there is none. */
static long receive(struct table_source *source)
{
	for (;;) {
		struct sockaddr_nl from = {0};
		socklen_t size = sizeof(from);
		long got = raw_call(SYS_recvfrom, source->diag, source->buffer, TABLE_SOURCE_BUFFER,
		                    MSG_DONTWAIT | MSG_TRUNC, &from, &size);

		if (got == -EINTR || (got >= 0 && from.nl_pid != 0))
			continue;
		if (got == -ENOBUFS || got > TABLE_SOURCE_BUFFER)
			return -EAGAIN;
		return got;
	}
}

/* Reads away what is left of an earlier dump: while one runs the kernel begins no other. */
static void drain(struct table_source *source)
{
	uint64_t total = 0;
	long got;

	do {
		got = raw_call(SYS_recvfrom, source->diag, source->buffer, TABLE_SOURCE_BUFFER,
		               MSG_DONTWAIT, NULL, NULL);
		total += got > 0 ? (uint64_t)got : 0;
	} while ((got >= 0 || got == -EINTR || got == -ENOBUFS) && total < TABLE_SOURCE_MAX);
}

static int request(struct table_source *source, int family, uint32_t sequence)
{
	unsigned char bytes[TCP_DIAG_REQUEST_MAX];
	size_t size = tcp_diag_request(bytes, family, sequence);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	long sent;

	do {
		sent = raw_call(SYS_sendto, source->diag, bytes, size, 0, &kernel, sizeof(kernel));
	} while (sent == -EINTR);
	return sent < 0 ? (int)sent : 0;
}

/* Whether a datagram belongs to an earlier dump. */
static bool is_stale(const unsigned char *datagram, size_t size, uint32_t sequence)
{
	struct nlmsghdr header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, datagram, sizeof(header));
	return header.nlmsg_seq != sequence;
}

static int dump(struct table_source *source, int family, uint32_t sequence, table_sink sink,
                void *data)
{
	enum table_tag tag = family == AF_INET ? TABLE_DIAG_INET : TABLE_DIAG_INET6;
	uint64_t total = 0;
	struct tcp_diag diag;

	tcp_diag_init(&diag, family, sequence, NULL, NULL);
	while (!diag.done) {
		long got = receive(source);
		int error;

		if (got < 0)
			return (int)got;
		total += (uint64_t)got + 1;
		if (total > TABLE_SOURCE_MAX)
			return -E2BIG;
		if (is_stale(source->buffer, (size_t)got, sequence))
			continue;
		error = tcp_diag_feed(&diag, source->buffer, (size_t)got);
		if (error == 0)
			error = sink(data, tag, source->buffer, (size_t)got);
		if (error < 0)
			return error;
	}
	return 0;
}

int table_diag_read(struct table_source *source, uint32_t sequence, table_sink sink, void *data,
                    struct failure *failure)
{
	static const int families[2] = {AF_INET, AF_INET6};
	int error = 0;

	if (source->dirty)
		drain(source);
	source->dirty = true;
	for (int i = 0; i < 2 && error == 0; i++) {
		uint32_t number = table_source_sequence(sequence, families[i]);

		error = request(source, families[i], number);
		if (error == 0)
			error = dump(source, families[i], number, sink, data);
	}
	source->dirty = error != 0;
	if (error < 0)
		*failure = (struct failure){STEP_READ_DIAG, -error};
	return error;
}
