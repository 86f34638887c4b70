/* SPDX-License-Identifier: MIT */
/* report.h - what --check finds, as text for people and as JSON */
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

/* More than all findings need; of what doesn't fit whole lines are left out. */
#define FINDINGS_TEXT_MAX 32768

struct report {
	bool json;
	bool begun;
	enum topic topic; /* of the last finding */
	struct text text;
	char buffer[FINDINGS_TEXT_MAX];
};

void report_init(struct report *report, bool json);

/* Adds one finding: one line of JSON, or of text below the headline of its topic. The note may be
 * empty. Bytes of strangers are escaped here, and what is much too long ends in "...". */
void report_add(struct report *report, enum topic topic, const char *name, const char *value,
                const char *note);

#endif
