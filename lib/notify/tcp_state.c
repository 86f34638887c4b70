/* SPDX-License-Identifier: MIT */
/* tcp_state.c - the samples of the tracepoint sock:inet_sock_set_state */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "notify/tcp_state.h"

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

int state_format_read(struct state_format *format, const char **step)
{
	char text[TRACEFS_FORMAT_MAX];
	int result = tracefs_read_format("sock/inet_sock_set_state", text, sizeof(text), step);

	if (result < 0)
		return result;
	*step = "understand the tracepoint's format (tracefs)";
	return state_format_parse(format, text);
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

int state_change_decode(const struct state_format *format, const struct perf_record *record,
                        struct tcp_change *change)
{
	struct perf_sample sample;
	int i;

	if (perf_record_sample(record, &sample) < 0)
		return -EBADMSG;
	for (i = 0; i < STATE_FIELDS; i++)
		if (format->fields[i].offset + format->fields[i].size > sample.raw_size)
			return -EBADMSG;
	*change = (struct tcp_change){
		.pid = sample.pid > 0 ? sample.pid : 0,
		.tid = sample.tid > 0 ? sample.tid : 0,
		.time = record->time,
	};
	decode_fields(format->fields, sample.raw, change);
	return 0;
}
