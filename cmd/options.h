/* SPDX-License-Identifier: MIT */
/* options.h - the command line of pwatch */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "portwatch.h"
#include "values.h"

enum options_action {
	OPTIONS_WATCH,
	OPTIONS_CHECK,
	/* These end the command line. */
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

enum options_colour {
	OPTIONS_COLOUR_AUTO, /* on a terminal */
	OPTIONS_COLOUR_ALWAYS,
	OPTIONS_COLOUR_NEVER,
};

/* What has a plain choice is an int, whatever its type elsewhere, for the table in options.c. */
struct options {
	int action; /* enum options_action */
	int json;
	int once;
	int live;
	int wait;               /* for a port that is open */
	unsigned int wait_port; /* that one; 0: any of `ports` */
	unsigned int timeout;   /* milliseconds; 0 where none was given */
	unsigned int settle;    /* milliseconds that a port must stay open; or 0 */
	struct values_ports ports;
	int processes;         /* command lines in the place of names */
	const char *format;    /* see format.h; or NULL */
	int colour;            /* enum options_colour */
	unsigned int events;   /* bits of enum portwatch_event_kind */
	unsigned int interval; /* milliseconds; 0 where none was given */
	int addresses;         /* enum portwatch_addresses */
	int scope;             /* enum portwatch_scope */
	int reader;            /* enum portwatch_reader */
	int table;             /* enum portwatch_table */
	int notify;
	int stats;
	int log_level;      /* enum portwatch_log_level */
	const char *output; /* a file name, "-" for standard output, or NULL */
	const char *exec;   /* a shell command for each event, or NULL */
	int fd;             /* a descriptor of the caller's for the output; or -1 */
	pid_t *pids;        /* each once, in the order given */
	size_t pid_count;
	char **command; /* ends with NULL; or NULL */
};

/* The longest message of options_parse(). */
#define OPTIONS_ERROR_MAX 512

/* Reads the command line. Returns 0; -EINVAL with a text that says what is wrong and what is
 * allowed, with the caller's own bytes in it; -ENOMEM. Free the options in any case. Not to be
 * called by two threads at once: getopt_long(3) isn't safe there. */
int options_parse(struct options *options, int argc, char **argv, char error[OPTIONS_ERROR_MAX]);
void options_free(struct options *options);

/* Writes the help text into buffer and returns its length; what doesn't fit is missing. */
#define OPTIONS_HELP_MAX 8192
size_t options_help(char buffer[OPTIONS_HELP_MAX]);

#endif
