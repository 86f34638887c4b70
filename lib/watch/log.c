/* SPDX-License-Identifier: MIT */
/* log.c - messages to the log function of a watcher */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "table/step.h"
#include "util/clock.h"
#include "util/lock.h"
#include "watch/log.h"

/* Whether the log function receives messages of this level. */
static bool is_wanted(const struct log *log, enum portwatch_log_level level)
{
	return log->callback && level <= log->level;
}

/* Whether one more warning may be written now. */
static bool is_allowed(struct log *log)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);
	uint64_t grown = log->warnings ? (now - log->allowed) / NSEC_PER_SEC : 0;

	if (grown < log->warnings) {
		log->warnings -= (unsigned int)grown;
		log->allowed += grown * NSEC_PER_SEC;
	} else {
		log->warnings = 0;
		log->allowed = now;
	}
	if (log->warnings >= log->warnings_max) {
		log->left_out++;
		log->left_out_ever++;
		return false;
	}
	log->warnings++;
	return true;
}

/* Whether portwatch_get_error() reports messages of this level. */
static bool is_kept(const struct log *log, enum portwatch_log_level level)
{
	return log->last && level <= PORTWATCH_LOG_WARNING;
}

static void keep(struct log *log, const char *text)
{
	library_lock();
	snprintf(log->last, LOG_TEXT, "%s", text);
	library_unlock();
}

void log_write(struct log *log, enum portwatch_log_level level, const char *format, ...)
{
	char text[LOG_TEXT];
	va_list arguments;
	int length;

	if (!is_wanted(log, level) && !is_kept(log, level))
		return;
	if (level == PORTWATCH_LOG_WARNING && !is_allowed(log))
		return;
	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (level == PORTWATCH_LOG_WARNING && log->left_out > 0) {
		if (length > 0 && (size_t)length < sizeof(text))
			snprintf(text + length, sizeof(text) - (size_t)length,
			         " (%" PRIu64 " more warnings were left out before)",
			         log->left_out);
		log->left_out = 0;
	}
	for (char *byte = text; *byte; byte++)
		if ((unsigned char)*byte < 0x20 || (unsigned char)*byte >= 0x7f)
			*byte = '?';
	if (is_kept(log, level))
		keep(log, text);
	if (is_wanted(log, level))
		log->callback(log->watcher, level, text, log->user_data);
}

const char *log_remedy(const struct failure *failure)
{
	if (failure->error == EMFILE)
		return " (raise the limit of open files: RLIMIT_NOFILE, ulimit -n)";
	if (failure->error == ENFILE)
		return " (raise the system's limit of open files: sysctl fs.file-max)";
	if (failure->error == EAGAIN && failure->step == STEP_START_CHILD)
		return " (raise the limit of processes: RLIMIT_NPROC, ulimit -u, or pids.max of "
		       "the cgroup)";
	return "";
}

const char *log_failure(const struct failure *failure, char text[LOG_TEXT])
{
	/* strerror() shares one buffer among threads; the GNU name is static and needs no locale.
	 */
	snprintf(text, LOG_TEXT, "cannot %s: %s", failure->step ? failure->step : "read",
	         strerrordesc_np(failure->error) ? strerrordesc_np(failure->error)
	                                         : "unknown error");
	return text;
}
