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
	struct listing listing; /* what is open, where command lines are shown, and of --once */
	char command[FORMAT_COMMAND_MAX + 1]; /* of the event that is printed */
	struct hook *hook;
	bool failed; /* output could not be written; a reader that has gone is no failure */
};

/* Opens what the options name, or takes standard output, or standard error where there is a
 * COMMAND. What fails is reported in one line on standard error. 0 or a negative errno. */
int printer_open(struct printer *printer, const struct options *options, struct explain *explain,
                 struct hook *hook);

/* Prints the event of a watcher if the options want it, and has the command of --exec run for it.
 */
void printer_event(struct printer *printer, const struct portwatch *watcher,
                   const struct portwatch_event *event);

/* --once: the events so far were what is open; prints it, in order. Returns how many ports that
 * are, or -ENOMEM. */
int printer_list(struct printer *printer);

/* Prints what has stayed open for long enough. */
void printer_settle(struct printer *printer);

/* Prints the event in any case. */
void printer_print(struct printer *printer, const struct portwatch_event *event);

/* Whether the options want this port: --ports, and --addresses where the watchers report all. */
bool printer_wants_port(struct printer *printer, const struct portwatch_event *event);

/* Writes what is pending as far as it goes without waiting. `gone`: nobody reads any more. */
void printer_flush(struct printer *printer, bool gone);

/* Whether more can be printed. Once it can't, all output was dropped. */
bool printer_is_open(const struct printer *printer);

void printer_close(struct printer *printer);

#endif
