/* SPDX-License-Identifier: MIT */
/* explain.h - on a terminal silence is explained
 *
 * One line says what is watched and how, another one that nothing listens yet. To know of ports
 * that --addresses hides, the watchers report all addresses, and the ports are hidden here. */
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
	bool enabled; /* standard error is a terminal, and nobody wants it quiet */
	bool counts;  /* ports that are hidden are counted: for lines, or for the table of --live */
	bool begun;   /* explain_begin() has said what is watched */
	bool idle;    /* it was said that nothing listens */
	int told;     /* the addresses that a line has named already, enum portwatch_addresses */
	size_t open;  /* ports that are shown */
	size_t hidden;
	int hidden_by;    /* the addresses that show all of these, enum portwatch_addresses */
	int64_t quiet_ms; /* when it is to be said that nothing listens; CLOCK_MONOTONIC */
};

void explain_init(struct explain *explain, const struct options *options);

/* Counts the port of an event. Returns whether the options hide the port; the first that is hidden
 * after the begin is reported. */
bool explain_hides(struct explain *explain, const struct format_fields *fields);

/* What was open at the start is known: says what is watched, by which way, and what is open. The
 * watcher is one of `count` that are started; the command is NULL where there is none. */
void explain_begin(struct explain *explain, struct portwatch *watcher, size_t count);

/* What is watched, and by which way, in words. */
#define EXPLAIN_LINE_MAX 512
void explain_watch(const struct options *options, struct portwatch *watcher, size_t count,
                   char line[EXPLAIN_LINE_MAX]);

/* Appends how many ports are hidden, and the option that shows them; nothing where none is. */
void explain_hidden(const struct explain *explain, struct text *text);

/* --once has listed what is open: says what else there is, or that there is nothing. */
void explain_listing(const struct explain *explain);

/* When explain_idle() has something to say; 0: never. */
int64_t explain_next(const struct explain *explain);

/* Says that nothing listens yet, if so and if it is time. */
void explain_idle(struct explain *explain, int64_t now_ms);

/* COMMAND has ended, or without `command` pwatch is about to end: says which of the processes that
 * COMMAND has started still run. */
void explain_rest(const struct explain *explain, const char *command);

#endif
