/* SPDX-License-Identifier: MIT */
/* run.h - the COMMAND that pwatch runs
 *
 * The process that becomes COMMAND is the caller's: the caller may trace it, read its memory and
 * take its descriptors (pidfd_getfd(2)). So it is forked before anything else exists that pwatch
 * relies on, and shares two pipes with pwatch and nothing more; see also handover.h. */
#ifndef RUN_H
#define RUN_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/types.h>

/* Exit statuses of pwatch where COMMAND has none. */
#define RUN_FAILED 125
#define RUN_NOT_EXECUTABLE 126
#define RUN_NOT_FOUND 127

struct run {
	pid_t pid;
	int go_fd;      /* what holds COMMAND at its start; -1 once it was let go */
	int failure_fd; /* says why it could not be executed, or ends when it was; nonblocking */
	bool adopts;    /* orphaned descendants become children of pwatch */
	bool reaped;    /* then status is valid and pid isn't */
	bool alone;     /* no child process is left */
	int status;     /* exit status of pwatch */
};

#define RUN_INIT ((struct run){.go_fd = -1, .failure_fd = -1, .status = RUN_FAILED})

/* Forks a process that waits to become COMMAND with the limit of descriptors as it was, or to end
 * where there is no command. The process doesn't get private_fd (or -1), unless that is one of the
 * descriptors 0 to 2. 0 or a negative errno. */
int run_fork(struct run *run, char **command, const struct rlimit *files, int private_fd);

/* Makes pwatch the reaper of orphaned descendants. Where that is refused, as in some sandboxes,
 * what COMMAND detaches becomes the init process's: returns the negative errno. */
int run_adopt(struct run *run);

/* Lets COMMAND go. */
void run_go(struct run *run);

/* Reads failure_fd once it is readable. False when nothing is known yet. Else closes it; `error`
 * receives 0 when COMMAND was executed, or the errno of execvp(3), and then status says so. */
bool run_result(struct run *run, int *error);

/* Reaps COMMAND and all orphans that have ended; without COMMAND only those. */
void run_reap(struct run *run);

/* Passes a signal on to COMMAND, unless the terminal has sent it there too. */
void run_pass_on(const struct run *run, const struct signalfd_siginfo *info);

/* Lets go of it all. A process that was not let go ends without becoming COMMAND. */
void run_finish(struct run *run);

#endif
