/* SPDX-License-Identifier: MIT */
/* netns_reader.h - chooses the reader of a network namespace, and another reader after failures */
#ifndef NETNS_READER_H
#define NETNS_READER_H

#include "watch/netns.h"

/* Returns the kind of reader in use; PORTWATCH_READER_AUTO while no reader works. */
enum portwatch_reader netns_reader(const struct netns *ns);
/* Returns 1 if the reader reports closed sockets, 0 if this is not requested, or a negative errno.
 */
int netns_reports_closed(const struct netns *ns);

/* --- for netns.c --- */

/* Opens the first reader that can be opened. Returns false if there is none. */
bool netns_open_reader(struct netns *ns);
void netns_close_reader(struct netns *ns);
/* Called before a reader is opened. If the limit of helpers is reached, the namespace that was read
 * longest ago gives up its helper. Returns false while all helpers are busy. */
bool netns_make_room(struct netns *ns);
/* The namespace is about to be read, so its helper is the last one to be given up. */
void netns_note_use(struct netns *ns);
/* No reader is left: after a pause the best reader is tried again. */
void netns_exhaust(struct netns *ns, uint64_t now);
/* The reader has failed: opens it again after a pause, or opens the next kind. */
void netns_reader_broke(struct netns *ns, struct failure failure, uint64_t now);
/* Returns whether the reader has worked for so long that earlier failures no longer count. */
bool netns_is_reliable(const struct netns *ns, uint64_t now);
/* Called after the first complete read: logs the reader and the form, and the reasons. */
void netns_reader_works(struct netns *ns, uint64_t now);
/* The reader has reported too many closed sockets: opens the reader again without these reports,
 * for a while. */
void netns_silence_closes(struct netns *ns, uint64_t now);
/* Returns the CPU time of the helper since the last call, in ns. If it is unknown, returns the time
 * since the request. */
uint64_t netns_helper_cost(struct netns *ns, uint64_t now);
/* Returns the length of the read that has just ended, in ns. For a long read this is the CPU time,
 * if it is known, because the elapsed time includes the time in which other processes had the CPU.
 */
uint64_t netns_read_length(struct netns *ns, uint64_t now);
/* The same for a read without an answer. took: the duration in the helper. */
uint64_t netns_silent_length(struct netns *ns, uint64_t took);
void netns_log(struct netns *ns, enum portwatch_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Logs a warning unless it was the last one. */
void netns_warn_once(struct netns *ns, const char *text);

#endif
