/* SPDX-License-Identifier: MIT */
/* inherited.h - what pwatch was started with, changed for itself and given back to COMMAND */
#ifndef INHERITED_H
#define INHERITED_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

struct inherited {
	sigset_t mask;
	struct sigaction broken_pipe, file_size, child; /* SIGPIPE, SIGXFSZ, SIGCHLD */
	struct rlimit files;                            /* RLIMIT_NOFILE */
};

/* Fills those of the descriptors 0 to 2 that are closed, so that nothing else gets them: with one
 * that can neither be read nor written and vanishes at exec. 0 or a negative errno. */
int inherited_fill_standard_fds(void);

/* Whether what is printed may have UTF-8 in it: takes the caller's locale for that. */
bool inherited_take_utf8(void);

/* Blocks the signals that are to be read from the descriptor, ignores those that writing may cause,
 * allows as many descriptors as may be. Returns a signalfd(2), or a negative errno. With run, for
 * COMMAND: the signals are those that are passed on, and SIGCHLD. Signals that the caller ignores
 * stay ignored. Before any thread is made. */
int inherited_change(struct inherited *inherited, bool run);

/* Gives all of it back; between fork(2) and exec(2). */
void inherited_restore(const struct inherited *inherited);

#endif
