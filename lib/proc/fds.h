/* SPDX-License-Identifier: MIT */
/* fds.h - the sockets that a process holds, from /proc/PID/fd
 *
 * A process holds the sockets in the descriptor table of its leader, which all its threads nearly
 * always share; the sockets in the tables of threads that have tables of their own (unshare(2),
 * CLONE_FILES); and the sockets that are registered with an io_uring in one of these tables. */
#ifndef FDS_H
#define FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/procfs.h"

/* The most tables besides the first table of a process. Further tables are left out. */
#define FDS_TABLES_MAX 32
/* The most rings of one table. */
#define FDS_RINGS_MAX 32

/* A scan of the descriptors of one process, in steps, because a process may have a million. */
struct fds_scan {
	int process;     /* owned by the caller, from procfs_open_process() */
	pid_t pid;       /* in our PID namespace */
	int list;        /* the directory of descriptors that is being read; -1: none */
	bool listed;     /* the first directory had a descriptor */
	size_t seen;     /* number of descriptors of the first table */
	bool thread;     /* the directory belongs to a thread: the leader has exited, or has no
	                    descriptors */
	int number;      /* the present descriptor; -1: a file of a ring */
	long tid;        /* the thread of the directory; 0: the leader */
	bool denied;     /* some directory may not be read */
	bool privileged; /* the scan uses the available privilege */
	bool tries;      /* one descriptor is enough */
	/* Threads with tables of their own. */
	int tasks;          /* the directory of threads that is being read; -1: none */
	bool tables_listed; /* the directory was read to its end */
	pid_t tables[FDS_TABLES_MAX];
	unsigned int table_count;
	unsigned int table_next;
	/* The rings in the list. */
	int rings[FDS_RINGS_MAX];
	unsigned int ring_count;
	int ring; /* the fdinfo file of one of them; -1: none is being read */
	struct uring_files files;
	unsigned int unnamed; /* TCP sockets of rings that the kernel does not name */
};

/* A scan that was not started. */
#define FDS_SCAN_NONE ((struct fds_scan){.list = -1, .tasks = -1, .ring = -1})

/* Receives the inode number of a socket, once for each descriptor of it. */
typedef procfs_visit_socket fds_visit;

/* Starts a scan, first without and then with the available privilege. Returns 0; -EACCES or -EPERM
 * if the descriptors may not be read; -ESRCH if the process is gone; another errno. After a failure
 * fds_end() is not needed. Also works for a process whose leader has exited (task/TID/fd). */
int fds_begin(struct fds_scan *scan, int process, pid_t pid);
/* Continues with some descriptors. Returns 1 if there are more, 0 at the end, or a negative errno
 * as above. */
int fds_next(struct fds_scan *scan, fds_visit visit, void *data);
void fds_end(struct fds_scan *scan);

/* Whether the first table is being read, not the table of another thread. */
bool fds_reads_first(const struct fds_scan *scan);
/* How many descriptors the first table has, before any was read; 0: unknown (before Linux 6.2). */
size_t fds_count_first(const struct fds_scan *scan);
/* Whether a descriptor of the first table refers to a socket. */
bool fds_first_has(const struct fds_scan *scan, int number, uint64_t inode);
/* Skips the first table, whose content is known. */
void fds_skip_first(struct fds_scan *scan);

/* Whether the descriptors of a process may be read: 0 or a negative errno, as above. Listing them
 * and reading their links need different rights, so both are tried. */
int fds_try(int process);

#endif
