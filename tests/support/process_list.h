/* SPDX-License-Identifier: MIT */
/* process_list.h - what /proc lists of the calling process, to find leaks, and of other processes
 */
#ifndef PROCESS_LIST_H
#define PROCESS_LIST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Return the numbers of child processes and descriptors, and the resident memory in kilobytes. */
size_t process_children(void);
size_t process_descriptors(void);
size_t process_resident(void);

/* Waits until there are `expected` child processes and returns their number. An exiting process, or
 * a process that asks a member for a descriptor, may exist for a moment longer. After a minute the
 * function returns the current number. */
size_t process_wait_children(size_t expected);

/* Waits in the same way until there are at most `limit` child processes. */
size_t process_wait_at_most(size_t limit);

/* Waits until there are `expected` threads, for at most ten seconds, and returns their number: a
 * thread that was joined is listed for a moment longer. 0: returns the current number at once. */
size_t process_threads(size_t expected);

/* Returns the start time of a process, in clock ticks since boot; 0: there is no such process. */
uint64_t process_start_time(pid_t pid);

/* Prints the descriptors and the children (/proc/PID/stat) to standard error. */
void process_show(void);

/* Returns a child process that is not in `known` (which ends with 0): a helper of the library.
 * Returns 0 if no such child exists. */
pid_t process_other_child(const pid_t *known);

#endif
