/* SPDX-License-Identifier: MIT */
/* watch.h - one run of pwatch: watches and prints until all watched processes have ended */
#ifndef WATCH_H
#define WATCH_H

#include "hook.h"
#include "options.h"
#include "run.h"

/* Watches and prints as the options specify. With COMMAND, `run` is its process. `hook` runs the
 * command of --exec. Returns the exit status of pwatch. */
int watch_run(const struct options *options, struct run *run, struct hook *hook);

#endif
