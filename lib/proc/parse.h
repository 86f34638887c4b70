/* SPDX-License-Identifier: MIT */
/* parse.h - parsers of the files of /proc (proc(5)). Pure. */
#ifndef PARSE_H
#define PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Fields of /proc/PID/stat. */
struct process_stat {
	pid_t pid;
	pid_t ppid;
	pid_t group; /* process group and session; 0: in another PID namespace */
	pid_t session;
	char state; /* 'Z': the leader has exited; the process is dead only if threads is 0 or 1 as
	               well */
	unsigned threads;
	bool exiting; /* the leader is exiting: its descriptors are closed, and its files belong to
	                 root */
	uint64_t start_time; /* clock ticks since boot, field 22 */
	char name[64];       /* comm: bytes chosen by the process, may hold blanks, parentheses and
	                        newlines */
};

/* Parses the text of /proc/PID/stat. Returns 0 or -EPROTO. */
int procfs_parse_stat(const char *text, size_t size, struct process_stat *stat);
/* Whether the process has exited and only waits to be reaped. */
bool procfs_is_dead(const struct process_stat *stat);

/* Parses the text of /proc/loadavg: returns the last PID that was assigned, or 0 if there is no
 * number. */
pid_t procfs_parse_loadavg(const char *text, size_t size);

/* Parses the number in the text of a link, "type:[number]". Returns false if the text has another
 * form. */
bool procfs_parse_link(const char *text, const char *type, uint64_t *number);

/* Receives the inode number of a socket. */
typedef void (*procfs_visit_socket)(void *data, uint64_t inode);
/* Parses /proc/PID/fdinfo/N of an io_uring, cut anywhere: calls visit for each socket among the
 * files that are registered with the io_uring. Initially all bytes are zero. */
struct uring_files {
	bool inside;          /* among the lines of these files */
	unsigned int unnamed; /* TCP sockets that the kernel does not identify (Linux 6.12) */
	size_t used;
	char line[64]; /* the beginning of the line: no relevant line fills it */
};
void uring_files_feed(struct uring_files *files, const char *bytes, size_t size,
                      procfs_visit_socket visit, void *data);

/* --- /proc/PID/maps: without allocation, and usable in a forked child --- */

struct range {
	uintptr_t start;
	uintptr_t end;
};

struct mapping {
	struct range range;
	bool private;
	bool anonymous;
	bool heap; /* may follow a .bss without a gap */
	uint64_t inode;
};

/* Parses "start-end perms offset major:minor inode name" (proc(5)). Returns false for other lines.
 */
bool mapping_parse(const char *line, struct mapping *mapping);

#endif
