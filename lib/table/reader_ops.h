/* SPDX-License-Identifier: MIT */
/* reader_ops.h - the common part of the four kinds of readers: for reader*.c only */
#ifndef READER_OPS_H
#define READER_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "table/frame.h"
#include "table/reader.h"
#include "util/spawn.h"
#include "table/parse_diag.h"
#include "table/parse_text.h"
#include "table/source.h"

struct reader_ops {
	/* Returns 0, or a negative errno with reader->failure set; `close` closes everything that
	 * was opened until then. */
	int (*open)(struct reader *reader, const struct reader_target *target);
	/* Starts a table of reader->form. On READER_RETRY and READER_BROKEN reader->failure is set.
	 */
	enum reader_state (*request)(struct reader *reader);
	enum reader_state (*process)(struct reader *reader);
	void (*close)(struct reader *reader);
};

/* Converts the bytes of a table into a snapshot, without I/O. Zero bytes mean empty; must be
 * cleared at the end. */
struct table_collector {
	struct snapshot snapshot;
	enum portwatch_table form;
	struct tcp_table text[2];
	struct tcp_diag diag[2];
	struct tcp_diag both; /* in place of diag[] */
	uint64_t bytes;       /* of this table */
	uint64_t rows;        /* total, like the next member */
	uint64_t rejected;
};

/* The connection to a helper or to nsenter. */
struct reader_link {
	struct child child;
	int requests;   /* written to, without blocking; -1: none */
	int responses;  /* read from, without blocking; -1: none */
	int complaints; /* standard error of nsenter, until its hello has arrived; or -1 */
	struct frame_decoder decoder;
	uint64_t received;              /* bytes */
	bool greeted;                   /* its hello has arrived */
	bool awaiting;                  /* the answer to the last request is not complete */
	uint32_t held;                  /* the sequence of the last complete answer; 0: none */
	struct helper_silence *silence; /* shared with a helper (helper.h); or NULL */
	int process; /* /proc/PID of the child, to check which namespace it has entered; or -1 */
	const char *exit_step;   /* the step that has failed if the child exits without a message */
	unsigned char *datagram; /* a diag datagram that has not fully arrived */
};

struct reader {
	const struct reader_ops *ops;
	enum portwatch_table wanted; /* as at open */
	enum portwatch_table form;   /* of the request that is being answered */
	enum portwatch_table known;  /* of the last complete table */
	uint32_t sequence;
	bool changes_only; /* the present request need not be answered if nothing has changed */
	bool broken;
	struct failure failure;
	struct failure table_failure;
	struct netns_id netns;
	uint64_t cookie;
	int error; /* an error in the table that is being received; 0: none */
	struct table_collector collector;

	bool reports;          /* reports of closed sockets are requested */
	int reports_error;     /* a negative errno: why there are none */
	bool closed;           /* a listening socket was closed, see reader_take_closed() */
	uint64_t closes_until; /* CLOCK_MONOTONIC: the closed sockets so far are paid up to this
	                          time */
	int closes;            /* local: closes.h; or -1 */

	struct table_source source; /* local and procfs */
	unsigned char *buffer;
	int process;             /* procfs: /proc/PID */
	struct reader_link link; /* setns and nsenter */
};

/* Starts a table in the given form; sequence as for table_source_read(). */
void table_collector_begin(struct table_collector *collector, enum portwatch_table form,
                           uint32_t sequence);
/* A table_sink: handles the next piece. `data` is the collector. Returns 0; -E2BIG; -ENOMEM;
 * -EPROTO (a tag of the other form); or the result of tcp_diag_feed(). */
int table_collector_feed(void *data, enum table_tag tag, const void *bytes, size_t size);
/* Ends the table and seals the snapshot, if it has at most READER_SEALED rows. Returns 0, or
 * -EPROTO if the table is not complete. */
int table_collector_end(struct table_collector *collector);
void table_collector_clear(struct table_collector *collector);

/* These functions set reader->failure, and return -error, or the state to which the error leads. */
int reader_fail(struct reader *reader, const char *step, int error);
enum reader_state reader_give_up(struct reader *reader, const char *step, int error);

/* Opens the directory of the target's process, which the caller closes. Returns a negative errno
 * with reader->failure set on failure (-ESRCH also if another process has the PID). */
int reader_open_process(struct reader *reader, const struct reader_target *target);

/* Compares the namespace of a process with the wanted one. Returns 0, or a negative errno with
 * reader->failure set (-ESTALE: another namespace). */
int reader_check_netns(struct reader *reader, int process);

/* Counts samples of closed sockets. If there are too many, the reader stops reporting. */
void reader_count_samples(struct reader *reader, uint64_t samples);

/* The `request` of the kinds that read directly: reads reader->source, and calls `after` (may be
 * NULL), which checks whether the read is valid (0 or a negative errno with reader->failure
 * set). */
enum reader_state reader_read_source(struct reader *reader, int (*after)(struct reader *reader));

#endif
