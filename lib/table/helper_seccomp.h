/* SPDX-License-Identifier: MIT */
/* helper_seccomp.h - a helper that serves may make few system calls, on few descriptors */
#ifndef HELPER_SECCOMP_H
#define HELPER_SECCOMP_H

#include <stdbool.h>

/* What a helper that serves still makes system calls with; -1: it has none. */
struct helper_needs {
	int requests;
	int responses;
	int diag;
	int closes; /* closes.h */
	int text[2];
	int proc; /* through which it opens the text again, where it can't read it again otherwise
	           */
};
/* Allows no other system calls, and those on no other descriptors, from here on. no_new_privs must
 * be set. Returns 0, also where there can be no such filter, or a negative errno. */
int helper_seccomp(const struct helper_needs *needs);
/* Whether there is to be one, as far as that depends on what this was built for and runs under. To
 * be asked before helper_drop_memory(). */
bool helper_can_filter(void);

#endif
