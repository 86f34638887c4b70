/* SPDX-License-Identifier: MIT */
/* tally.h - what runs of a scenario there were, counted over all processes that a test forks */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>

/* Before the first fork. */
void tally_open(void);

/* A run begins, by this name. It is to end before the deadline of all runs, or a signal ends the
 * process. */
void tally_begin(const char *name);
/* It has ended: which of the calls failed (-1: none), by which errno (0: a short transfer), and
 * whether the watcher started at once. */
void tally_end(int call, int error, bool started);

/* Tells of a run that has begun and not ended, in a process that has outlived it. */
void tally_tell_unfinished(void);
/* The sums, in one line without its end. */
void tally_report(void);

#endif
