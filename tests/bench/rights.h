/* SPDX-License-Identifier: MIT */
/* rights.h - an ordinary user with some capabilities: permitted, not in effect, as by setcap */
#ifndef RIGHTS_H
#define RIGHTS_H

#include <stdbool.h>
#include <sys/capability.h>

#define RIGHTS_USER 65534

struct rights {
	cap_value_t capabilities[2];
	int count;
	bool placed_by_root; /* the actor: the user may enter its namespace, not make it */
};

extern const struct rights rights_admin; /* CAP_SYS_ADMIN alone */
extern const struct rights rights_bpf;   /* CAP_BPF and CAP_PERFMON */
extern const struct rights rights_none;

/* Makes the calling process RIGHTS_USER with these, for good. False where that isn't allowed. */
bool rights_take(const struct rights *rights);

#endif
