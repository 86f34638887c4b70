/* SPDX-License-Identifier: MIT */
/* tcp_tracepoint.c - the tracepoint sock:inet_sock_set_state as the source of reports */
#include <errno.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "notify/tcp_tracepoint.h"

/* TCP alone (6), sockets that start listening (10) or go from there to closed (7), which is the
 * only way out. Not all that leave it: each connection that a listener accepts begins as its copy,
 * and so "leaves" that state as well. MPTCP listens on a TCP socket, which is what the tables show.
 */
#define FILTER "protocol == 6 && (newstate == 10 || (oldstate == 10 && newstate == 7))"

/* size 0: a number of 1, 2, 4 or 8 bytes. */
static const struct {
	const char *name;
	uint16_t size;
} wanted[STATE_FIELDS] = {
	[STATE_SOCKET] = {"skaddr", 0}, [STATE_NEW] = {"newstate", 0},
	[STATE_PORT] = {"sport", 0},    [STATE_FAMILY] = {"family", 0},
	[STATE_ADDRESS] = {"saddr", 4}, [STATE_ADDRESS6] = {"saddr_v6", 16},
};

static bool size_fits(uint16_t size, uint16_t expected)
{
	if (expected)
		return size == expected;
	return size == 1 || size == 2 || size == 4 || size == 8;
}

int state_format_parse(struct state_format *format, const char *text)
{
	int i;

	if (tracefs_parse_id(text, &format->id) < 0)
		return -EPROTO;
	for (i = 0; i < STATE_FIELDS; i++) {
		struct tracefs_field *field = &format->fields[i];

		if (tracefs_parse_field(text, wanted[i].name, field) < 0 ||
		    !size_fits(field->size, wanted[i].size) ||
		    field->offset + field->size > PERF_RECORD_MAX)
			return -EPROTO;
	}
	return 0;
}

static uint64_t number(const uint8_t *from, uint16_t size)
{
	union {
		uint8_t one;
		uint16_t two;
		uint32_t four;
		uint64_t eight;
	} value;

	memcpy(&value, from, size);
	switch (size) {
	case 1:
		return value.one;
	case 2:
		return value.two;
	case 4:
		return value.four;
	default:
		return value.eight;
	}
}

static void decode_fields(const struct tracefs_field *fields, const uint8_t *raw,
                          struct tcp_change *change)
{
	uint64_t values[STATE_ADDRESS];
	const struct tracefs_field *address = &fields[STATE_ADDRESS];
	int i;

	for (i = 0; i < STATE_ADDRESS; i++)
		values[i] = number(raw + fields[i].offset, fields[i].size);
	if (values[STATE_FAMILY] == AF_INET6)
		address = &fields[STATE_ADDRESS6];
	change->listening = values[STATE_NEW] == TCP_LISTEN;
	change->family = (int)values[STATE_FAMILY];
	change->port = (uint16_t)values[STATE_PORT];
	change->socket = values[STATE_SOCKET];
	memcpy(change->address, raw + address->offset, address->size);
}

int state_format_decode(const struct state_format *format, const struct perf_sample *sample,
                        struct tcp_change *change)
{
	for (int i = 0; i < STATE_FIELDS; i++)
		if (format->fields[i].offset + format->fields[i].size > sample->raw_size)
			return -EBADMSG;
	decode_fields(format->fields, sample->raw, change);
	return 0;
}

/* --- the source */

struct tcp_tracepoint {
	struct tcp_source source; /* first */
	struct state_format format;
};

static int connect_event(struct tcp_source *source, int event, unsigned int cpu, const char **step)
{
	(void)source, (void)cpu;
	*step = "filter the tracepoint (PERF_EVENT_IOC_SET_FILTER)";
	return ioctl(event, PERF_EVENT_IOC_SET_FILTER, FILTER) < 0 ? -errno : 0;
}

static int decode(const struct tcp_source *source, const struct perf_sample *sample,
                  struct tcp_change *change)
{
	return state_format_decode(&((const struct tcp_tracepoint *)source)->format, sample,
	                           change);
}

static void close_source(struct tcp_source *source)
{
	free(source);
}

static int read_format(struct state_format *format, const char **step)
{
	char text[TRACEFS_FORMAT_MAX];
	int result = tracefs_read_format("sock/inet_sock_set_state", text, sizeof(text), step);

	if (result < 0)
		return result;
	*step = "understand the tracepoint's format (tracefs)";
	return state_format_parse(format, text);
}

int tcp_tracepoint_open(struct tcp_source **source, const char **step)
{
	static const struct tcp_source_ops ops = {connect_event, NULL, NULL, decode, close_source};
	struct tcp_tracepoint *made = calloc(1, sizeof(*made));
	int error;

	*step = "make room for a tracepoint (malloc)";
	if (!made)
		return -ENOMEM;
	error = read_format(&made->format, step);
	if (error < 0) {
		free(made);
		return error;
	}
	made->source = (struct tcp_source){&ops, PERF_TYPE_TRACEPOINT, made->format.id};
	*source = &made->source;
	return 0;
}
