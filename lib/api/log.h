/* SPDX-License-Identifier: MIT */
/* log.h - messages to the log function of a watcher */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

#include "util/failure.h"
#include "portwatch.h"

#define LOG_TEXT 384

/* Whether a message of this level would reach anybody. */
bool log_wanted(const struct portwatch *watcher, enum portwatch_log_level level);

/* Sends one formatted line. Bytes that aren't printable become '?'. */
void log_write(struct portwatch *watcher, enum portwatch_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "cannot STEP: ERROR" in words, into a buffer of LOG_TEXT bytes, which it returns. */
const char *log_failure(const struct failure *failure, char text[LOG_TEXT]);

#endif
