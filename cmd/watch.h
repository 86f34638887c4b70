/* SPDX-License-Identifier: MIT */
/* watch.h - one run of pwatch: watches and prints until there is nothing left to watch */
#ifndef WATCH_H
#define WATCH_H

#include "options.h"
#include "run.h"

/* Does what the options say; with COMMAND, `run` is its process. Returns the exit status of pwatch.
 */
int watch_run(const struct options *options, struct run *run);

#endif
