/* SPDX-License-Identifier: MIT */
/* failure.h - what went wrong, in a form that crosses a pipe and ends in a message */
#ifndef FAILURE_H
#define FAILURE_H

/* The greatest errno that the kernel knows (MAX_ERRNO in include/linux/err.h). What others say is
 * an errno is held against it. */
#define ERRNO_MAX 4095

/* A failed step. step is a static string that completes "cannot ..." for people, for example
 * "enter the network namespace (setns)"; error is a positive errno. {NULL, 0}: no failure. */
struct failure {
	const char *step;
	int error;
};

#endif
