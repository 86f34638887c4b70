/* SPDX-License-Identifier: MIT */
/* check.h - what pwatch can see here, and what it takes to see more */
#ifndef CHECK_H
#define CHECK_H

#include "options.h"
#include "run.h"

/* Does what --check says: about the process of the options, or, where there is none, about the
 * process of `run`, which has what the caller's processes have. pwatch itself says nothing about
 * them: a process may always look into itself. Returns the exit status of pwatch: 0 if the ports
 * can be seen, else 1. */
int check_run(const struct options *options, const struct run *run);

#endif
