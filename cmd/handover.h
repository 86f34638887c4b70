/* SPDX-License-Identifier: MIT */
/* handover.h - a pwatch with file capabilities executes itself anew
 *
 * The process that becomes COMMAND is a copy of pwatch that the caller may look into (run.h). After
 * the fork pwatch executes itself again: it gets other addresses and another stack guard than those
 * that the caller can read there. */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "hook.h"
#include "run.h"

/* Whether an earlier self has handed something over. */
bool handover_is_due(void);

/* Executes pwatch with the same arguments. Returns only when that has failed, a negative errno. */
int handover_give(const struct run *run, const struct hook *hook, char **argv);

/* Takes what was handed over. 0 or a negative errno: the caller of pwatch may have made it up, and
 * gains nothing by it, since what it names must be the caller's own child and pipes. */
int handover_take(struct run *run, struct hook *hook);

#endif
