/* SPDX-License-Identifier: MIT */
/* netns_reader.h - chooses the way to read a network namespace, and another when it fails */
#ifndef NETNS_READER_H
#define NETNS_READER_H

#include "watch/netns.h"

/* By which reader it is read; PORTWATCH_READER_AUTO while none works. */
enum portwatch_reader netns_reader(const struct netns *ns);
/* Whether its reader reports closed sockets: 1; 0 if not requested; or a negative errno. */
int netns_reports_closed(const struct netns *ns);

/* --- for netns.c --- */

/* Opens the first reader that can be opened; false if there is none. */
bool netns_open_reader(struct netns *ns);
void netns_close_reader(struct netns *ns);
/* Before a reader is opened: where there are as many helpers as there may be, the namespace that
 * was read longest ago gives up its own. False while all of them are busy. */
bool netns_make_room(struct netns *ns);
/* It is about to be read: its helper is the last to be given up. */
void netns_note_use(struct netns *ns);
/* No way is left: pause, then begin with the best again. */
void netns_exhaust(struct netns *ns, uint64_t now);
/* The reader has died: pause and open it again, or take the next way. */
void netns_reader_broke(struct netns *ns, struct failure failure, uint64_t now);
/* Whether its reader has lasted long enough that earlier failures count no more. */
bool netns_is_reliable(const struct netns *ns, uint64_t now);
/* Its first complete table is in: logs by which way, and why. */
void netns_reader_works(struct netns *ns, uint64_t now);
/* Its reader has reported too many closed sockets: opens it again, to report none for a while. */
void netns_silence_closes(struct netns *ns, uint64_t now);
/* What its helper has done since the last call, in ns of CPU; where that is unknown, the time since
 * the request. */
uint64_t netns_helper_cost(struct netns *ns, uint64_t now);
/* The length of the read that has just ended, in ns. While other processes of a busy machine have
 * the CPU, the read goes on for longer and costs nothing, so a long read counts by its CPU time,
 * where it is known. */
uint64_t netns_read_length(struct netns *ns, uint64_t now);
/* The same for a read without an answer, which has taken this time in the helper. */
uint64_t netns_silent_length(struct netns *ns, uint64_t took);
void netns_log(struct netns *ns, enum portwatch_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Logs a warning unless it was the last one. */
void netns_warn_once(struct netns *ns, const char *text);

#endif
