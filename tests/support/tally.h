/* SPDX-License-Identifier: MIT */
/* tally.h - counts the runs of a scenario over all processes that a test forks */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>

/* To be called before the first fork. */
void tally_open(void);

/* Begins a run with this name. If the run does not end before the deadline of all runs, a signal
 * ends the process. */
void tally_begin(const char *name);
/* Ends a run: which of the calls failed (-1: none), the errno (0: a short transfer), and whether
 * the first start of the watcher succeeded. */
void tally_end(int call, int error, bool started);

/* Reports a run that has begun and not ended, from a process that has survived the run's process.
 */
void tally_report_unfinished(void);
/* Prints the sums in one line without a newline. */
void tally_report(void);

#endif
