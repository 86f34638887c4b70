/* SPDX-License-Identifier: MIT */
/* log.c - messages to the log function of a watcher */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "watch/log.h"

bool log_wanted(const struct log *log, enum portwatch_log_level level)
{
	return log->callback && level <= log->level;
}

void log_write(const struct log *log, enum portwatch_log_level level, const char *format, ...)
{
	char text[LOG_TEXT];
	va_list arguments;

	if (!log_wanted(log, level))
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (char *byte = text; *byte; byte++)
		if ((unsigned char)*byte < 0x20 || (unsigned char)*byte >= 0x7f)
			*byte = '?';
	log->callback(log->watcher, level, text, log->user_data);
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
