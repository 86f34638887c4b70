/* SPDX-License-Identifier: MIT */
/* inherited.h - what pwatch was started with and changes for itself
 *
 * COMMAND gets the inherited environment as pwatch found it, because its process is forked before
 * pwatch changes anything but the limit of descriptors. */
#ifndef INHERITED_H
#define INHERITED_H

#include <stdbool.h>
#include <sys/resource.h>

/* Fills those of the descriptors 0 to 2 that are closed, so that nothing else gets them: with one
 * that can neither be read nor written and vanishes at exec. 0 or a negative errno. */
int inherited_fill_standard_fds(void);

/* Allows as many descriptors as may be. `limit` receives what there was. 0 or a negative errno. */
int inherited_raise_files(struct rlimit *limit);

/* Whether what is printed may have UTF-8 in it: takes the caller's locale for that. */
bool inherited_take_utf8(void);

/* Blocks the signals that are to be read from the descriptor, and ignores those that writing may
 * cause. Returns a signalfd(2), or a negative errno. With run, for COMMAND: the signals are those
 * that are passed on. SIGCHLD is one in any case, because the init process of a PID namespace reaps
 * orphans. Signals that the caller ignores stay ignored. `more` are other ones, up to a 0, or NULL.
 * Before any thread is made. */
int inherited_change(bool run, const int *more);

#endif
