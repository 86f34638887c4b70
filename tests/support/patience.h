/* SPDX-License-Identifier: MIT */
/* patience.h - how long a test waits before it takes something for lost */
#ifndef PATIENCE_H
#define PATIENCE_H

#include <stdlib.h>

/* By how much this machine is slower than usual ones: PORTWATCH_TEST_SLOWNESS in the environment, a
 * whole number. */
static inline int patience_factor(void)
{
	const char *slowness = getenv("PORTWATCH_TEST_SLOWNESS");
	long factor = slowness ? strtol(slowness, NULL, 10) : 1;

	return factor > 1 && factor <= 1000 ? (int)factor : 1;
}

/* Returns the time, in whatever unit, multiplied by that factor. Every deadline of a test goes
 * through here. */
static inline int patience(int time)
{
	return time * patience_factor();
}

/* How much faster than real time the library's clock may go, see wrap_hasten(): its deadlines come
 * so much sooner, and a slow machine could not keep them. */
static inline unsigned int patience_haste(int times)
{
	int haste = times / patience_factor();

	return haste > 1 ? (unsigned int)haste : 1;
}

#endif
