/* SPDX-License-Identifier: MIT */
/* printer.h - prints events */
#ifndef PRINTER_H
#define PRINTER_H

#include <stdbool.h>

#include "explain.h"
#include "format.h"
#include "hook.h"
#include "listing.h"
#include "options.h"
#include "output.h"
#include "overlap.h"
#include "settle.h"

struct printer {
	const struct options *options;
	struct explain *explain;
	struct format_style style;
	struct output output;
	struct overlap overlap;
	struct settle settle;
	struct listing listing; /* the open ports, for --once, --live and command lines */
	/* The command line of the owner in the event that is printed, and whose it is. */
	char command[FORMAT_COMMAND_MAX + 1];
	pid_t command_pid;
	uint64_t command_start;
	struct hook *hook;
	bool failed; /* a write has failed, except because the reader has gone */
};

/* Opens the output that the options name; by default standard output, or standard error with
 * COMMAND. A failure is reported in one line on standard error. Returns 0 or a negative errno. */
int printer_open(struct printer *printer, const struct options *options, struct explain *explain,
                 struct hook *hook);

/* Prints the event of a watcher if the options select it, and queues it for the command of --exec.
 */
void printer_event(struct printer *printer, const struct portwatch *watcher,
                   const struct portwatch_event *event);

/* Prints the open ports in order, for --once. Returns their number, or -ENOMEM. */
int printer_list(struct printer *printer);

/* Prints the ports that have been open for the time of --settle. */
void printer_settle(struct printer *printer);

/* Prints the event unconditionally. */
void printer_print(struct printer *printer, const struct portwatch_event *event);

/* Whether the options select this port: --ports, and --addresses if the watchers report all
 * addresses. */
bool printer_wants_port(struct printer *printer, const struct portwatch_event *event);

/* Writes pending lines without waiting. `gone`: the reader has gone. */
void printer_flush(struct printer *printer, bool gone);

/* Whether the output is open. After it has closed, all lines are dropped. */
bool printer_is_open(const struct printer *printer);

void printer_close(struct printer *printer);

#endif
