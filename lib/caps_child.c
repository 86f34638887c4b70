/* SPDX-License-Identifier: MIT */
/* caps_child.c - capabilities by bare system calls, for a forked child */
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>

#include "caps.h"
#include "raw.h"

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

struct sets {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static void empty(struct sets *sets)
{
	memset(sets, 0, sizeof(*sets));
	sets->header.version = _LINUX_CAPABILITY_VERSION_3;
}

int caps_child_raise(unsigned capability)
{
	struct __user_cap_data_struct *word;
	struct sets sets;
	uint32_t bit = 1U << (capability % 32);
	long error;

	empty(&sets);
	error = raw_call(SYS_capget, &sets.header, sets.data);
	if (error < 0)
		return (int)error;
	word = &sets.data[capability / 32];
	if (!(word->permitted & bit))
		return -EPERM;
	word->effective |= bit;
	return (int)raw_call(SYS_capset, &sets.header, sets.data);
}

int caps_child_drop_all(void)
{
	struct sets sets;
	long error;

	/* Needs CAP_SETPCAP in effect, if it is only permitted. */
	caps_child_raise(CAP_SETPCAP);
	for (unsigned long i = 0; i < 64; i++)
		if (raw_call(SYS_prctl, PR_CAPBSET_DROP, i, 0L, 0L, 0L) < 0)
			break;
	raw_call(SYS_prctl, PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L);
	error = raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
	if (error < 0)
		return (int)error;
	empty(&sets);
	return (int)raw_call(SYS_capset, &sets.header, sets.data);
}
