/* SPDX-License-Identifier: MIT */
/* format.h - formats events, as text and as JSON */
#ifndef FORMAT_H
#define FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "portwatch.h"

/* The longest text of --format. */
#define FORMAT_TEXT_MAX 1000

/* What the text may contain, for messages. */
#define FORMAT_ALLOWED                                                                             \
	"up to 1000 bytes with {time}, {event}, {address}, {port}, {family}, {pid}, {process}, "   \
	"{owners}, {netns}, {inode}, {initial}, {id}, {{ for a brace, \\t, \\n and \\\\"

/* Whether a text is a valid value of --format. Names in braces stand for the values of these keys
 * in the JSON, with "-" for null. "{{" and "}}" are braces; \t, \n and \\ mean the same as in C.
 * All other characters stand for themselves. */
bool format_is_valid(const char *format);

/* The longest line, including its newline. A pipe accepts a line of this length in one piece
 * (PIPE_BUF), and no event needs more. */
#define FORMAT_LINE_MAX 4096

/* The most bytes of a process name that are printed. Names of the kernel have at most 15 bytes, or
 * 63 for kernel threads. */
#define FORMAT_NAME_MAX 255

/* The most bytes of a command line that are shown. */
#define FORMAT_COMMAND_MAX 1000

/* One event. 0 or "" stands for an unknown value. */
struct format_fields {
	uint64_t realtime; /* nanoseconds */
	enum portwatch_event_kind kind;
	uint64_t id;
	int family;
	const char *address;
	unsigned int port;
	pid_t pid;
	const char *process;
	const char *command; /* its command line; NULL or "" unless command lines are shown */
	unsigned int owners;
	uint64_t netns;
	uint64_t inode;
	bool initial;
};

struct format_style {
	bool json;
	const char *format; /* see format_is_valid(); or NULL. Not with json */
	bool colour;
	bool date;          /* text: the date before the time, for readers on a later day */
	bool processes;     /* text: command lines instead of names */
	bool utf8;          /* text: the terminal shows UTF-8 */
	uint64_t own_netns; /* text: the network namespace of pwatch, which is not printed */
};

/* Writes one line with its newline. Returns its length. */
size_t format_line(const struct format_fields *fields, const struct format_style *style,
                   char line[FORMAT_LINE_MAX]);

#endif
