/* SPDX-License-Identifier: MIT */
/* privileges.h - what pwatch may do: its user, its capabilities and what restricts them */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>

#include "report.h"

/* Capabilities that are of use, as bits: capabilities(7). */
#define PRIVILEGES_DAC_READ_SEARCH (UINT64_C(1) << 2)
#define PRIVILEGES_SYS_PTRACE (UINT64_C(1) << 19)
#define PRIVILEGES_SYS_ADMIN (UINT64_C(1) << 21)
#define PRIVILEGES_PERFMON (UINT64_C(1) << 38)
#define PRIVILEGES_BPF (UINT64_C(1) << 39)
/* Those that a file is given. */
#define PRIVILEGES_OF_FILE                                                                         \
	(PRIVILEGES_DAC_READ_SEARCH | PRIVILEGES_SYS_PTRACE | PRIVILEGES_SYS_ADMIN)

struct privileges {
	unsigned int uid, gid; /* effective */
	uint64_t permitted, effective, bounding;
	bool secure;       /* exec has added some: AT_SECURE, getauxval(3) */
	bool no_new_privs; /* exec can't add any */
	bool initial_user_namespace;
	unsigned int seccomp; /* as in /proc/PID/status */
	char hidepid[32];     /* the mount option of /proc; "" where there is none */
};

/* Reads those of this process. 0 or a negative errno. */
int privileges_read(struct privileges *privileges);

/* For a forked process that runs what is the caller's: file capabilities are pwatch's alone. The
 * inheritable set is the caller's own. 0 or a negative errno. */
int privileges_disown(void);

/* Takes those of a set that are permitted into effect. 0 or a negative errno: -EPERM where none is.
 */
int privileges_raise(uint64_t set);

void privileges_report(const struct privileges *privileges, struct report *report);

#endif
