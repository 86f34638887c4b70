/* SPDX-License-Identifier: MIT */
/* tcp_tracepoint.h - the tracepoint sock:inet_sock_set_state as the source of reports
 *
 * The kernel does not promise the layout of the samples, so the layout is read from tracefs each
 * time. */
#ifndef TCP_TRACEPOINT_H
#define TCP_TRACEPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "notify/tcp_state.h"

/* The tracepoint sock:inet_sock_set_state with a filter. Needs CAP_PERFMON or CAP_SYS_ADMIN, and
 * the right to read tracefs: CAP_DAC_READ_SEARCH unless root, CAP_SYS_ADMIN where it is not
 * mounted. */
int tcp_tracepoint_open(struct tcp_source **source, const char **step);

/* Whether the kernel protects its memory from root (lockdown=confidentiality), as far as this
 * process can see. In this case all tracing is refused. */
bool lockdown_is_confidential(void);

/* --- the description of a tracepoint in tracefs --- */

/* Sufficient for every tracepoint that this library uses (inet_sock_set_state: 2 KiB). */
#define TRACEFS_FORMAT_MAX 8192

/* Reads the file format of the tracepoint ("sock/inet_sock_set_state") as NUL-terminated text.
 * Reads it where tracefs is usually mounted, or else from a private mount that ends before the
 * function returns. Returns the size or a negative errno, with *step set to what failed, as in
 * failure.h. */
int tracefs_read_format(const char *tracepoint, char *text, size_t size, const char **step);

/* The position of a field in a raw sample. */
struct tracefs_field {
	uint16_t offset;
	uint16_t size;
};

/* Pure parsers of the text: 0, or -EPROTO if the item is missing or invalid. */
int tracefs_parse_id(const char *text, uint64_t *id);
int tracefs_parse_field(const char *text, const char *name, struct tracefs_field *field);

/* --- the format and the samples of the tracepoint --- */

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

/* Parses the format from the text of tracefs. Returns 0 or -EPROTO. */
int state_format_parse(struct state_format *format, const char *text);

/* Decodes the raw data of a sample. Returns 0 or -EBADMSG. */
int state_format_decode(const struct state_format *format, const struct perf_sample *sample,
                        struct tcp_change *change);

#endif
