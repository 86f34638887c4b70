/* SPDX-License-Identifier: MIT */
/* message.h - messages of pwatch on standard error */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "portwatch.h"

/* Each function writes a line with one write(2), so that lines of several threads, and lines of
 * events on standard error, never mix. A line for which standard error has no room within a second
 * is dropped. */

/* The format of a file name or command from the command line. The word is cut so that the rest of
 * the message fits into the line. */
#define MESSAGE_NAME "%.200s"

/* Prints "pwatch: " and the message, in which all bytes except printable ASCII are escaped. */
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A portwatch_log_callback. The monitor thread calls it, so it never waits: a message for which
 * standard error has no room is dropped. */
void message_log(struct portwatch *watcher, enum portwatch_log_level level, const char *message,
                 void *user_data);

/* Writes complete lines unchanged. */
void message_lines(const char *lines, size_t length);

/* Holds messages back from now on, as far as there is room for them. Used while a watcher starts,
 * because pwatch reports a failure in one line of its own, and while a table is on the terminal,
 * because messages would spoil it. */
void message_hold(void);

/* Ends message_hold(): prints the messages that were held back, or drops them. */
void message_release(bool print);

/* Explains an error, a negative errno, that prevents pwatch from watching at all, and what to
 * do. */
const char *message_reason(int error);

#endif
