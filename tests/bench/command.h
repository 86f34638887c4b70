/* SPDX-License-Identifier: MIT */
/* command.h - runs other programs, and tells what they cost */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <sys/types.h>

struct cost {
	double wall, cpu; /* seconds, from before fork to the end; of the program and what it ran */
};

/* Starts a program, its output into a pipe or (NULL) to /dev/null. Returns its PID. */
pid_t command_start(char *const arguments[], int *output);
/* Runs it to its end. False where it fails. */
bool command_run(char *const arguments[], struct cost *cost);
/* The medians of so many runs. False where it can't be run. */
bool command_measure(char *const arguments[], unsigned int runs, struct cost *cost);

#endif
