/* SPDX-License-Identifier: MIT */
/* reader.h - ways to fetch the table of listening sockets of one network namespace
 *
 * The layer table reads the listening sockets of one namespace, and knows nothing of watchers. The
 * kernel's bytes come from source.h, in this process or in a helper (helper.h), which was forked
 * and has entered the namespace. A helper sends the bytes through a pipe in frames (frame.h).
 * parse_diag.h and parse_text.h make listeners of the bytes, and snapshot.h compares what listens
 * now with what listened before. closes.h hears from the kernel that a socket is gone, and probe.h
 * asks the sockets of a process in which namespace they were made. step.h names every step that can
 * fail.
 *
 * A table is complete or it is no information: half an answer, a failed read and a reader that died
 * never make a port close. Helpers and what runs in them (helper*.c, source.c, frame.c) call
 * neither malloc nor stdio.
 *
 * There are four kinds of readers (reader_ops.h), and the rest of the library does not know which
 * one is in use. A reader is asked for a table, and answers at once (local, procfs) or when its
 * descriptor becomes readable (setns, nsenter: a child that answers through a pipe). */
#ifndef READER_H
#define READER_H

#include <stdbool.h>
#include <stdint.h>

#include "util/failure.h"
#include "portwatch.h"
#include "proc/procfs.h"
#include "table/snapshot.h"

struct reader;

struct reader_target {
	const struct procfs *procfs;
	pid_t pid;             /* a process in the namespace: its init, else the oldest */
	uint64_t start_time;   /* of that process */
	struct netns_id netns; /* what must be reached: refuse with -ESTALE if the process has moved
	                          elsewhere */
	const char *nsenter;   /* absolute path of nsenter(1); NULL: not installed */
	bool closes;           /* closed sockets are to be reported, see reader_take_closed() */
	int descriptor;        /* of the namespace, where no process leads there (pid 0); the
	                          caller's. 0: none */
};

enum reader_state {
	READER_PENDING,  /* no answer yet, or only a part of it */
	READER_COMPLETE, /* reader_snapshot() holds a complete table */
	READER_RETRY,    /* no information this time (for example an interrupted dump); the reader
	                    works on */
	READER_BROKEN,   /* the reader is dead, see reader_failure(); only reader_close() is left */
};

/* Opens a reader of the given kind (not AUTO) with a form of the table (AUTO: diag, and procfs
 * where diag is refused or missing). Returns 0 or a negative errno with *failure set. A child's own
 * failure (setns refused, ...) comes later, as READER_BROKEN of the first request. */
int reader_open(struct reader **reader, enum portwatch_reader kind, enum portwatch_table table,
                const struct reader_target *target, struct failure *failure);

/* Closes it: kills its child. *child receives the child to reap (pid 0: there is none); the caller
 * reaps it. Until it is gone its pid must not be taken for a member of a tree. NULL reader allowed.
 */
struct child;
void reader_close(struct reader *reader, struct child *child);

/* The descriptor to wait on (EPOLLIN), or -1 for a reader that answers at once and reports nothing.
 * Constant for the
 * reader's life. */
int reader_fd(const struct reader *reader);
/* The PID of its child; 0 where it has none. */
pid_t reader_pid(const struct reader *reader);

/* A number that changes while its child does anything: the time of CPU that the child has used, and
 * the bytes that it has sent. A child that is stopped, or that waits for something, leaves it as it
 * is. */
uint64_t reader_progress(const struct reader *reader);
/* The bytes that its child has sent. */
uint64_t reader_received(const struct reader *reader);

/* Asks for the table. One request at a time. */
enum reader_state reader_request(struct reader *reader);
/* Takes what the descriptor has to give, without blocking. */
enum reader_state reader_process(struct reader *reader);

/* Whether it reports closed sockets, as the target has asked for: 1; 0: that was not asked for; a
 * negative errno: why not. Known with the first complete table. -EBUSY: no more, because so many
 * sockets are closed there that to report them costs more than a percent of a CPU. */
int reader_reports_closed(const struct reader *reader);
/* Whether a listening socket was closed since the last call, or since the last request: the table
 * is to be read. To be asked whenever the descriptor was readable and reader_process() was called,
 * also where nothing was requested. */
bool reader_take_closed(struct reader *reader);

/* The last complete table, sealed. Valid until the next request. */
const struct snapshot *reader_snapshot(const struct reader *reader);
/* Why the reader is broken, or why it said RETRY. */
struct failure reader_failure(const struct reader *reader);
/* The form in use: DIAG or PROCFS; AUTO before the first complete table. */
enum portwatch_table reader_table(const struct reader *reader);
/* Why it isn't diag: the failure that made AUTO fall back; {NULL, 0} if it didn't. */
struct failure reader_table_failure(const struct reader *reader);
/* The cookie of the namespace; 0 where it isn't known (before the first complete table, procfs,
 * nsenter). */
uint64_t reader_cookie(const struct reader *reader);
/* Malformed rows since it was opened. */
uint64_t reader_rejected(const struct reader *reader);
/* Rows read and bytes received since it was opened. */
uint64_t reader_rows(const struct reader *reader);

#endif
