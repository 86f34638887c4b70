/* SPDX-License-Identifier: MIT */
/* tcp_tracepoint.h - the samples of the tracepoint sock:inet_sock_set_state
 *
 * How the kernel lays them out is no promise of its: it is read from tracefs each time. Pure. */
#ifndef TCP_TRACEPOINT_H
#define TCP_TRACEPOINT_H

#include <stdint.h>

#include "notify/tcp_state.h"
#include "notify/tracefs.h"

enum state_field {
	STATE_SOCKET,
	STATE_NEW,
	STATE_PORT,
	STATE_FAMILY,
	STATE_ADDRESS,
	STATE_ADDRESS6,
	STATE_FIELDS
};

struct state_format {
	uint64_t id; /* of the tracepoint */
	struct tracefs_field fields[STATE_FIELDS];
};

/* Takes the format from the text of tracefs. 0 or -EPROTO. */
int state_format_parse(struct state_format *format, const char *text);

/* Reads the raw data of a sample. 0 or -EBADMSG. */
int state_format_decode(const struct state_format *format, const struct perf_sample *sample,
                        struct tcp_change *change);

#endif
