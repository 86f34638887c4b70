/* SPDX-License-Identifier: MIT */
/* command.h - runs other programs and measures their cost */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

struct cost {
	double wall; /* seconds from before the fork until the program was reaped */
	double cpu;  /* CPU seconds of the program and its children */
};

/* Starts a program. Its output goes into a pipe, whose read end *output receives, or to /dev/null
 * if output is NULL. Returns the PID. */
pid_t command_start(char *const arguments[], int *output);
/* Runs a program to its end. Returns false if the program fails. */
bool command_run(char *const arguments[], struct cost *cost);
/* Measures the medians of `runs` runs. Returns false if the program fails. */
bool command_measure(char *const arguments[], unsigned int runs, struct cost *cost);

#endif
