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
	bool adopts;   /* pwatch gets its orphans */
	bool explains; /* all addresses and all that opens and closes are reported: explain.h */
	bool ended;
	char failure[256]; /* why it can't be watched, once that has turned out */
	void *user_data;   /* for who handles the events */
};

/* Makes the watcher of target->pid and starts it; the target is handed to the callback. What fails
 * is told in one line on standard error. Returns 0 or a negative errno. */
int target_open(struct target *target, const struct options *options, portwatch_callback callback);
int target_start(struct target *target, const struct options *options);
void target_close(struct target *target);

#endif
