/* SPDX-License-Identifier: MIT */
/* listing.h - the ports that are open, as a table */
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

/* Takes an event: adds a port, changes its owner, or removes it. 0 or -ENOMEM. */
int listing_take(struct listing *listing, const struct format_fields *fields);

/* The command line of the owner of a port, as far as its row has it: valid until the next event; ""
 * where it isn't known. */
const char *listing_command(const struct listing *listing, const struct format_fields *fields);

void listing_free(struct listing *listing);

/* The ports in the order in which they are shown: by port number, family, address and namespace.
 * Valid until the next event; `sorted` has room for listing->count of them. */
void listing_sort(const struct listing *listing, const struct format_fields **sorted);

/* How wide the columns are, in characters; 0 for one that isn't shown. */
struct listing_columns {
	size_t address, pid, process, netns;
};

/* Makes the columns as wide as these rows need. */
void listing_measure(const struct format_fields *const *rows, size_t count,
                     const struct format_style *style, struct listing_columns *columns);

/* Write one line of the table, without a newline, cut at `width` characters but never within the
 * address; 0: as long as it is. Return its length in bytes. */
size_t listing_header(const struct listing_columns *columns, size_t width,
                      char line[FORMAT_LINE_MAX]);
size_t listing_line(const struct format_fields *fields, const struct listing_columns *columns,
                    const struct format_style *style, size_t width, char line[FORMAT_LINE_MAX]);

#endif
