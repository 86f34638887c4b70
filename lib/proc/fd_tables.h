/* SPDX-License-Identifier: MIT */
/* fd_tables.h - descriptor tables that several processes share (CLONE_FILES), as read
 *
 * A thousand processes can share one table of a million descriptors. They all hold the sockets that
 * were found for the first of them. kcmp(2) compares and orders tables, so that a few calls find
 * one among many. Only large tables are kept, because a small one is read faster than compared. */
#ifndef FD_TABLES_H
#define FD_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A table with fewer descriptors is not kept. */
#define FD_TABLES_LARGE 256
/* The most tables that are kept. */
#define FD_TABLES_MAX 256
/* A table with more sockets is not kept: their verification takes a slice of the monitor's time,
 * and processes with many such tables must not use memory without bound. */
#define FD_TABLES_SOCKETS 4096

/* A socket that the search wants. */
struct fd_socket {
	int number; /* of the descriptor */
	uint64_t inode;
};

/* The sockets in one table. */
struct fd_table {
	pid_t pid; /* a process that has the table */
	struct fd_socket *sockets;
	size_t count;
	size_t capacity;
};

/* Zero bytes mean empty. */
struct fd_tables {
	struct fd_table *rows; /* in the order of kcmp(2) */
	size_t count;
	struct fd_table reading; /* pid 0: none is being read */
};

/* Compares the tables of two processes or threads, by kcmp(2). 0: the same, 1: less, 2: greater;
 * another number, or a negative errno: not known. */
long fd_tables_compare(pid_t one, pid_t other);

/* Drops all tables. */
void fd_tables_clear(struct fd_tables *tables);

/* Returns the table of a process if it is the table of another, known process; NULL: unknown. The
 * other process may have another table by now, so the caller verifies each socket. An exiting
 * process has no table and must not be passed. privileged: the examination of the process needs the
 * available privilege. */
const struct fd_table *fd_tables_find(struct fd_tables *tables, pid_t pid, bool privileged);

/* fd_tables_begin() is called before the table of a process is read; the second function for each
 * socket in it (number -1: not a descriptor, and the table is not kept); the third after all
 * descriptors were read, with their number, or after a failure (complete false). */
void fd_tables_begin(struct fd_tables *tables, pid_t pid);
void fd_tables_add(struct fd_tables *tables, int number, uint64_t inode);
void fd_tables_end(struct fd_tables *tables, bool complete, size_t descriptors, bool privileged);

#endif
