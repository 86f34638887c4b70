/* SPDX-License-Identifier: MIT */
/* caps.c - capabilities of the calling thread */
#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#include "util/caps.h"
#include "portwatch.h"
#include "util/sys.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif

/* All that the library ever uses. A set of them is a word with one bit for each. */
static const struct {
	cap_value_t capability;
	enum caps_purpose purpose;
} uses[] = {
	{CAP_PERFMON, CAPS_NOTIFIER},
	{CAP_SYS_ADMIN, CAPS_NOTIFIER}, /* where the kernel knows no CAP_PERFMON; and setns(2) */
	{CAP_DAC_READ_SEARCH, CAPS_NOTIFIER},
	{CAP_SYS_PTRACE, CAPS_READ_PROCESS},
	{CAP_DAC_READ_SEARCH, CAPS_READ_PROCESS},
};
#define USES (sizeof(uses) / sizeof(uses[0]))

static void cleanup_cap(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

#define CLEANUP_CAP __attribute__((cleanup(cleanup_cap)))

static bool has(cap_t caps, cap_value_t capability, cap_flag_t set)
{
	cap_flag_value_t value = CAP_CLEAR;

	return caps && cap_get_flag(caps, capability, set, &value) == 0 && value == CAP_SET;
}

bool caps_effective(cap_value_t capability)
{
	CLEANUP_CAP cap_t caps = cap_get_proc();

	return has(caps, capability, CAP_EFFECTIVE);
}

unsigned int caps_begin(enum caps_purpose purpose)
{
	CLEANUP_CAP cap_t caps = cap_get_proc();
	unsigned int taken = 0;

	for (unsigned int i = 0; i < USES; i++)
		if (uses[i].purpose == purpose && has(caps, uses[i].capability, CAP_PERMITTED) &&
		    !has(caps, uses[i].capability, CAP_EFFECTIVE) &&
		    cap_set_flag(caps, CAP_EFFECTIVE, 1, &uses[i].capability, CAP_SET) == 0)
			taken |= 1U << i;
	if (taken && cap_set_proc(caps) < 0)
		return 0;
	return taken;
}

static int lower(unsigned int taken)
{
	CLEANUP_CAP cap_t caps = cap_get_proc();

	if (!caps)
		return -errno;
	for (unsigned int i = 0; i < USES; i++)
		if (taken & 1U << i &&
		    cap_set_flag(caps, CAP_EFFECTIVE, 1, &uses[i].capability, CAP_CLEAR) < 0)
			return -errno;
	return cap_set_proc(caps) < 0 ? -errno : 0;
}

void caps_end(unsigned int taken)
{
	if (!taken || lower(taken) == 0)
		return;
	/* This takes no memory. */
	for (unsigned int i = 0; i < USES; i++)
		if (taken & 1U << i)
			caps_child_lower((unsigned int)uses[i].capability);
}

int portwatch_limit_privileges(void)
{
	CLEANUP_CAP cap_t caps = cap_get_proc();
	CLEANUP_CAP cap_t kept = cap_init();

	if (!caps || !kept)
		return -ENOMEM;
	for (unsigned int i = 0; i < USES; i++) {
		if (has(caps, uses[i].capability, CAP_PERMITTED))
			cap_set_flag(kept, CAP_PERMITTED, 1, &uses[i].capability, CAP_SET);
		if (has(caps, uses[i].capability, CAP_EFFECTIVE))
			cap_set_flag(kept, CAP_EFFECTIVE, 1, &uses[i].capability, CAP_SET);
	}
	return cap_set_proc(kept) < 0 ? -errno : 0;
}

bool caps_secure(void)
{
	return getauxval(AT_SECURE) != 0;
}

/* --- capabilities by bare system calls, for a forked child */

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
