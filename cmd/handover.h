/* SPDX-License-Identifier: MIT */
/* handover.h - a pwatch with file capabilities executes itself again
 *
 * The process that becomes COMMAND is a copy of pwatch that the caller may examine (run.h). pwatch
 * executes itself again after the fork, so that its addresses and its stack guard differ from those
 * that the caller can read in the copy. */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "hook.h"
#include "run.h"

/* Whether pwatch was executed by handover_give(). */
bool handover_is_due(void);

/* Executes pwatch with the same arguments. Returns only on failure: a negative errno. */
int handover_give(const struct run *run, const struct hook *hook, char **argv);

/* Takes over what handover_give() has passed on. Returns 0 or a negative errno. The caller of
 * pwatch can forge the variable and gains nothing, because the variable must name a child and pipes
 * of the caller's own. */
int handover_take(struct run *run, struct hook *hook);

#endif
