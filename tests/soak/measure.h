/* SPDX-License-Identifier: MIT */
/* measure.h - what a process holds */
#ifndef MEASURE_H
#define MEASURE_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct measure {
	size_t resident;     /* KiB */
	size_t proportional; /* of it, where pages are shared */
	size_t private;      /* KiB that it shares with nobody */
	unsigned int descriptors;
	unsigned int threads;
	unsigned int children;
	unsigned int zombies; /* of its children */
};

struct measure_child {
	pid_t pid;
	char state;                 /* as in /proc/PID/stat */
	unsigned long long started; /* clock ticks since the system has started */
};

/* All but the memory; measure_memory() takes a while. */
void measure_take(struct measure *measure, pid_t pid);
void measure_memory(struct measure *measure, pid_t pid);
/* Returns how many there are, of which at most `size` are told. */
size_t measure_children(pid_t pid, struct measure_child *children, size_t size);
/* Prints what its descriptors are. */
void measure_list(FILE *out, pid_t pid);

#endif
