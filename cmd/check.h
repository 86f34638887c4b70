/* SPDX-License-Identifier: MIT */
/* check.h - what pwatch can see here, and what it takes to see more */
#ifndef CHECK_H
#define CHECK_H

#include "options.h"

/* Does what --check says. Returns the exit status of pwatch: 0 if the ports can be seen, else 1. */
int check_run(const struct options *options);

#endif
