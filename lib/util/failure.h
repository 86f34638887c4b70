/* SPDX-License-Identifier: MIT */
/* failure.h - a failure, in a form that can cross a pipe and end in a message */
#ifndef FAILURE_H
#define FAILURE_H

#include <errno.h>
#include <stdbool.h>

/* The greatest errno of the kernel (MAX_ERRNO in include/linux/err.h). Errno values from other
 * processes are checked against it. */
#define ERRNO_MAX 4095

/* Returns whether a negative errno is a refusal, which a retry will not change soon. */
static inline bool error_is_refusal(int error)
{
	return error == -EACCES || error == -EPERM;
}

/* Returns whether a negative errno is a lack of descriptors or memory, after which nothing is
 * known. */
static inline bool error_is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

/* A failed step. step is a static string that completes "cannot ..." in messages, for example
 * "enter the network namespace (setns)"; error is a positive errno. {NULL, 0}: no failure. */
struct failure {
	const char *step;
	int error;
};

#endif
