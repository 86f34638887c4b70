/* SPDX-License-Identifier: MIT */
/* privileges.h - the privileges of pwatch: its user, its capabilities and their restrictions */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>

#include "report.h"

/* The capabilities that the library uses, as bits: capabilities(7). */
#define PRIVILEGES_DAC_READ_SEARCH (UINT64_C(1) << 2)
#define PRIVILEGES_SYS_PTRACE (UINT64_C(1) << 19)
#define PRIVILEGES_SYS_ADMIN (UINT64_C(1) << 21)
#define PRIVILEGES_PERFMON (UINT64_C(1) << 38)
#define PRIVILEGES_BPF (UINT64_C(1) << 39)
/* The capabilities that an administrator gives to the file. */
#define PRIVILEGES_OF_FILE                                                                         \
	(PRIVILEGES_DAC_READ_SEARCH | PRIVILEGES_SYS_PTRACE | PRIVILEGES_SYS_ADMIN)

struct privileges {
	unsigned int uid, gid; /* effective */
	uint64_t permitted, effective, bounding;
	bool secure;       /* exec has added privileges: AT_SECURE, getauxval(3) */
	bool no_new_privs; /* exec cannot add privileges */
	bool initial_user_namespace;
	unsigned int seccomp; /* as in /proc/PID/status */
	char hidepid[32];     /* the mount option of /proc; "" if there is none */
};

/* Reads the privileges of this process. Returns 0 or a negative errno. */
int privileges_read(struct privileges *privileges);

/* Drops the file capabilities, which belong to pwatch only, in a forked process that runs a program
 * of the caller. The inheritable set is the caller's own and stays. Returns 0 or a negative
 * errno. */
int privileges_disown(void);

/* Makes the permitted capabilities of a set effective. Returns 0 or a negative errno: -EPERM if
 * none is permitted. */
int privileges_raise(uint64_t set);

void privileges_report(const struct privileges *privileges, struct report *report);

#endif
