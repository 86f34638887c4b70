/* SPDX-License-Identifier: MIT */
/* measure.h - memory, descriptors, threads and children of a process */
#ifndef MEASURE_H
#define MEASURE_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct measure {
	size_t resident;     /* KiB */
	size_t proportional; /* KiB; a shared page counts in part */
	size_t private;      /* KiB of pages that are not shared */
	unsigned int descriptors;
	unsigned int threads;
	unsigned int children;
	unsigned int zombies; /* among the children */
};

struct measure_child {
	pid_t pid;
	char state;                 /* as in /proc/PID/stat */
	unsigned long long started; /* clock ticks since boot */
};

/* Measures everything except the memory. measure_memory() takes longer. */
void measure_take(struct measure *measure, pid_t pid);
void measure_memory(struct measure *measure, pid_t pid);
/* Stores at most `size` children. Returns the number of all children. */
size_t measure_children(pid_t pid, struct measure_child *children, size_t size);
/* Prints the descriptors of a process with their targets. */
void measure_list(FILE *out, pid_t pid);

#endif
