/* SPDX-License-Identifier: MIT */
/* notified.h - the suites of behaviours, once for each way to be notified (tests/ways.sh)
 *
 * PORTWATCH_TEST_NOTIFIED names the way: all better ones are denied then. Where it reports
 * listen(2) nothing is polled, so that only its reports can lead to events. */
#ifndef NOTIFIED_H
#define NOTIFIED_H

#include <stdbool.h>

struct portwatch;

/* Before the first case: denies. False where that can't be. */
bool notified_begin(void);
/* Whether the environment names a way. */
bool notified_is_chosen(void);
/* The poll interval in ms. */
unsigned int notified_interval(unsigned int usual);
/* Asserts that a watcher that was started uses that way; where that doesn't work here, the case is
 * skipped. */
void notified_check(struct portwatch *watcher);

#endif
