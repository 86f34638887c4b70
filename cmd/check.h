/* SPDX-License-Identifier: MIT */
/* check.h - reports what pwatch can see on this system, and what to grant so that it sees more */
#ifndef CHECK_H
#define CHECK_H

#include "options.h"
#include "run.h"

/* Runs --check for the process of the options or, without one, for the process of `run`, which has
 * the privileges of the caller's processes. pwatch itself is no substitute, because a process may
 * always examine itself. Returns the exit status of pwatch: 0 if the ports can be seen, else 1. */
int check_run(const struct options *options, const struct run *run);

#endif
