/* SPDX-License-Identifier: MIT */
/* hook.h - the command of --exec, run for each event
 *
 * A separate process, the runner, reads the events as lines from a pipe and runs the command for
 * one event at a time. It is forked before pwatch changes or opens anything, so that the command
 * runs as if the caller ran it, and it is not a child of a process that pwatch watches. While the
 * command runs, the lines wait in the pipe and then in memory. */
#ifndef HOOK_H
#define HOOK_H

#include <sys/resource.h>

#include "format.h"
#include "output.h"

struct run;

struct hook {
	int request_fd; /* for the lines; -1 without a hook */
	int done_fd;    /* at its end when the runner has exited */
	struct output requests;
	bool overdue; /* events were left out */
};

#define HOOK_INIT ((struct hook){.request_fd = -1, .done_fd = -1, .requests = {.fd = -1}})

/* Forks the runner, which inherits neither private_fd (or -1) nor the descriptors of `run`. Returns
 * 0 or a negative errno. */
int hook_fork(struct hook *hook, const char *command, const struct run *run,
              const struct rlimit *files, int private_fd);

/* Prepares request_fd. Called before the first event. */
void hook_open(struct hook *hook);

/* Queues an event for the command. A failure is reported once. */
void hook_event(struct hook *hook, const struct format_fields *fields);

/* Writes pending lines without waiting. */
void hook_flush(struct hook *hook);
bool hook_is_pending(const struct hook *hook);

/* Called after the last event. Waits up to `timeout` milliseconds for the remaining commands, which
 * then continue without pwatch. */
void hook_finish(struct hook *hook, int timeout);

#endif
