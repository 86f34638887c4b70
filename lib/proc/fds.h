/* SPDX-License-Identifier: MIT */
/* fds.h - which processes hold which sockets, over /proc/PID/fd */
#ifndef FDS_H
#define FDS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/procfs.h"

/* One socket that is looked for, and what was found so far. Zero all but inode before a scan. */
struct fds_holder {
	uint64_t inode;
	uint64_t start_time; /* of the owner, clock ticks since boot */
	pid_t pid; /* the oldest process that holds it (least start time, then least PID); 0: none
	              found */
	pid_t scanned;   /* the process that was noted last: each counts once */
	unsigned owners; /* how many processes hold it */
};

/* Sorts the array by inode, as fds_scan_process needs it. */
void fds_sort(struct fds_holder *sockets, size_t count);

/* Finds an inode in a sorted array; NULL if it isn't there. */
struct fds_holder *fds_find(struct fds_holder *sockets, size_t count, uint64_t inode);

/* Looks through the descriptors of one process (a descriptor of procfs_open_process) and notes it
 * as holder of every socket of the array that it holds, once, however often. Returns how many it
 * holds; -EACCES where its descriptors may not be read, -ESRCH where it is gone, another errno:
 * what was found until then stays noted. Also works for a process whose leader has exited
 * (task/TID/fd). */
ssize_t fds_scan_process(int process, pid_t pid, uint64_t start_time, struct fds_holder *sockets,
                         size_t count);

#endif
