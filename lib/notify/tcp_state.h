/* SPDX-License-Identifier: MIT */
/* tcp_state.h - the samples of the tracepoint sock:inet_sock_set_state
 *
 * How the kernel lays them out is no promise of its: it is read from tracefs each time. */
#ifndef TCP_STATE_H
#define TCP_STATE_H

#include <stdint.h>

#include "notify/notifier.h"
#include "notify/perf.h"
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

/* TCP alone (6), sockets that start listening (10) or go from there to closed (7), which is the
 * only way out. Not all that leave it: each connection that a listener accepts begins as its copy,
 * and so "leaves" that state as well. MPTCP listens on a TCP socket, which is what the tables show.
 */
#define STATE_FILTER "protocol == 6 && (newstate == 10 || (oldstate == 10 && newstate == 7))"

/* Asks the kernel. 0 or a negative errno with *step set. */
int state_format_read(struct state_format *format, const char **step);

/* Takes the format from the text of tracefs. Pure. 0 or -EPROTO. */
int state_format_parse(struct state_format *format, const char *text);

/* Reads a PERF_RECORD_SAMPLE. 0 or -EBADMSG. */
int state_change_decode(const struct state_format *format, const struct perf_record *record,
                        struct tcp_change *change);

#endif
