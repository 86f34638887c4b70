/* SPDX-License-Identifier: MIT */
/* inherited.h - the inherited environment, and the changes that pwatch makes for itself
 *
 * COMMAND receives the inherited environment unchanged, because its process is forked before pwatch
 * changes anything except the limit of descriptors, which the process restores. */
#ifndef INHERITED_H
#define INHERITED_H

#include <stdbool.h>
#include <sys/resource.h>

/* Opens those of the descriptors 0 to 2 that are closed, so that no other file gets these numbers.
 * The new descriptors can neither be read nor written, and are closed at exec. Returns 0 or a
 * negative errno. */
int inherited_fill_standard_fds(void);

/* Raises the soft limit of descriptors to the hard limit. `limit` receives the old limits. Returns
 * 0 or a negative errno. */
int inherited_raise_files(struct rlimit *limit);

/* Sets the caller's locale, and returns whether the output may contain UTF-8. */
bool inherited_take_utf8(void);

/* Blocks the signals that pwatch reads from a signalfd(2), and ignores the signals that a write may
 * cause. Returns the signalfd, or a negative errno. With `run` the signals include those that are
 * passed on to COMMAND. SIGCHLD is always included, because the init process of a PID namespace
 * reaps orphans. Signals that the caller ignores stay ignored. `more` lists additional signals and
 * ends with 0; or NULL. Called before any thread exists. */
int inherited_change(bool run, const int *more);

#endif
