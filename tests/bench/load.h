/* SPDX-License-Identifier: MIT */
/* load.h - the cost of the library's threads and helpers: all of this process but its main thread
 */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOAD_TASKS 4096

struct tasks {
	size_t count;
	pid_t each[LOAD_TASKS];
};

/* The library's helpers: the children of this process except `other`. */
void load_helpers(struct tasks *tasks, pid_t other);
/* The threads of this process except the main thread. */
void load_threads(struct tasks *tasks);

/* CPU time in seconds of the library's threads and of the helpers, reaped children included. */
double load_cpu(const struct tasks *helpers);

/* Private memory of a process in bytes (smaps_rollup, proc_pid_smaps(5)); NAN: unknown. */
double load_private_memory(pid_t pid);

/* Starts to count the system calls of the threads and the helpers by ptrace(2). Returns NULL and
 * sets a negative errno if the kernel refuses. */
struct trace;
struct trace *trace_start(const struct tasks *threads, const struct tasks *helpers, int *error);
/* The number of system calls so far. */
unsigned long trace_count(const struct trace *trace);
void trace_stop(struct trace *trace);

/* The number of forks on this machine since its start. */
uint64_t load_forks(void);

#endif
