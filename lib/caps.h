/* SPDX-License-Identifier: MIT */
/* caps.h - capabilities of the calling thread, capabilities(7); the only user of libcap */
#ifndef CAPS_H
#define CAPS_H

#include <stdbool.h>
#include <sys/capability.h>

/* Whether the thread may raise the capability, and whether it is in effect. */
bool caps_permitted(cap_value_t capability);
bool caps_effective(cap_value_t capability);

/* Takes a permitted capability into effect or out of it, for the calling thread alone. Returns 0 or
 * a negative errno (-EPERM: not permitted). */
int caps_raise(cap_value_t capability);
int caps_lower(cap_value_t capability);

/* Whether exec has made the process more than its caller (setuid, file capabilities): AT_SECURE of
 * getauxval(3). Such a process runs no other program with what it has. */
bool caps_secure(void);

/* For a child that shares its parent's locks, where libcap isn't allowed. The first as
 * caps_raise(); the second empties every set: bounding (where that is permitted), ambient,
 * effective, permitted, inheritable, and can't be undone by exec (no_new_privs). */
int caps_child_raise(unsigned capability);
int caps_child_drop_all(void);

#endif
