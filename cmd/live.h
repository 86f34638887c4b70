/* SPDX-License-Identifier: MIT */
/* live.h - the table of --live, kept up to date on a terminal */
#ifndef LIVE_H
#define LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "explain.h"
#include "format.h"
#include "listing.h"

struct live;

/* Why there can be no table on this terminal, and what to do; NULL if there can. */
const char *live_obstacle(void);

/* Takes the terminal of standard input and output until live_close(), which puts it back as it was.
 * A signal that ends pwatch at once, such as that of a crash, puts it back as well. `way` is shown,
 * and outlives the table. NULL with a message where that has failed. */
struct live *live_open(const struct format_style *style, const char *way);
void live_close(struct live *live);

/* The listing has changed: it is to be drawn soon. */
void live_change(struct live *live);

/* When live_draw() has something to do, CLOCK_MONOTONIC in milliseconds; 0: not before a change. */
int64_t live_next(const struct live *live);

/* Draws the listing and how many ports are hidden, if it is time. 0, or -ENOMEM. */
int live_draw(struct live *live, const struct listing *listing, const struct explain *explain,
              int64_t now);

/* Handles the keys that were pressed. Returns false if one of them ends it. */
bool live_take_keys(struct live *live);

/* SIGTSTP, SIGCONT or SIGWINCH has come, which pwatch waits for: stops, goes on, or takes the new
 * size of the terminal. */
void live_take_signal(struct live *live, int signal_number);

#endif
