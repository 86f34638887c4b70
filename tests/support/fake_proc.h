/* SPDX-License-Identifier: MIT */
/* fake_proc.h - a directory of plain files that looks like /proc */
#ifndef FAKE_PROC_H
#define FAKE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/procfs.h"

struct fake_process {
	pid_t pid;
	pid_t ppid;
	pid_t group;
	pid_t session;
	unsigned threads;
	uint64_t start_time;
	char state;
	bool exiting;
	const char *name;
};

struct fake_proc {
	char path[256];
	struct procfs procfs;
	struct fake_process processes[64];
	size_t count;
	bool lists_children; /* has task/TID/children */
};

/* Makes and opens an empty directory, with or without the files that list children. */
void fake_proc_setup(struct fake_proc *fake, bool lists_children);
void fake_proc_teardown(struct fake_proc *fake);

/* Adds a running process with one thread. */
void fake_proc_add(struct fake_proc *fake, pid_t pid, pid_t ppid, uint64_t start_time);
/* Removes a process, as if it had been reaped. Its children keep their parent's PID. */
void fake_proc_remove(struct fake_proc *fake, pid_t pid);
void fake_proc_reparent(struct fake_proc *fake, pid_t pid, pid_t ppid);
/* Finds a process that the test may change. fake_proc_write() then writes the process. */
struct fake_process *fake_proc_find(struct fake_proc *fake, pid_t pid);
void fake_proc_write(struct fake_proc *fake, const struct fake_process *process);
/* Puts a process into a network namespace. */
void fake_proc_netns(struct fake_proc *fake, pid_t pid, const char *netns);
/* Sets which process the calling process is. */
void fake_proc_self(struct fake_proc *fake, pid_t pid);

/* Makes a file, directory or symbolic link in the directory, and its parent directories. */
void fake_proc_file(struct fake_proc *fake, const char *content, const char *name, ...)
	__attribute__((format(printf, 3, 4)));
void fake_proc_directory(struct fake_proc *fake, const char *name, ...)
	__attribute__((format(printf, 2, 3)));
void fake_proc_link(struct fake_proc *fake, const char *target, const char *name, ...)
	__attribute__((format(printf, 3, 4)));
/* Removes a file or a whole directory. */
void fake_proc_delete(struct fake_proc *fake, const char *name, ...)
	__attribute__((format(printf, 2, 3)));

#endif
