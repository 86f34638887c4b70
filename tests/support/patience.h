/* SPDX-License-Identifier: MIT */
/* patience.h - how long a test waits before it takes something for lost */
#ifndef PATIENCE_H
#define PATIENCE_H

#include <stdlib.h>

/* Returns the time, in whatever unit it is, as many times as long as PORTWATCH_TEST_SLOWNESS in the
 * environment says: a whole number, for a machine that is so much slower than usual ones. Every
 * deadline of a test goes through here. */
static inline int patience(int time)
{
	const char *slowness = getenv("PORTWATCH_TEST_SLOWNESS");
	long factor = slowness ? strtol(slowness, NULL, 10) : 1;

	return factor > 1 && factor <= 1000 ? (int)(time * factor) : time;
}

#endif
