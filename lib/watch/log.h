/* SPDX-License-Identifier: MIT */
/* log.h - messages to the log function of a watcher
 *
 * The monitor thread alone calls log functions, without a lock. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "portwatch.h"
#include "util/failure.h"

#define LOG_TEXT 384

/* So many warnings come at once, and one a second after them: a watched tree can give rise to any
 * number, with namespaces or with processes that can't be read. */
#define LOG_WARNINGS_MAX 10

/* Where the messages about one watcher go. */
struct log {
	portwatch_log_callback callback; /* NULL: nowhere */
	enum portwatch_log_level level;
	struct portwatch *watcher; /* these two are handed to the callback */
	void *user_data;
	/* Of LOG_TEXT bytes, guarded by the library's lock: receives each error and warning,
	 * whether anybody wants messages or not. NULL: it is not kept. */
	char *last;
	unsigned int warnings; /* written since the allowance was whole */
	uint64_t allowed;      /* CLOCK_MONOTONIC: up to then the allowance has grown back */
	uint64_t left_out;     /* warnings, since the last that was written */
};

/* Sends one formatted line. Bytes that aren't printable become '?'. Warnings beyond the allowance
 * are left out and counted; the next one says how many. */
void log_write(struct log *log, enum portwatch_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "cannot STEP: ERROR" in words, into a buffer of LOG_TEXT bytes, which it returns. */
const char *log_failure(const struct failure *failure, char text[LOG_TEXT]);

/* Which limit to raise, to append to that, or "". */
const char *log_remedy(const struct failure *failure);

#endif
