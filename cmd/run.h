/* SPDX-License-Identifier: MIT */
/* run.h - the COMMAND that pwatch runs
 *
 * The process that becomes COMMAND belongs to the caller, who may trace it, read its memory and
 * take its descriptors (pidfd_getfd(2)). It is therefore forked before anything else exists on
 * which pwatch relies, and shares only two pipes with pwatch; see also handover.h. */
#ifndef RUN_H
#define RUN_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/types.h>

/* Exit statuses of pwatch if COMMAND has none. */
#define RUN_FAILED 125
#define RUN_NOT_EXECUTABLE 126
#define RUN_NOT_FOUND 127

struct run {
	pid_t pid;
	int go_fd;      /* COMMAND waits on this pipe before its exec; -1 after run_go() */
	int failure_fd; /* receives the errno of a failed exec; at its end after exec; nonblocking
	                 */
	bool adopts;    /* orphaned descendants become children of pwatch */
	bool reaped;    /* then status is valid and pid is not */
	bool alone;     /* no child process is left */
	int status;     /* exit status of pwatch */
};

#define RUN_INIT ((struct run){.go_fd = -1, .failure_fd = -1, .status = RUN_FAILED})

/* Forks a process that waits for run_go() to become COMMAND, with `files` as its limit of
 * descriptors; without a command it waits for its end. The process does not inherit private_fd (or
 * -1), unless private_fd is one of the descriptors 0 to 2. Returns 0 or a negative errno. */
int run_fork(struct run *run, char **command, const struct rlimit *files, int private_fd);

/* Makes pwatch the reaper of orphaned descendants. Returns 0, or a negative errno if the kernel
 * refuses, as in some sandboxes: processes that COMMAND detaches then become children of the init
 * process. */
int run_adopt(struct run *run);

/* Releases the process, so that it becomes COMMAND. */
void run_go(struct run *run);

/* Reads failure_fd, which must be readable. Returns false if the result is not known yet. Otherwise
 * closes it; `error` receives 0 if COMMAND was executed, or the errno of execvp(3), and status is
 * set accordingly. */
bool run_result(struct run *run, int *error);

/* Reaps COMMAND and all orphans that have ended; without COMMAND only the orphans. */
void run_reap(struct run *run);

/* Passes a signal on to COMMAND, unless the terminal has sent it to COMMAND too. */
void run_pass_on(const struct run *run, const struct signalfd_siginfo *info);

/* Closes the pipes. A process that was not released by run_go() ends without becoming COMMAND. */
void run_finish(struct run *run);

#endif
