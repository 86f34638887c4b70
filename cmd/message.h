/* SPDX-License-Identifier: MIT */
/* message.h - what pwatch says about itself, on standard error */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "portwatch.h"

/* Everything here writes a line by one write(2), and drops what nobody reads within a second: lines
 * from several threads, and the lines of events where these go to standard error too, never mix. */

/* The format of a word of the caller's, a file name or a command: cut, so that what is the matter
 * with it has its place in the line. */
#define MESSAGE_NAME "%.200s"

/* "pwatch: " and the message, in which all that isn't printable ASCII is escaped. */
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A portwatch_log_callback. Called with locks of the library held: it never waits, a message that
 * standard error has no room for is dropped. */
void message_log(struct portwatch *watcher, enum portwatch_log_level level, const char *message,
                 void *user_data);

/* Lines that are complete, written as they are. */
void message_lines(const char *lines, size_t length);

/* From now on messages are held back, as far as there is room for them. While a watcher starts: if
 * it fails, pwatch says what is the matter in one line of its own. While a table is on the
 * terminal: they would be written into it. */
void message_hold(void);

/* Ends that: prints what was held back, or drops it. */
void message_release(bool print);

/* Why that error, a negative errno, keeps pwatch from watching at all, and what to do. */
const char *message_reason(int error);

#endif
