/* SPDX-License-Identifier: MIT */
/* loopback.h - the loopback interface of a new network namespace, which starts down */
#ifndef LOOPBACK_H
#define LOOPBACK_H

/* Brings the loopback interface up in the calling thread's network namespace. Returns 0 or a
 * negative errno. */
int loopback_up(void);

#endif
