/* SPDX-License-Identifier: MIT */
/* context.h - what all that the monitor owns works with, and the news for the monitor
 *
 * The lower layers know this instead of the monitor. */
#ifndef CONTEXT_H
#define CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "notify/notifier.h"
#include "portwatch.h"
#include "proc/process_tree.h"
#include "proc/procfs.h"
#include "util/failure.h"
#include "util/loop.h"

struct context {
	struct loop loop;
	struct procfs procfs;
	struct process_table *processes;
	struct notifier *notifier;       /* NULL: nobody wants it, or there is no room for it */
	struct failure notifier_failure; /* why there is none */
	uint64_t stats[PORTWATCH_STAT_CPU + 1]; /* those that are counted, see info.c */

	/* News: anybody sets these, and the monitor looks at its next turn. */
	bool forked; /* processes may have come: read the trees */
	bool exited; /* a member has exited: read the trees */
};

/* Whether the kernel reports that. */
static inline bool context_is_notified(const struct context *context, enum notifier_kind kind)
{
	return context->notifier && notifier_way(context->notifier, kind) != NOTIFIER_NONE;
}

#endif
