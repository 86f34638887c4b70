/* SPDX-License-Identifier: MIT */
/* reader.h - ways to fetch the table of listening sockets of one network namespace
 *
 * The layer `table` reads the listening sockets of one namespace, and is independent of watchers.
 * source.h reads the bytes of the kernel, in this process or in a helper (helper.h), which was
 * forked and has entered the namespace. A helper sends the bytes through a pipe in frames
 * (frame.h). parse_diag.h and parse_text.h convert the bytes into listeners, and snapshot.h
 * compares them with the previous ones. closes.h receives reports of destroyed sockets, and probe.h
 * finds the namespaces in which the sockets of a process were created. step.h names every step that
 * can fail.
 *
 * Only a complete table counts: a partial answer, a failed read and a dead reader never close a
 * port. The code of helpers (helper*.c, source.c, frame.c) calls neither malloc nor stdio.
 *
 * There are four kinds of readers (reader_ops.h), and the rest of the library does not depend on
 * the kind. A reader is asked for a table, and answers at once (local, procfs) or when its
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
	pid_t pid;           /* a process in the namespace: its init, else the oldest */
	uint64_t start_time; /* of that process */
	struct netns_id
		netns; /* the wanted namespace: -ESTALE if the process has moved to another one */
	const char *nsenter; /* absolute path of nsenter(1); NULL: not installed */
	bool closes;         /* closed sockets are to be reported, see reader_take_closed() */
	int descriptor;      /* of the namespace, if there is no process in it (pid 0); owned by the
	                        caller. 0: none */
};

enum reader_state {
	READER_PENDING,  /* the answer is not complete yet */
	READER_COMPLETE, /* reader_snapshot() holds a complete table */
	READER_RETRY, /* the read has failed this time (for example an interrupted dump); the reader
	                 still works */
	READER_BROKEN, /* the reader is dead, see reader_failure(); only reader_close() is left */
};

/* Opens a reader of the given kind (not AUTO) with a form of the table (AUTO: diag, and procfs
 * where diag is refused or missing). Returns 0 or a negative errno with *failure set. A failure of
 * the child (setns refused, ...) is reported later, as READER_BROKEN of the first request. */
int reader_open(struct reader **reader, enum portwatch_reader kind, enum portwatch_table table,
                const struct reader_target *target, struct failure *failure);

/* Closes a reader and kills its child. *child receives the child to reap (pid 0: there is none);
 * the caller reaps it. Until it is reaped, its PID must not be treated as a member of a tree. NULL
 * reader allowed. */
struct child;
void reader_close(struct reader *reader, struct child *child);

/* The descriptor to wait on (EPOLLIN), or -1 for a reader that answers at once and reports nothing.
 * It is constant for the life of the reader. */
int reader_fd(const struct reader *reader);
/* The PID of the child; 0: none. */
pid_t reader_pid(const struct reader *reader);

/* A number that changes while the child makes progress: its CPU time plus the bytes that it has
 * sent. It does not change while the child is stopped or waits. */
uint64_t reader_progress(const struct reader *reader);
/* The number of bytes that the child has sent. */
uint64_t reader_received(const struct reader *reader);

/* Requests the table. One request at a time. */
enum reader_state reader_request(struct reader *reader);
/* The same, but there may be no answer if the table has not changed since the last complete answer.
 * Then the descriptor does not become readable, so that no thread is woken, and
 * reader_take_unchanged() returns true. Requires a previous complete answer whose snapshot was
 * used. */
enum reader_state reader_request_changes(struct reader *reader);
/* Returns whether the table is unchanged: the request then counts as answered, without a snapshot.
 * *took receives the duration of the read in the child, in nanoseconds. */
bool reader_take_unchanged(struct reader *reader, uint64_t *took);
/* Reads from the descriptor without blocking. */
enum reader_state reader_process(struct reader *reader);

/* Whether the reader reports closed sockets: 1; 0: the target did not request it; a negative errno:
 * why not. Known after the first complete table. -EBUSY: the reports have ended, because closed
 * sockets are so frequent that reports would cost more than one percent of a CPU. */
int reader_reports_closed(const struct reader *reader);
/* Whether a listening socket was closed since the last call or the last request: then the table
 * must be read. Called after each reader_process(), also without a request. */
bool reader_take_closed(struct reader *reader);

/* Returns the last complete table, which is valid until the next request. A table with more than
 * READER_SEALED rows is not sealed: the caller takes it, and seals it in slices. */
#define READER_SEALED 2048
const struct snapshot *reader_snapshot(const struct reader *reader);
/* Moves this table to the caller, which clears it. */
struct snapshot reader_take_snapshot(struct reader *reader);
/* Why the reader is broken, or why the last read must be retried. */
struct failure reader_failure(const struct reader *reader);
/* The present form: DIAG or PROCFS; AUTO before the first complete table. */
enum portwatch_table reader_table(const struct reader *reader);
/* Why the form is not diag: the failure after which AUTO fell back; {NULL, 0} if it did not. */
struct failure reader_table_failure(const struct reader *reader);
/* The cookie of the namespace; 0 if unknown (before the first complete table, procfs, nsenter). */
uint64_t reader_cookie(const struct reader *reader);
/* Malformed rows since it was opened. */
uint64_t reader_rejected(const struct reader *reader);
/* Rows read and bytes received since it was opened. */
uint64_t reader_rows(const struct reader *reader);

#endif
