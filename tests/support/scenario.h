/* SPDX-License-Identifier: MIT */
/* scenario.h - a short life of a watcher, in which one call may fail
 *
 * A process in our network namespace and its child in one of its own hold ports. The watcher is
 * started; ports are opened and closed in both; a helper is killed; a process is forked and opens
 * a port; the namespace ends; one more port is opened; the watcher is freed. Time is hastened
 * (wrap_hasten()). */
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

/* Once in a process, before the first run, all of which go one way. Where it may, it goes to a
 * network namespace of its own whose tables, and those of its children, are small
 * (tcp_child_ehash_entries, ip-sysctl): the text of a table of the usual size costs 10 ms to read,
 * be it empty. Lowered: its capabilities are permitted from there on, but not in effect, as with
 * file capabilities; skipped where it has none. */
void scenario_prepare(struct way way, bool lowered);

/* Asserts that, whatever fails: what stays open is reported once and never closed; what opens and
 * closes is reported once each, also after the fault; where starting fails it succeeds when it is
 * tried again; no descriptor and no child is left, and no capability that was lowered. Counts and
 * strikes are there to be read until the next. Returns whether the first start succeeded. */
bool scenario_run(struct way way, const struct scenario_fault *fault);

#endif
