/* SPDX-License-Identifier: MIT */
/* explain.h - explains on a terminal why nothing is printed
 *
 * The first line says what is watched and how; a later one that nothing listens yet. To count the
 * ports that --addresses hides, the watchers report all addresses, and this module hides the
 * ports. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"
#include "options.h"
#include "portwatch.h"
#include "text.h"

struct explain {
	const struct options *options;
	bool enabled; /* standard error is a terminal, and --quiet was not given */
	bool counts;  /* hidden ports are counted, for lines or for the table of --live */
	bool begun;   /* explain_begin() has printed what is watched */
	bool idle;    /* explain_idle() has printed that nothing listens */
	int named;    /* the widest addresses that a line has named, enum portwatch_addresses */
	size_t open;  /* ports that are shown */
	size_t hidden;
	int hidden_by;    /* the addresses that show all hidden ports, enum portwatch_addresses */
	int64_t quiet_ms; /* when to print that nothing listens; CLOCK_MONOTONIC */
};

void explain_init(struct explain *explain, const struct options *options);

/* Counts the port of an event. Returns whether the options hide the port. Prints a line for the
 * first port that is hidden after explain_begin(). */
bool explain_hides(struct explain *explain, const struct format_fields *fields);

/* Prints what is watched, by which mechanism, and how many ports are open. Called once the ports
 * that were open at the start are known. `watcher` is one of `count` that have started. */
void explain_begin(struct explain *explain, struct portwatch *watcher, size_t count);

/* Writes what is watched, and by which mechanism. */
#define EXPLAIN_LINE_MAX 512
void explain_watch(const struct options *options, struct portwatch *watcher, size_t count,
                   char line[EXPLAIN_LINE_MAX]);

/* Appends how many ports are hidden, and the option that shows them; nothing if none is hidden. */
void explain_hidden(const struct explain *explain, struct text *text);

/* Prints how many ports are hidden, or that no port is open. Called after the listing of --once. */
void explain_listing(const struct explain *explain);

/* When explain_idle() has something to print; 0: never. */
int64_t explain_next(const struct explain *explain);

/* Prints that nothing listens yet, if that is so and the time has come. */
void explain_idle(struct explain *explain, int64_t now_ms);

/* Prints which processes that COMMAND has started still run. Called after COMMAND has ended and,
 * with NULL as `command`, before pwatch ends. */
void explain_rest(const struct explain *explain, const char *command);

#endif
