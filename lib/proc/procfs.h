/* SPDX-License-Identifier: MIT */
/* procfs.h - the /proc directory descriptor and every openat(2) below it (proc(5)).
 * Tests use a directory of plain files instead. */
#ifndef PROCFS_H
#define PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/parse.h"

struct procfs {
	int fd;               /* O_PATH | O_DIRECTORY | O_CLOEXEC, never 0 to 2 */
	int loadavg;          /* kept open for procfs_last_pid(); -1 until then */
	bool loadavg_refused; /* the file cannot be opened, or is not the kernel's own: not tried
	                         again */
};

/* Identifies a network namespace while it exists: the (st_dev, st_ino) of /proc/PID/net/tcp. The
 * kernel creates one such entry for each network namespace (fs/proc/proc_net.c), and no privilege
 * is needed to stat it. The numbers are reused after the namespace is gone. */
struct netns_id {
	uint64_t dev;
	uint64_t ino;
};

static inline bool netns_id_is_same(const struct netns_id *a, const struct netns_id *b)
{
	return a->ino == b->ino && a->dev == b->dev;
}

/* Opens path ("/proc"). Returns 0 or a negative errno. procfs_is_ours(): whether it shows the
 * caller's PID namespace (the link `self` is the caller's PID). */
int procfs_open(struct procfs *procfs, const char *path);
void procfs_close(struct procfs *procfs);
bool procfs_is_ours(const struct procfs *procfs);

/* Opens the directory of one process, through which all its files are read: a descriptor that the
 * caller closes, or -ESRCH (also if /proc hides it), -EMFILE, ... Such a descriptor never refers to
 * another process, and does not keep a namespace alive. */
int procfs_open_process(const struct procfs *procfs, pid_t pid);

/* The same by /proc itself, where a struct procfs is at hand nowhere: -ENOENT where /proc shows
 * another PID namespace than ours. */
int procfs_open_own(pid_t pid);

/* Opens name below directory (O_CLOEXEC, never 0 to 2) with the flags of open(2). For a process
 * that is gone, the kernel may return ENOENT or ESRCH; the value is passed on. */
int procfs_open_at(int directory, const char *name, int flags);

/* Reads a small file completely, NUL-terminated. Returns its size; -EFBIG if it does not fit;
 * another errno. */
ssize_t procfs_read(int directory, const char *name, char *buffer, size_t size);

/* Reads and parses stat. Returns 0; -ESRCH if the process is gone; another negative errno. */
int procfs_read_stat(int process, struct process_stat *stat);
/* The same through the stat file of the process, which stays open: the descriptor refers to this
 * process only, even if its PID is reused. */
int procfs_open_stat(int process);
int procfs_reread_stat(int fd, struct process_stat *stat);
/* The PID in the innermost PID namespace (NSpid of /proc/PID/status, last field), and the depth of
 * this namespace (number of fields). Returns 0 or a negative errno. */
int procfs_read_nspid(int process, pid_t *innermost, unsigned *depth);

/* The identity of its network namespace. Works on a process whose leader has exited (task/TID/net).
 * 0 or a negative errno. */
int procfs_netns(int process, struct netns_id *id);
/* The same in one call, for the process that has the PID now. Does not work after the leader has
 * exited. */
int procfs_netns_of(const struct procfs *procfs, pid_t pid, struct netns_id *id);
/* The inode number of the link ns/net; *inode is 0 if the kernel refuses access. As above also
 * through task/TID. */
int procfs_netns_inode(int process, uint64_t *inode);
/* Opens ns/net (or task/TID/ns/net) itself, O_RDONLY. The descriptor keeps the namespace alive. */
int procfs_open_netns(int process);

/* Calls visit for each number that the directory `name` below `directory` lists ("." allowed):
 * PIDs, TIDs, descriptors. Stops when visit returns nonzero and returns that; 0 at the end; a
 * negative errno. */
typedef int (*procfs_visit)(void *data, long number);
int procfs_each_number(int directory, const char *name, procfs_visit visit, void *data);
/* The same for a directory that the caller has opened for reading. */
int procfs_list_numbers(int list, procfs_visit visit, void *data);
/* Lists a part of it, from the end of the last call: the entries of one getdents64(2), about 60.
 * Returns 1 if there may be more, 0 at the end, a negative errno; or the value that visit returned,
 * after which the rest of the part is skipped. */
int procfs_list_some(int list, procfs_visit visit, void *data);

/* Calls visit for each child of the process (task/TID/children of all its threads); `stat` is the
 * result of procfs_read_stat(). Returns as above, and -ENOENT if the kernel has no such files
 * (CONFIG_PROC_CHILDREN), -ESRCH if the process is gone. A child that exits while its siblings are
 * listed can hide one of them, so the caller must list again after an exit. */
int procfs_each_child(int process, const struct process_stat *stat, procfs_visit visit, void *data);

/* Reads the text of a link, cut to the size and NUL-terminated. Its length, or a negative errno. */
ssize_t procfs_read_link_text(int directory, const char *path, char *text, size_t size);
/* Reads the number of a link "type:[number]". Returns 1, 0 for a link of another form, or a
 * negative errno. */
int procfs_read_link(int directory, const char *path, const char *type, uint64_t *number);

/* Opens a pidfd of the process with this start time: a descriptor, -ESRCH, or another errno. */
int procfs_open_pidfd(const struct procfs *procfs, pid_t pid, uint64_t start_time);

/* Whether a process that /proc does not show is alive nevertheless (hidepid). Works only if /proc
 * shows the caller's PID namespace: otherwise false. */
bool procfs_is_hidden(const struct procfs *procfs, pid_t pid);

/* The last PID assigned in the caller's PID namespace (/proc/loadavg, last field); 0 if it is
 * unknown: the file cannot be read, or is not the kernel's own. LXCFS, for example, mounts another
 * file over it, whose last field is arbitrary and may never change. The kernel's field changes with
 * each fork: read it before the tree, so that forks during the read count as a change. */
pid_t procfs_last_pid(struct procfs *procfs);

#endif
