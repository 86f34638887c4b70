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

static int set_effective(unsigned capability, bool on)
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
	if (on && !(word->permitted & bit))
		return -EPERM;
	word->effective = on ? word->effective | bit : word->effective & ~bit;
	return (int)raw_call(SYS_capset, &sets.header, sets.data);
}

int caps_child_raise(unsigned capability)
{
	return set_effective(capability, true);
}

int caps_child_lower(unsigned capability)
{
	return set_effective(capability, false);
}

int caps_child_drop_all(void)
{
	struct sets sets;

	/* Needs CAP_SETPCAP in effect, if it is only permitted. */
	caps_child_raise(CAP_SETPCAP);
	for (unsigned long i = 0; i < 64; i++)
		if (raw_call(SYS_prctl, PR_CAPBSET_DROP, i, 0L, 0L, 0L) < 0)
			break;
	raw_call(SYS_prctl, PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L);
	empty(&sets);
	return (int)raw_call(SYS_capset, &sets.header, sets.data);
}
