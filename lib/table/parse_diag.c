/* SPDX-License-Identifier: MIT */
/* parse_diag.c - requests for and parser of sock_diag(7) dumps of listening TCP sockets
 *
 * As the kernel (6.18) answers: a dump of AF_INET6 has only sockets of that family, the IPv4-mapped
 * ones among them. A listener of AF_INET6 carries INET_DIAG_SKV6ONLY whatever extensions were asked
 * for. A listener of MPTCP is in the dump of IPPROTO_TCP, as its first subflow, with the inode of
 * the socket that its process holds, so a request for TCP alone misses nothing.
 *
 * Data are copied from the datagram before they are used, because the datagram may be unaligned. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "util/failure.h"
#include "table/parse_diag.h"

/* The rest of a datagram, or of one message in it. */
struct span {
	const uint8_t *at;
	size_t size;
};

static bool span_get(struct span span, void *object, size_t size)
{
	if (span.size < size)
		return false;
	memcpy(object, span.at, size);
	return true;
}

/* Skips an item and its padding. The last item may lack its padding. */
static void span_skip(struct span *span, size_t size)
{
	size = NLMSG_ALIGN(size);
	if (size > span->size)
		size = span->size;
	span->at += size;
	span->size -= size;
}

static size_t request_both(unsigned char buffer[TCP_DIAG_REQUEST_MAX], uint32_t sequence)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req body;
	} request = {
		.header =
			{
				.nlmsg_len = sizeof(request),
				.nlmsg_type = TCPDIAG_GETSOCK,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
				.nlmsg_seq = sequence,
			},
		.body = {.idiag_states = 1u << TCP_LISTEN},
	};

	_Static_assert(sizeof(request) <= TCP_DIAG_REQUEST_MAX, "the request must fit");
	memcpy(buffer, &request, sizeof(request));
	return sizeof(request);
}

size_t tcp_diag_request(unsigned char buffer[TCP_DIAG_REQUEST_MAX], int family, uint32_t sequence)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
	} request = {
		.header =
			{
				.nlmsg_len = sizeof(request),
				.nlmsg_type = SOCK_DIAG_BY_FAMILY,
				.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
				.nlmsg_seq = sequence,
			},
		.body =
			{
				.sdiag_family = (uint8_t)family,
				.sdiag_protocol = IPPROTO_TCP,
				.idiag_states = 1u << TCP_LISTEN,
			},
	};

	_Static_assert(sizeof(request) <= TCP_DIAG_REQUEST_MAX, "the request must fit");
	if (family == AF_UNSPEC)
		return request_both(buffer, sequence);
	memcpy(buffer, &request, sizeof(request));
	return sizeof(request);
}

void tcp_diag_init(struct tcp_diag *diag, int family, uint32_t sequence, listener_sink sink,
                   void *data)
{
	*diag = (struct tcp_diag){
		.sink = sink,
		.data = data,
		.family = family,
		.sequence = sequence,
	};
}

/* Sets *v6only from its attribute, if present. Returns 0 or -EPROTO. */
static int parse_attributes(struct span span, int8_t *v6only)
{
	struct nlattr attribute;
	uint8_t value;

	while (span_get(span, &attribute, sizeof(attribute))) {
		if (attribute.nla_len < sizeof(attribute) || attribute.nla_len > span.size)
			return -EPROTO;
		if ((attribute.nla_type & NLA_TYPE_MASK) == INET_DIAG_SKV6ONLY) {
			if (attribute.nla_len < sizeof(attribute) + sizeof(value))
				return -EPROTO;
			memcpy(&value, span.at + sizeof(attribute), sizeof(value));
			*v6only = value != 0;
		}
		span_skip(&span, attribute.nla_len);
	}
	return 0;
}

static bool is_wanted(const struct tcp_diag *diag, const struct inet_diag_msg *row)
{
	if (diag->family == AF_UNSPEC)
		return row->idiag_family == AF_INET || row->idiag_family == AF_INET6;
	return row->idiag_family == diag->family;
}

static int parse_row(struct tcp_diag *diag, struct span span)
{
	struct inet_diag_msg row;
	struct listener listener = {.v6only = -1};
	int error;

	if (!span_get(span, &row, sizeof(row)))
		return -EPROTO;
	span_skip(&span, sizeof(row));
	error = parse_attributes(span, &listener.v6only);
	if (error != 0)
		return error;
	if (!is_wanted(diag, &row) || row.idiag_state != TCP_LISTEN || row.id.idiag_sport == 0 ||
	    row.idiag_inode == 0) {
		diag->rejected++;
		return 0;
	}
	listener_set_address(&listener, row.idiag_family, (const uint8_t *)row.id.idiag_src);
	listener.port = ntohs(row.id.idiag_sport);
	listener.inode = row.idiag_inode;
	listener.cookie = (uint64_t)row.id.idiag_cookie[1] << 32 | row.id.idiag_cookie[0];
	if (listener.family == AF_INET)
		listener.v6only = -1;
	diag->rows++;
	return diag->sink ? diag->sink(diag->data, &listener) : 0;
}

/* Parses the number at the beginning of NLMSG_ERROR and NLMSG_DONE: zero or a negative errno. */
static int parse_status(struct span span, int *status)
{
	if (!span_get(span, status, sizeof(*status)) || *status > 0 || *status < -ERRNO_MAX)
		return -EPROTO;
	return 0;
}

static int parse_end(struct tcp_diag *diag, struct span span)
{
	int status;

	if (parse_status(span, &status) != 0)
		return -EPROTO;
	diag->done = true;
	if (status != 0)
		return status;
	return diag->interrupted ? -EAGAIN : 0;
}

static int parse_error(struct tcp_diag *diag, struct span span)
{
	int status;

	/* Zero would be an acknowledgement, which was not requested. */
	if (parse_status(span, &status) != 0 || status == 0)
		return -EPROTO;
	diag->done = true;
	return status;
}

static int parse_message(struct tcp_diag *diag, const struct nlmsghdr *header, struct span body)
{
	if (header->nlmsg_seq != diag->sequence)
		return -EPROTO;
	if (header->nlmsg_flags & NLM_F_DUMP_INTR)
		diag->interrupted = true;
	switch (header->nlmsg_type) {
	case SOCK_DIAG_BY_FAMILY:
	case TCPDIAG_GETSOCK:
		return parse_row(diag, body);
	case NLMSG_DONE:
		return parse_end(diag, body);
	case NLMSG_ERROR:
		return parse_error(diag, body);
	case NLMSG_NOOP:
		return 0;
	case NLMSG_OVERRUN:
		return -ENOBUFS;
	default:
		return -EPROTO;
	}
}

int tcp_diag_feed(struct tcp_diag *diag, const void *datagram, size_t size)
{
	struct span span = {datagram, size};
	struct nlmsghdr header;
	struct span body;
	int error;

	do {
		if (!span_get(span, &header, sizeof(header)) || header.nlmsg_len < sizeof(header) ||
		    header.nlmsg_len > span.size)
			return -EPROTO;
		body.at = span.at + sizeof(header);
		body.size = header.nlmsg_len - sizeof(header);
		error = parse_message(diag, &header, body);
		span_skip(&span, header.nlmsg_len);
	} while (error == 0 && !diag->done && span.size > 0);
	return error;
}
