/* SPDX-License-Identifier: MIT */
/* process_list.h - what the calling process holds: to find leaks */
#ifndef PROCESS_LIST_H
#define PROCESS_LIST_H

#include <stddef.h>
#include <sys/types.h>

/* How many child processes and descriptors it has, how many kilobytes of it are resident. */
size_t process_children(void);
size_t process_descriptors(void);
size_t process_resident(void);

/* How many child processes it has, once there are `expected`; what ends, or asks a descriptor of a
 * member, may be there for a moment longer. After a minute as many as there are. */
size_t process_wait_children(size_t expected);

/* How many threads it has. One that was joined is listed for a moment longer: waits until there are
 * `expected`, at most ten seconds. 0: as many as there are. */
size_t process_threads(size_t expected);

/* Tells on standard error what its descriptors are, and its children (/proc/PID/stat). */
void process_show(void);

/* A child process other than those given (ended by 0): a helper of the library. 0 where there is
 * none. */
pid_t process_other_child(const pid_t *known);

#endif
