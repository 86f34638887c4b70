/* SPDX-License-Identifier: MIT */
/* caps.c - capabilities of the calling thread */
#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#include "util/caps.h"
#include "portwatch.h"
#include "util/sys.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

#define BIT(capability) (UINT64_C(1) << (capability))
#define CAPABILITIES 64 /* the kernel's sets are two words of 32 bits */

#define NOTIFIER (BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_ADMIN) | BIT(CAP_DAC_READ_SEARCH))
#define PROCESS_EVENTS BIT(CAP_NET_ADMIN)
#define SOCKET_NETNS BIT(CAP_NET_ADMIN)
#define READ_PROCESS (BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH))
/* A helper needs this capability to empty its bounding set. */
#define HELPER BIT(CAP_SETPCAP)
/* All capabilities that the library uses. CAP_SYS_ADMIN replaces CAP_BPF and CAP_PERFMON, and is
 * needed for setns(2). */
#define USED (NOTIFIER | PROCESS_EVENTS | READ_PROCESS | SOCKET_NETNS | HELPER)

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

bool caps_permitted(cap_value_t capability)
{
	CLEANUP_CAP cap_t caps = cap_get_proc();

	return has(caps, capability, CAP_PERMITTED);
}

static caps_set get(cap_t caps, cap_flag_t flag)
{
	caps_set set = 0;

	for (cap_value_t capability = 0; capability < CAPABILITIES; capability++)
		if (has(caps, capability, flag))
			set |= BIT(capability);
	return set;
}

static int change(cap_t caps, cap_flag_t flag, caps_set set, cap_flag_value_t value)
{
	for (cap_value_t capability = 0; capability < CAPABILITIES; capability++)
		if (set & BIT(capability) && cap_set_flag(caps, flag, 1, &capability, value) < 0)
			return -errno;
	return 0;
}

/* Whether the examination of a process needs every capability of the process (ptrace(2), access
 * mode checks). CAP_SYS_PTRACE replaces all of them. In a program with file capabilities the answer
 * is no: its only capabilities are those of the file, and they must not show its caller more than
 * the caller may see. */
static bool needs_all_capabilities(caps_set permitted)
{
	return !(permitted & BIT(CAP_SYS_PTRACE)) && !caps_secure();
}

caps_set caps_begin(enum caps_purpose purpose)
{
	CLEANUP_CAP cap_t caps = cap_get_proc();
	caps_set permitted = get(caps, CAP_PERMITTED), taken;

	if (purpose == CAPS_NOTIFIER)
		taken = NOTIFIER;
	else if (purpose == CAPS_PROCESS_EVENTS)
		taken = PROCESS_EVENTS;
	else if (purpose == CAPS_SOCKET_NETNS)
		taken = SOCKET_NETNS;
	else
		taken = needs_all_capabilities(permitted) ? permitted : READ_PROCESS;
	taken &= permitted & ~get(caps, CAP_EFFECTIVE);
	if (taken && (change(caps, CAP_EFFECTIVE, taken, CAP_SET) < 0 || cap_set_proc(caps) < 0))
		return 0;
	return taken;
}

static int lower(caps_set taken)
{
	CLEANUP_CAP cap_t caps = cap_get_proc();
	int result;

	if (!caps)
		return -errno;
	result = change(caps, CAP_EFFECTIVE, taken, CAP_CLEAR);
	if (result < 0)
		return result;
	return cap_set_proc(caps) < 0 ? -errno : 0;
}

void caps_end(caps_set taken)
{
	if (!taken || lower(taken) == 0)
		return;
	/* This loop needs no memory. */
	for (unsigned int capability = 0; capability < CAPABILITIES; capability++)
		if (taken & BIT(capability))
			caps_child_lower(capability);
}

int portwatch_limit_privileges(void)
{
	CLEANUP_CAP cap_t caps = cap_get_proc();
	CLEANUP_CAP cap_t kept = cap_init();
	caps_set permitted, effective;
	int result;

	if (!caps || !kept)
		return -ENOMEM;
	permitted = get(caps, CAP_PERMITTED);
	/* A helper raises this capability itself, only around the call. */
	effective = get(caps, CAP_EFFECTIVE) & USED & ~HELPER;
	if (!needs_all_capabilities(permitted))
		permitted &= USED;
	result = change(kept, CAP_PERMITTED, permitted, CAP_SET);
	if (result == 0)
		result = change(kept, CAP_EFFECTIVE, effective, CAP_SET);
	if (result < 0)
		return result;
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
	for (unsigned long i = 0; i < CAPABILITIES; i++)
		if (raw_call(SYS_prctl, PR_CAPBSET_DROP, i, 0L, 0L, 0L) < 0)
			break;
	raw_call(SYS_prctl, PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_CLEAR_ALL, 0L, 0L, 0L);
	empty(&sets);
	return (int)raw_call(SYS_capset, &sets.header, sets.data);
}
