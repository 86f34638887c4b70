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

/* The longest line, its newline apart, that can be a row. The kernel's have 149 and about 180. */
#define TCP_TABLE_LINE 512

struct tcp_table {
	listener_sink sink;
	void *data;
	int family;        /* AF_INET: /proc/net/tcp; AF_INET6: /proc/net/tcp6 */
	bool begun;        /* the first line, which may be the heading, is over */
	bool unsorted;     /* a listener came after a row of another state */
	bool overlong;     /* the line being collected exceeds the buffer: it will be rejected */
	uint64_t rows;     /* listeners accepted */
	uint64_t others;   /* rows of other states, which are passed over */
	uint64_t rejected; /* malformed rows, and listeners with port 0 or inode 0 */
	size_t used;
	char line[TCP_TABLE_LINE]; /* an incomplete line */
};

/* Begins a table. sink may be NULL to look only for the order of the rows. */
void tcp_table_init(struct tcp_table *table, int family, listener_sink sink, void *data);

/* Parses the next bytes, cut anywhere. A first line that is the kernel's heading is passed over. A
 * malformed row is counted and left out. Linux lists the listeners first; others need not, so all
 * rows are looked at. Returns 0, or what the sink returned; the rest of the bytes is lost then. */
int tcp_table_feed(struct tcp_table *table, const char *bytes, size_t size);

/* The table ends here. What is left without a newline is a truncated row and is rejected; but not
 * behind a row of another state, where the reading may have been ended on purpose. */
void tcp_table_end(struct tcp_table *table);

#endif
