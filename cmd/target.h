/* SPDX-License-Identifier: MIT */
/* target.h - one process tree that pwatch watches */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#include "options.h"
#include "portwatch.h"

struct target {
	struct portwatch *watcher; /* NULL once the tree has ended */
	pid_t pid;
	bool adopts;   /* orphans of the tree become children of pwatch */
	bool explains; /* all addresses, opens and closes are reported: explain.h */
	bool ended;
	char failure[256]; /* why it cannot be watched, after a failure */
	void *user_data;   /* for the event handler */
};

/* target_open() creates the watcher of target->pid, and target_start() starts it. The callback
 * receives the target as its user data. A failure is reported in one line on standard error.
 * Returns 0 or a negative errno. */
int target_open(struct target *target, const struct options *options, portwatch_callback callback);
int target_start(struct target *target, const struct options *options);
void target_close(struct target *target);

#endif
