/* SPDX-License-Identifier: MIT */
/* caps.h - capabilities of the calling thread, capabilities(7); the only user of libcap */
#ifndef CAPS_H
#define CAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/capability.h>

/* What some work takes. A binary with file capabilities has them permitted, not in effect. */
enum caps_purpose {
	/* to load a BPF program, to open a perf event for all CPUs, to read tracefs */
	CAPS_NOTIFIER,
	CAPS_PROCESS_EVENTS, /* to receive process events before Linux 6.6 */
	CAPS_READ_PROCESS,   /* to read the descriptors and namespaces of processes that are other
	                      * users' or have capabilities themselves */
	CAPS_SOCKET_NETNS,   /* to open the network namespace of a socket */
};

/* One bit for each capability. */
typedef uint64_t caps_set;

/* Takes what the purpose needs, is permitted and isn't in effect yet into effect, for the calling
 * thread alone. Returns what was taken, for caps_end(); 0 for none. */
caps_set caps_begin(enum caps_purpose purpose);
/* Takes it out of effect again. */
void caps_end(caps_set taken);

/* Whether a capability is in effect; whether it is permitted. */
bool caps_effective(cap_value_t capability);
bool caps_permitted(cap_value_t capability);

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
