/* SPDX-License-Identifier: MIT */
/* hook.h - the command of --exec, run for each event
 *
 * A process of its own, the runner, takes the events as lines from a pipe and runs the command for
 * one after the other. It is forked before pwatch changes or opens anything, so that the command
 * runs as if the caller ran it, and it is nobody's child whom pwatch watches. However long the
 * command takes, the lines wait in the pipe and then in memory. */
#ifndef HOOK_H
#define HOOK_H

#include <sys/resource.h>

#include "format.h"
#include "output.h"

struct run;

struct hook {
	int request_fd; /* for the lines; -1 where there is no hook */
	int done_fd;    /* ends when the runner has */
	struct output requests;
	bool overdue; /* events were left out */
};

#define HOOK_INIT ((struct hook){.request_fd = -1, .done_fd = -1, .requests = {.fd = -1}})

/* Forks the runner, which gets neither private_fd (or -1) nor what belongs to COMMAND. 0 or a
 * negative errno. */
int hook_fork(struct hook *hook, const char *command, const struct run *run,
              const struct rlimit *files, int private_fd);

/* Takes request_fd into use: before the first event. */
void hook_open(struct hook *hook);

/* Has the command run for an event, some time. What can't be done is reported once. */
void hook_event(struct hook *hook, const struct format_fields *fields);

/* Writes what is pending as far as it goes without waiting. */
void hook_flush(struct hook *hook);
bool hook_is_pending(const struct hook *hook);

/* No more events come: waits for the commands that are due, but no longer than so many
 * milliseconds. What isn't done then goes on without pwatch. */
void hook_finish(struct hook *hook, int timeout);

#endif
