/* SPDX-License-Identifier: MIT */
/* watch.h - one run of pwatch: watches and prints until there is nothing left to watch */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "cost.h"
#include "format.h"
#include "options.h"
#include "output.h"
#include "overlap.h"
#include "run.h"
#include "inherited.h"
#include "target.h"

/* What the loop waits for. */
enum source {
	SOURCE_SIGNALS,
	SOURCE_TARGETS,
	SOURCE_OUTPUT,  /* its reader's end; room in it, while lines are pending */
	SOURCE_COMMAND, /* whether COMMAND could be executed */
};

struct watch {
	const struct options *options;
	struct inherited inherited;
	struct format_style style;
	struct output output;
	struct overlap overlap;
	struct cost cost; /* of watchers that are closed */
	struct run run;   /* where there is a COMMAND */
	struct target *targets;
	size_t target_count;
	size_t live; /* targets that have not ended */
	int epoll_fd;
	int targets_fd; /* an epoll of its own, so that all targets can rest at once */
	int signal_fd;
	bool paused;  /* they do: lines are pending, or COMMAND is not yet executed */
	bool stopped; /* don't wait for anything more */
	int status;   /* exit status where there is no COMMAND */
};

/* watch.c: does what the options say. Returns the exit status of pwatch. */
int watch_run(const struct options *options);

/* watch.c: lets go of a target. */
void watch_close_target(struct watch *watch, struct target *target);

/* loop.c: runs until all targets and COMMAND have ended, or it is told to stop. */
void loop_run(struct watch *watch);

/* events.c: a portwatch_callback that prints what the options want; its user_data is the target. */
void events_print(struct portwatch *watcher, const struct portwatch_event *event, void *user_data);

/* events.c: no more can be printed. */
void events_fail(struct watch *watch, int error);

#endif
