/* SPDX-License-Identifier: MIT */
/* helper_seccomp.h - restricts a serving helper to few system calls, on few descriptors */
#ifndef HELPER_SECCOMP_H
#define HELPER_SECCOMP_H

#include <stdbool.h>

/* The descriptors that a serving helper still uses; -1: none. */
struct helper_needs {
	int requests;
	int responses;
	int diag;
	int closes; /* closes.h */
	int text[2];
	int proc; /* to open the text again, if it cannot be read again otherwise
	           */
};
/* From here on, allows only the necessary system calls on these descriptors. no_new_privs must be
 * set. Returns 0, also if no such filter is possible, or a negative errno. */
int helper_seccomp(const struct helper_needs *needs);
/* Whether this build and environment support the filter. Called before helper_drop_memory(). */
bool helper_can_filter(void);

#endif
