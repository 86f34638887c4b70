/* SPDX-License-Identifier: MIT */
/* parse_text.h - parser of the text of /proc/net/tcp and /proc/net/tcp6 (proc_net(5);
 * get_openreq4() and its neighbours in net/ipv4/tcp_ipv4.c). Pure: no I/O, no allocation; usable in
 * a forked child. */
#ifndef PARSE_TEXT_H
#define PARSE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table/snapshot.h"

/* The longest line, without its newline, that can be a row. Lines of the kernel have 149 and about
 * 180 bytes. */
#define TCP_TABLE_LINE 512

struct tcp_table {
	listener_sink sink;
	void *data;
	int family;        /* AF_INET: /proc/net/tcp; AF_INET6: /proc/net/tcp6 */
	bool begun;        /* the first line, which may be the heading, was read */
	bool unsorted;     /* a listener came after a row of another state */
	bool overlong;     /* the line being collected exceeds the buffer: it will be rejected */
	uint64_t rows;     /* listeners accepted */
	uint64_t others;   /* rows of other states, which are passed over */
	uint64_t rejected; /* malformed rows, and listeners with port 0 or inode 0 */
	size_t used;
	char line[TCP_TABLE_LINE]; /* an incomplete line */
};

/* Starts a table. `sink` may be NULL to determine only the order of the rows. */
void tcp_table_init(struct tcp_table *table, int family, listener_sink sink, void *data);

/* Parses the next bytes, cut anywhere. The kernel's heading in the first line is skipped. A
 * malformed row is counted and left out. Linux lists the listeners first; other kernels need not,
 * so all rows are parsed. Returns 0, or the value that the sink returned: then the rest of the
 * bytes is lost. */
int tcp_table_feed(struct tcp_table *table, const char *bytes, size_t size);

/* Ends the table. A rest without a newline is a truncated row and is rejected, except after a row
 * of another state, where the read may have been ended intentionally. */
void tcp_table_end(struct tcp_table *table);

#endif
