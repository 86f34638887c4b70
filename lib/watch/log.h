/* SPDX-License-Identifier: MIT */
/* log.h - messages to the log function of a watcher
 *
 * The monitor thread alone calls log functions, without a lock. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>

#include "portwatch.h"
#include "util/failure.h"

#define LOG_TEXT 384

/* Where the messages about one watcher go. */
struct log {
	portwatch_log_callback callback; /* NULL: nowhere */
	enum portwatch_log_level level;
	struct portwatch *watcher; /* these two are handed to the callback */
	void *user_data;
};

/* Whether a message of this level would reach anybody. */
bool log_wanted(const struct log *log, enum portwatch_log_level level);

/* Sends one formatted line. Bytes that aren't printable become '?'. */
void log_write(const struct log *log, enum portwatch_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "cannot STEP: ERROR" in words, into a buffer of LOG_TEXT bytes, which it returns. */
const char *log_failure(const struct failure *failure, char text[LOG_TEXT]);

#endif
