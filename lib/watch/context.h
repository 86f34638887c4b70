/* SPDX-License-Identifier: MIT */
/* context.h - the objects that all files of this layer share, and flags for the monitor
 *
 * The lower layers use the context instead of the monitor. */
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
	struct notifier *notifier; /* NULL: no subscription wants it, or no descriptors are left */
	struct failure notifier_failure;        /* why it could not be opened */
	uint64_t stats[PORTWATCH_STAT_CPU + 1]; /* the figures that are counted, see info.c */

	/* Flags that any file may set. The monitor reads them in its next pass. */
	bool forked; /* new processes may exist: read the trees */
	bool exited; /* a member has exited: read the trees */
};

/* Whether the kernel reports events of this kind. */
static inline bool context_is_notified(const struct context *context, enum notifier_kind kind)
{
	return context->notifier && notifier_way(context->notifier, kind) != NOTIFIER_NONE;
}

#endif
