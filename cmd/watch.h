/* SPDX-License-Identifier: MIT */
/* watch.h - one run of pwatch: watches and prints until there is nothing left to watch */
#ifndef WATCH_H
#define WATCH_H

#include "hook.h"
#include "options.h"
#include "run.h"

/* Does what the options say; with COMMAND, `run` is its process, and `hook`
 * runs the command of --exec. Returns the exit status of pwatch.
 */
int watch_run(const struct options *options, struct run *run, struct hook *hook);

#endif
