/* SPDX-License-Identifier: MIT */
/* fd_tables.h - descriptor tables that several processes share (CLONE_FILES) and that were read
 *
 * A thousand processes can share one table of a million descriptors. What the first of them was
 * found to hold the others hold as well: kcmp(2) says whether two tables are the same, and orders
 * them, so that a few calls find one among many. Only large tables are kept: a small one is read
 * sooner than compared. */
#ifndef FD_TABLES_H
#define FD_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A table with fewer descriptors is not kept. */
#define FD_TABLES_LARGE 256
/* So many are kept at once. */
#define FD_TABLES_MAX 256
/* A table with more sockets is not kept: to make sure of them takes a slice of the monitor's time,
 * and who has so many in each of many tables must not take memory without end. */
#define FD_TABLES_SOCKETS 4096

/* A socket that somebody wants to know of. */
struct fd_socket {
	int number; /* of the descriptor */
	uint64_t inode;
};

/* What was found in one table. */
struct fd_table {
	pid_t pid; /* a process that has it */
	struct fd_socket *sockets;
	size_t count;
	size_t capacity;
};

/* Zeroed it is empty. */
struct fd_tables {
	struct fd_table *rows; /* in the order of kcmp(2) */
	size_t count;
	struct fd_table reading; /* pid 0: none is being read */
};

/* Compares the tables of two processes or threads, by kcmp(2). 0: the same, 1: less, 2: greater;
 * another number, or a negative errno: not known. */
long fd_tables_compare(pid_t one, pid_t other);

/* Forgets all tables. */
void fd_tables_clear(struct fd_tables *tables);

/* The table of a process, if that of another process is the same; NULL: unknown. The other may have
 * got another table since it was read, so each socket is to be made sure of. A process that exits
 * has no table, and must not be asked for. privileged: it takes the privilege that there is to look
 * at the process. */
const struct fd_table *fd_tables_find(struct fd_tables *tables, pid_t pid, bool privileged);

/* The table of a process is read; a socket was found in it (number -1: not as a descriptor, and the
 * table is not kept); all was read, so many descriptors, or
 * the reading has failed (complete false). */
void fd_tables_begin(struct fd_tables *tables, pid_t pid);
void fd_tables_add(struct fd_tables *tables, int number, uint64_t inode);
void fd_tables_end(struct fd_tables *tables, bool complete, size_t descriptors, bool privileged);

#endif
