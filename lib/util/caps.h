/* SPDX-License-Identifier: MIT */
/* caps.h - capabilities of the calling thread, capabilities(7); the only user of libcap */
#ifndef CAPS_H
#define CAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/capability.h>

/* Purposes for which capabilities are raised. In a binary with file capabilities they are permitted
 * but not effective. */
enum caps_purpose {
	/* to load a BPF program, to open a perf event for all CPUs, to read tracefs */
	CAPS_NOTIFIER,
	CAPS_PROCESS_EVENTS, /* to receive process events before Linux 6.6 */
	CAPS_READ_PROCESS, /* to read the descriptors and namespaces of processes of other users, or
	                      of processes with capabilities */
	CAPS_SOCKET_NETNS, /* to open the network namespace of a socket */
};

/* One bit for each capability. */
typedef uint64_t caps_set;

/* Raises the capabilities that the purpose needs, that are permitted and that are not effective
 * yet, in the calling thread only. Returns the raised capabilities for caps_end(); 0 for none. */
caps_set caps_begin(enum caps_purpose purpose);
/* Lowers the capabilities that caps_begin() has raised. */
void caps_end(caps_set taken);

/* Whether a capability is in effect; whether it is permitted. */
bool caps_effective(cap_value_t capability);
bool caps_permitted(cap_value_t capability);

/* Whether exec has given the process more privileges than its caller has (setuid, file
 * capabilities): AT_SECURE of getauxval(3). Such a process must not run other programs with its
 * privileges. */
bool caps_secure(void);

/* For a child that shares its parent's locks, which must not call libcap, and for callers that must
 * not allocate memory. caps_child_raise() raises a permitted capability: 0 or a negative errno
 * (-EPERM: not permitted); the second function lowers it again; the third empties every set:
 * bounding (if permitted), ambient, effective, permitted, inheritable. */
int caps_child_raise(unsigned capability);
int caps_child_lower(unsigned capability);
int caps_child_drop_all(void);

#endif
