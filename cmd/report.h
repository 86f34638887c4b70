/* SPDX-License-Identifier: MIT */
/* report.h - the report of --check, as text and as JSON */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

enum topic {
	TOPIC_RESULT,
	TOPIC_PRIVILEGE,
	TOPIC_NAMESPACE,
	TOPIC_NOTIFIER,
	TOPIC_MISSING,
	TOPIC_GRANT,
};

/* More than a complete report needs. Lines that do not fit are left out as a whole. */
#define REPORT_TEXT_MAX 32768

struct report {
	bool json;
	bool begun;
	enum topic topic; /* of the last line */
	struct text text;
	char buffer[REPORT_TEXT_MAX];
};

void report_init(struct report *report, bool json);

/* Adds one line of JSON, or one line of text below the headline of its topic. The note may be
 * empty. Untrusted bytes are escaped here, and a string that is much too long ends in "...". */
void report_add(struct report *report, enum topic topic, const char *name, const char *value,
                const char *note);

#endif
