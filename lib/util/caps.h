/* SPDX-License-Identifier: MIT */
/* caps.h - capabilities of the calling thread, capabilities(7); the only user of libcap */
#ifndef CAPS_H
#define CAPS_H

#include <stdbool.h>
#include <sys/capability.h>

/* What some work takes. A binary with file capabilities has them permitted, not in effect. */
enum caps_purpose {
	CAPS_NOTIFIER, /* to open a perf event for all CPUs, and to read its number in tracefs */
	CAPS_READ_PROCESS, /* to read the descriptors and namespaces of other users' processes */
};

/* Takes what the purpose needs, is permitted and isn't in effect yet into effect, for the calling
 * thread alone. Returns what was taken: a set for caps_end(), 0 for none. */
unsigned int caps_begin(enum caps_purpose purpose);
/* Takes it out of effect again. */
void caps_end(unsigned int taken);

/* Whether a capability is in effect. */
bool caps_effective(cap_value_t capability);

/* Whether exec has made the process more than its caller (setuid, file capabilities): AT_SECURE of
 * getauxval(3). Such a process runs no other program with what it has. */
bool caps_secure(void);

/* For a child that shares its parent's locks, where libcap isn't allowed, and for want of memory.
 * The first takes a permitted capability into effect: 0 or a negative errno (-EPERM: not
 * permitted); the second out of it again; the third empties every set: bounding (where that is
 * permitted), ambient, effective, permitted, inheritable. */
int caps_child_raise(unsigned capability);
int caps_child_lower(unsigned capability);
int caps_child_drop_all(void);

#endif
