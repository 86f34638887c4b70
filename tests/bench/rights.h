/* SPDX-License-Identifier: MIT */
/* rights.h - an ordinary user with capabilities that are permitted but not in effect, as with
 * setcap */
#ifndef RIGHTS_H
#define RIGHTS_H

#include <stdbool.h>
#include <sys/capability.h>

#define RIGHTS_USER 65534

struct rights {
	cap_value_t capabilities[2];
	int count;
	bool placed_by_root; /* root creates the actor's namespace: the user may only enter it */
};

extern const struct rights rights_admin; /* CAP_SYS_ADMIN alone */
extern const struct rights rights_bpf;   /* CAP_BPF and CAP_PERFMON */
extern const struct rights rights_none;

/* Changes the calling process to RIGHTS_USER with these capabilities, permanently. Returns false if
 * the kernel refuses. */
bool rights_take(const struct rights *rights);

#endif
