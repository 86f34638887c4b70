/* SPDX-License-Identifier: MIT */
/* fds.h - which sockets a process holds, over /proc/PID/fd
 *
 * A process holds what is in the descriptor table of its leader, which nearly always is that of all
 * its threads; what is in the tables of other threads, where they have tables of their own
 * (unshare(2), CLONE_FILES); and what is registered with an io_uring in one of them. */
#ifndef FDS_H
#define FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/procfs.h"

/* What is looked at beside the first table of one process: more are left out. */
#define FDS_TABLES_MAX 32
/* The rings of one table. */
#define FDS_RINGS_MAX 32

/* A look through the descriptors of one process, step by step: a process may have a million. */
struct fds_scan {
	int process;     /* the caller's, of procfs_open_process() */
	pid_t pid;       /* in our PID namespace */
	int list;        /* the directory of descriptors that is read; -1: none */
	bool listed;     /* the first had a descriptor in it */
	size_t seen;     /* descriptors of the first */
	bool thread;     /* it is that of a thread: the leader has exited, or has none */
	int number;      /* the descriptor that visit is called for; -1: of what a ring has */
	long tid;        /* whose list it is; 0: the leader's */
	bool denied;     /* some such directory may not be read */
	bool privileged; /* it takes the privilege that there is for it */
	/* Threads with tables of their own. */
	int tasks;          /* the directory of threads that is read; -1: none */
	bool tables_listed; /* it was read to its end */
	pid_t tables[FDS_TABLES_MAX];
	unsigned int table_count;
	unsigned int table_next;
	/* The rings that the list has shown. */
	int rings[FDS_RINGS_MAX];
	unsigned int ring_count;
	int ring; /* what the kernel says of one of them; -1: none is read */
	struct uring_files files;
	unsigned int unnamed; /* TCP sockets of rings, of which the kernel doesn't say which */
};

/* One that nothing was begun with. */
#define FDS_SCAN_NONE ((struct fds_scan){.list = -1, .tasks = -1, .ring = -1})

/* Receives the inode number of a socket, once for each descriptor of it. */
typedef procfs_visit_socket fds_visit;

/* Begins, first without and then with the privilege that there is for it. Returns 0; -EACCES or
 * -EPERM where the descriptors may not be read; -ESRCH where the process is gone; another errno.
 * After a failure there is nothing to end. Also works for a process whose leader has exited
 * (task/TID/fd). */
int fds_begin(struct fds_scan *scan, int process, pid_t pid);
/* Goes on, for some descriptors. Returns 1 if there are more, 0 at the end, or a negative
 * errno: as above. */
int fds_next(struct fds_scan *scan, fds_visit visit, void *data);
void fds_end(struct fds_scan *scan);

/* Whether the first table is being read, and not one of another thread. */
bool fds_reads_first(const struct fds_scan *scan);
/* How many descriptors the first table has, before any was read; 0: unknown (before Linux 6.2). */
size_t fds_count_first(const struct fds_scan *scan);
/* Whether a descriptor of that table is that of a socket. */
bool fds_first_has(const struct fds_scan *scan, int number, uint64_t inode);
/* Passes over the first table: what is in it is known. */
void fds_skip_first(struct fds_scan *scan);

/* Whether the descriptors of a process may be read: 0 or a negative errno, as above. To list them
 * is one matter, to read what they are another. */
int fds_try(int process);

#endif
