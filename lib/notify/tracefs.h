/* SPDX-License-Identifier: MIT */
/* tracefs.h - what the kernel says of a tracepoint, in tracefs */
#ifndef TRACEFS_H
#define TRACEFS_H

#include <stddef.h>
#include <stdint.h>

/* Enough for any tracepoint that this library uses (inet_sock_set_state: 2 KiB). */
#define TRACEFS_FORMAT_MAX 8192

/* Reads the file format of the tracepoint ("sock/inet_sock_set_state") as NUL-terminated text. From
 * where tracefs usually is mounted, else from a mount of our own that nobody else sees and that is
 * gone before this returns. Returns the size or a negative errno, with *step set to what failed, as
 * in failure.h. */
int tracefs_read_format(const char *tracepoint, char *text, size_t size, const char **step);

/* Where a field lies in a raw sample. */
struct tracefs_field {
	uint16_t offset;
	uint16_t size;
};

/* Pure parsers of that text: 0, or -EPROTO where it isn't there or makes no sense. */
int tracefs_parse_id(const char *text, uint64_t *id);
int tracefs_parse_field(const char *text, const char *name, struct tracefs_field *field);

#endif
