/* SPDX-License-Identifier: MIT */
/* scenario.h - the short life of a watcher, during which one call may fail
 *
 * A process in our network namespace and its child in a namespace of its own hold ports. The
 * watcher is started. Ports are opened and closed in both namespaces. A helper is killed. A process
 * is forked and opens a port. The namespace ends. One more port is opened. The watcher is freed.
 * Time is accelerated (wrap_hasten()). */
#ifndef SCENARIO_H
#define SCENARIO_H

#include "collect.h"
#include "wrap.h"

struct scenario_fault {
	const char *call; /* NULL: none */
	enum wrap_where where;
	unsigned int nth;
	int way; /* wrap_errors.h */
};

/* Prepares the process, once, before the first run. All runs use this way. If the process may, it
 * enters a network namespace of its own whose tables, and whose children's tables, are small
 * (tcp_child_ehash_entries, ip-sysctl): reading the text of an empty table of the usual size takes
 * 10 ms. Lowered: the capabilities of the process become permitted but not effective, as with file
 * capabilities. The case is skipped if the process has no capabilities. */
void scenario_prepare(struct way way, bool lowered);

/* Runs the scenario and asserts, whatever call fails: a port that stays open is reported once and
 * never closed; a port that opens and closes is reported once each, also after the fault; if a
 * start fails, a later start succeeds; no descriptor, no child and no raised capability is left.
 * The counts of calls and of failures can be read until the next run. Returns whether the first
 * start succeeded. */
bool scenario_run(struct way way, const struct scenario_fault *fault);

#endif
