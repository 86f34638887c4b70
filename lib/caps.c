/* SPDX-License-Identifier: MIT */
/* caps.c - capabilities of the calling thread */
#include "caps.h"

#include <errno.h>
#include <sys/auxv.h>

static void cleanup_cap(cap_t *caps)
{
	if (*caps)
		cap_free(*caps);
}

#define CLEANUP_CAP __attribute__((cleanup(cleanup_cap)))

static bool has(cap_value_t capability, cap_flag_t set)
{
	CLEANUP_CAP cap_t caps = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	return caps && cap_get_flag(caps, capability, set, &value) == 0 && value == CAP_SET;
}

bool caps_permitted(cap_value_t capability)
{
	return has(capability, CAP_PERMITTED);
}

bool caps_effective(cap_value_t capability)
{
	return has(capability, CAP_EFFECTIVE);
}

static int set_effective(cap_value_t capability, cap_flag_value_t value)
{
	CLEANUP_CAP cap_t caps = cap_get_proc();

	if (!caps || cap_set_flag(caps, CAP_EFFECTIVE, 1, &capability, value) < 0)
		return -errno;
	return cap_set_proc(caps) < 0 ? -errno : 0;
}

int caps_raise(cap_value_t capability)
{
	return set_effective(capability, CAP_SET);
}

int caps_lower(cap_value_t capability)
{
	return set_effective(capability, CAP_CLEAR);
}

bool caps_secure(void)
{
	return getauxval(AT_SECURE) != 0;
}
