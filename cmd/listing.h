/* SPDX-License-Identifier: MIT */
/* listing.h - the open ports, as a table */
#ifndef LISTING_H
#define LISTING_H

#include <stdbool.h>
#include <stddef.h>

#include "format.h"

struct listing_row;

/* The open ports, each once. */
struct listing {
	struct listing_row **rows; /* in the order of their ids */
	size_t count, size;
};

/* Applies an event: adds a port, changes its owner, or removes it. Returns 0 or -ENOMEM. */
int listing_take(struct listing *listing, const struct format_fields *fields);

/* The command line of the owner of a port, valid until the next event; "" if the row has none. */
const char *listing_command(const struct listing *listing, const struct format_fields *fields);

void listing_free(struct listing *listing);

/* Writes the ports to `sorted` in display order: by port number, family, address and namespace.
 * `sorted` has room for listing->count elements, which are valid until the next event. */
void listing_sort(const struct listing *listing, const struct format_fields **sorted);

/* The widths of the columns in characters; 0 for a column that is not shown. */
struct listing_columns {
	size_t address, pid, process, netns;
};

/* Computes the column widths for these rows. */
void listing_measure(const struct format_fields *const *rows, size_t count,
                     const struct format_style *style, struct listing_columns *columns);

/* These functions write one line of the table without a newline. The line is cut at `width`
 * characters, but never within the address; 0: not cut. They return the length in bytes. */
size_t listing_header(const struct listing_columns *columns, size_t width,
                      char line[FORMAT_LINE_MAX]);
size_t listing_line(const struct format_fields *fields, const struct listing_columns *columns,
                    const struct format_style *style, size_t width, char line[FORMAT_LINE_MAX]);

#endif
