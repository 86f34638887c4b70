/* SPDX-License-Identifier: MIT */
/* format.h - what an event looks like, as text for people and as JSON */
#ifndef FORMAT_H
#define FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "portwatch.h"

/* The longest text of a caller's own form. */
#define FORMAT_TEXT_MAX 1000

/* What such a text may hold, for messages. */
#define FORMAT_ALLOWED                                                                             \
	"up to 1000 bytes with {time}, {event}, {address}, {port}, {family}, {pid}, {process}, "   \
	"{owners}, {netns}, {inode}, {initial}, {id}, {{ for a brace, \\t, \\n and \\\\"

/* Whether a text may be the form of a line: names in braces stand for the values that the JSON has
 * by these keys, with "-" for null; "{{" and "}}" for a brace; \t, \n and \\ for what C makes of
 * them. Everything else stands for itself. */
bool format_is_valid(const char *format);

/* The longest line, newline included: what a pipe takes in one piece (PIPE_BUF), and more than any
 * event needs. */
#define FORMAT_LINE_MAX 4096

/* The most bytes of a process name that are printed: longer than the kernel's names, which have 15,
 * or up to 63 for its own threads. */
#define FORMAT_NAME_MAX 255

/* The most bytes of a command line that are shown. */
#define FORMAT_COMMAND_MAX 1000

/* One event. 0 or "" stands for what isn't known. */
struct format_fields {
	uint64_t realtime; /* nanoseconds */
	enum portwatch_event_kind kind;
	uint64_t id;
	int family;
	const char *address;
	unsigned int port;
	pid_t pid;
	const char *process;
	const char *command; /* its command line; NULL or "" where nobody has asked for it */
	unsigned int owners;
	uint64_t netns;
	uint64_t inode;
	bool initial;
};

struct format_style {
	bool json;
	const char *format; /* see format_is_valid(); or NULL. Not with json */
	bool colour;
	bool date;          /* text: before the time, for who reads it another day */
	bool processes;     /* text: command lines in the place of names */
	bool utf8;          /* text: the terminal shows UTF-8 */
	uint64_t own_netns; /* text: the network namespace that isn't worth a word */
};

/* Writes one line with its newline. Returns its length. */
size_t format_line(const struct format_fields *fields, const struct format_style *style,
                   char line[FORMAT_LINE_MAX]);

#endif
