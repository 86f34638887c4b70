/* SPDX-License-Identifier: MIT */
/* fds.h - which sockets a process holds, over /proc/PID/fd */
#ifndef FDS_H
#define FDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/procfs.h"

/* A look through the descriptors of one process, step by step: a process may have a million. */
struct fds_scan {
	int process;     /* the caller's, of procfs_open_process() */
	int list;        /* the directory of descriptors that is read; -1: none */
	bool listed;     /* it had a descriptor in it */
	bool thread;     /* it is that of a thread: the leader has exited, or has none ... */
	long tid;        /* ... namely of this one */
	bool denied;     /* some such directory may not be read */
	bool privileged; /* it takes the privilege that there is for it */
};

/* Receives the inode number of a socket, once for each descriptor of it. */
typedef void (*fds_visit)(void *data, uint64_t inode);

/* Begins, first without and then with the privilege that there is for it. Returns 0; -EACCES or
 * -EPERM where the descriptors may not be read; -ESRCH where the process is gone; another errno.
 * After a failure there is nothing to end. Also works for a process whose leader has exited
 * (task/TID/fd). */
int fds_begin(struct fds_scan *scan, int process);
/* Goes on, for some descriptors. Returns 1 if there are more, 0 at the end, or a negative
 * errno: as above. */
int fds_next(struct fds_scan *scan, fds_visit visit, void *data);
void fds_end(struct fds_scan *scan);

/* Whether the descriptors of a process may be read: 0 or a negative errno, as above. To list them
 * is one matter, to read what they are another. */
int fds_try(int process);

/* Opens the network namespace in which a socket was made that a process holds, wherever the process
 * is now: through a copy of its descriptor (pidfd_getfd(2), SIOCGSKNS), first without and then with
 * the privileges that there are for it. Returns a descriptor, which keeps the namespace alive;
 * -ENOENT where the process holds it no longer; another negative errno. */
int fds_open_socket_netns(const struct procfs *procfs, pid_t pid, uint64_t start_time,
                          uint64_t inode);

#endif
