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
	/* Options with these actions end the parsing. */
	OPTIONS_HELP,
	OPTIONS_VERSION,
};

enum options_colour {
	OPTIONS_COLOUR_AUTO, /* on a terminal */
	OPTIONS_COLOUR_ALWAYS,
	OPTIONS_COLOUR_NEVER,
};

/* A simple choice is an int, regardless of its type elsewhere, so that the table in options.c can
 * set it. */
struct options {
	int action; /* enum options_action */
	int json;
	int once;
	int live;
	int wait;               /* exit when a port is open */
	unsigned int wait_port; /* this port; 0: any of `ports` */
	unsigned int timeout;   /* milliseconds; 0: none */
	unsigned int settle;    /* milliseconds that a port must have been open; or 0 */
	struct values_ports ports;
	int processes;         /* command lines instead of names */
	const char *format;    /* see format.h; or NULL */
	int colour;            /* enum options_colour */
	unsigned int events;   /* bits of enum portwatch_event_kind */
	unsigned int interval; /* milliseconds; 0: adapted */
	int addresses;         /* enum portwatch_addresses */
	int scope;             /* enum portwatch_scope */
	int reader;            /* enum portwatch_reader */
	int table;             /* enum portwatch_table */
	int notify;
	int stats;
	int log_level;      /* enum portwatch_log_level */
	const char *output; /* a file name, "-" for standard output, or NULL */
	const char *exec;   /* a shell command for each event, or NULL */
	int fd;             /* a descriptor of the caller for the output; or -1 */
	pid_t *pids;        /* without duplicates, in the order given */
	size_t pid_count;
	char **command; /* terminated by NULL; or NULL */
};

/* The longest message of options_parse(). */
#define OPTIONS_ERROR_MAX 512

/* Parses the command line. Returns 0; -EINVAL with a text that explains what is wrong and what is
 * allowed, and that may contain bytes of the caller; -ENOMEM. The caller frees the options in any
 * case. Must not be called by two threads at once, because getopt_long(3) is not thread-safe. */
int options_parse(struct options *options, int argc, char **argv, char error[OPTIONS_ERROR_MAX]);
void options_free(struct options *options);

/* Writes the help text into `buffer`, as far as it fits, and returns its length. */
#define OPTIONS_HELP_MAX 8192
size_t options_help(char buffer[OPTIONS_HELP_MAX]);

#endif
