/* SPDX-License-Identifier: MIT */
/* load.h - what this process costs beside its main thread: the library's threads and helpers */
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

/* The children of this process but `other`: the library's helpers. */
void load_helpers(struct tasks *tasks, pid_t other);
/* Its threads but the main one. */
void load_threads(struct tasks *tasks);

/* CPU time in seconds of these threads and of these processes, with what they have waited for. */
double load_cpu(const struct tasks *helpers);

/* Private memory of a process, in bytes (smaps_rollup, proc_pid_smaps(5)); NAN if unknown. */
double load_private_memory(pid_t pid);

/* Counts the system calls of the threads and the helpers, by ptrace(2). NULL where that can't be,
 * with a negative errno. */
struct trace;
struct trace *trace_start(const struct tasks *threads, const struct tasks *helpers, int *error);
/* So many until now. */
unsigned long trace_count(const struct trace *trace);
void trace_stop(struct trace *trace);

/* How many processes this machine has forked since it was started. */
uint64_t load_forks(void);

#endif
