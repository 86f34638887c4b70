/* SPDX-License-Identifier: MIT */
/* notified.h - runs the suites of behaviours with one notifier mechanism (tests/ways.sh)
 *
 * PORTWATCH_TEST_NOTIFIED names the mechanism. All better mechanisms are denied. If the mechanism
 * reports listen(2), the library does not poll, so only reports of the mechanism lead to events. */
#ifndef NOTIFIED_H
#define NOTIFIED_H

#include <stdbool.h>

struct portwatch;

/* Denies the better mechanisms before the first case. Returns false if they cannot be denied. */
bool notified_begin(void);
/* Returns whether the environment names a mechanism. */
bool notified_is_chosen(void);
/* Returns the poll interval in ms. */
unsigned int notified_interval(unsigned int usual);
/* Asserts that a watcher that was started uses the mechanism. Skips the case if the mechanism does
 * not work on this machine. */
void notified_check(struct portwatch *watcher);

#endif
