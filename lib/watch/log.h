/* SPDX-License-Identifier: MIT */
/* log.h - messages to the log function of a watcher
 *
 * Only the monitor thread calls log functions, and without a lock. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "portwatch.h"
#include "util/failure.h"

#define LOG_TEXT 384

/* The log of one watcher. */
struct log {
	portwatch_log_callback callback; /* NULL: none */
	enum portwatch_log_level level;
	struct portwatch *watcher; /* these two are arguments of the callback */
	void *user_data;
	/* The last error or warning, LOG_TEXT bytes, guarded by the library's lock. It is stored
	 * even without a callback. NULL: not stored. */
	char *last;
	/* The most warnings at once; after them, one warning per second. A watched tree can cause
	 * any number of warnings, with namespaces or processes that cannot be read. */
	unsigned int warnings_max;
	unsigned int warnings; /* written since the allowance was full */
	uint64_t allowed;  /* CLOCK_MONOTONIC: the allowance has been refilled up to this time */
	uint64_t left_out; /* warnings left out since the last one that was written ... */
	uint64_t left_out_ever; /* ... and since the start */
};

/* Passes one formatted line to the callback. Bytes that are not printable become '?'. Warnings
 * beyond the allowance are left out and counted; the next warning includes their number. */
void log_write(struct log *log, enum portwatch_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Writes "cannot STEP: ERROR" into a buffer of LOG_TEXT bytes, and returns the buffer. */
const char *log_failure(const struct failure *failure, char text[LOG_TEXT]);

/* Returns which limit to raise, to be appended to the text, or "". */
const char *log_remedy(const struct failure *failure);

#endif
