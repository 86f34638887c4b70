/* SPDX-License-Identifier: MIT */
/* run.h - the COMMAND that pwatch runs */
#ifndef RUN_H
#define RUN_H

#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>
#include <sys/types.h>

#include "inherited.h"

/* Exit statuses of pwatch where COMMAND has none. */
#define RUN_FAILED 125
#define RUN_NOT_EXECUTABLE 126
#define RUN_NOT_FOUND 127

struct run {
	pid_t pid;
	int go_fd;      /* what holds COMMAND at its start; -1 once it was let go */
	int failure_fd; /* says why it could not be executed, or ends when it was */
	bool reaped;    /* then status is valid and pid isn't */
	bool alone;     /* no child process is left */
	int status;     /* exit status of pwatch */
};

/* Makes pwatch the reaper of orphaned descendants and forks a process that waits to become COMMAND.
 * 0 or a negative errno. */
int run_prepare(struct run *run, char **command, const struct inherited *inherited);

/* Lets COMMAND go. */
void run_go(struct run *run);

/* Reads failure_fd once it is readable, and closes it. 0 when COMMAND was executed, else the
 * negative errno of execvp(3); then status says so. */
int run_result(struct run *run);

/* Reaps COMMAND and all orphans that have ended. */
void run_reap(struct run *run);

/* Passes a signal on to COMMAND, unless the terminal has sent it there too. */
void run_pass_on(const struct run *run, const struct signalfd_siginfo *info);

/* Lets go of it all. A process that was not let go ends without becoming COMMAND. */
void run_finish(struct run *run);

#endif
