/* SPDX-License-Identifier: MIT */
/* live.h - the table of --live, updated on a terminal */
#ifndef LIVE_H
#define LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "explain.h"
#include "format.h"
#include "listing.h"

struct live;

/* Why no table can be shown on this terminal, and what to do; NULL if it can be shown. */
const char *live_obstacle(void);

/* Uses the terminal of standard input and output until live_close(), which restores it. A signal
 * that kills pwatch, such as SIGSEGV, restores it too. `way` is a text for the title, and must
 * outlive the table. Returns NULL, and prints a message, on failure. */
struct live *live_open(const struct format_style *style, const char *way);
void live_close(struct live *live);

/* Notes that the listing has changed, so that live_draw() draws it soon. */
void live_change(struct live *live);

/* When live_draw() has something to do, CLOCK_MONOTONIC in milliseconds; 0: after the next
 * change. */
int64_t live_next(const struct live *live);

/* Draws the listing and the number of hidden ports if the time has come. Returns 0 or -ENOMEM. */
int live_draw(struct live *live, const struct listing *listing, const struct explain *explain,
              int64_t now);

/* Handles pending keys. Returns false if one of them ends pwatch. */
bool live_take_keys(struct live *live);

/* Handles SIGTSTP, SIGCONT or SIGWINCH, which pwatch blocks and reads: stops, continues, or adopts
 * the new size of the terminal. */
void live_take_signal(struct live *live, int signal_number);

#endif
