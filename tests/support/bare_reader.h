/* SPDX-License-Identifier: MIT */
/* bare_reader.h - a reader with nothing open, and the bytes of a real table */
#ifndef BARE_READER_H
#define BARE_READER_H

#include "table/reader_ops.h"

/* Makes a reader of these kinds of tables, which the test opens itself. */
struct reader *bare_reader_new(const struct reader_ops *ops, enum portwatch_table table);
/* Begins a table of the reader's form, as reader_request() does. */
void bare_reader_begin(struct reader *reader);
/* Closes a reader that has no child. */
void bare_reader_free(struct reader *reader);

/* The pieces of a table, in their order. */
struct table_bytes {
	size_t count;
	struct {
		enum table_tag tag;
		size_t size;
		unsigned char *bytes; /* malloc()ed */
	} pieces[8];
};

/* Reads the table of the calling thread's network namespace from the kernel, in this form and with
 * this sequence; by_family: with a dump of its own for each family, as older kernels need. Skips
 * the case if the kernel has no such table. */
void table_bytes_read(struct table_bytes *table, enum portwatch_table form, uint32_t sequence,
                      bool by_family);
void table_bytes_free(struct table_bytes *table);

/* Opens a listening socket on 127.0.0.1 (AF_INET) or ::1. Returns the descriptor and sets the
 * port. */
int listen_on_loopback(int family, uint16_t *port);

#endif
