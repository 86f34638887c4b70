/* SPDX-License-Identifier: MIT */
/* patience.h - how long a test waits before it fails */
#ifndef PATIENCE_H
#define PATIENCE_H

#include <stdlib.h>

/* Returns by what factor this machine is slower than a usual machine: PORTWATCH_TEST_SLOWNESS in
 * the environment, an integer. */
static inline int patience_factor(void)
{
	const char *slowness = getenv("PORTWATCH_TEST_SLOWNESS");
	long factor = slowness ? strtol(slowness, NULL, 10) : 1;

	return factor > 1 && factor <= 1000 ? (int)factor : 1;
}

/* Returns the time, in any unit, multiplied by the factor. Every deadline of a test uses this
 * function. */
static inline int patience(int time)
{
	return time * patience_factor();
}

/* Returns by what factor the library's clock may be faster than real time, see wrap_hasten(). A
 * faster clock makes the library's deadlines shorter, and a slow machine could not meet them. */
static inline unsigned int patience_haste(int times)
{
	int haste = times / patience_factor();

	return haste > 1 ? (unsigned int)haste : 1;
}

#endif
