/* SPDX-License-Identifier: MIT */
/* reader_ops.h - what the four kinds of readers have in common: for reader*.c alone */
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
	/* Returns 0, or a negative errno with reader->failure set; what was opened until then is
	 * closed by close. */
	int (*open)(struct reader *reader, const struct reader_target *target);
	/* Begins a table of reader->form. On READER_RETRY and READER_BROKEN reader->failure is set.
	 */
	enum reader_state (*request)(struct reader *reader);
	enum reader_state (*process)(struct reader *reader);
	void (*close)(struct reader *reader);
};

/* Makes a snapshot of the bytes of a table, without I/O. Zeroed it is empty; to be cleared in the
 * end. */
struct table_collector {
	struct snapshot snapshot;
	enum portwatch_table form;
	struct tcp_table text[2];
	struct tcp_diag diag[2];
	uint64_t bytes; /* of this table */
	uint64_t rows;  /* since ever, as the next */
	uint64_t rejected;
};

/* The other side of a helper or of nsenter. */
struct reader_link {
	struct child child;
	int requests;   /* written to, without blocking; -1: none */
	int responses;  /* read from, without blocking; -1: none */
	int complaints; /* what nsenter says on standard error, until the hello has come; or -1 */
	struct frame_decoder decoder;
	uint64_t received; /* bytes */
	bool greeted;      /* its hello has come */
	bool awaiting;     /* the answer to the last request has not ended */
	int process; /* /proc/PID of the child, to see which namespace it has entered; or -1 */
	const char *exit_step;   /* what it can't do if it ends without a word */
	unsigned char *datagram; /* a diag datagram that has not fully arrived */
};

struct reader {
	const struct reader_ops *ops;
	enum portwatch_table wanted; /* as at open */
	enum portwatch_table form;   /* of the request that is being answered */
	enum portwatch_table known;  /* of the last complete table */
	uint32_t sequence;
	bool broken;
	struct failure failure;
	struct failure table_failure;
	struct netns_id netns;
	uint64_t cookie;
	int error; /* what has gone wrong with the table that is being received; 0: nothing */
	struct table_collector collector;

	bool reports;          /* closed sockets are to be reported */
	int reports_error;     /* a negative errno: they aren't */
	bool closed;           /* a listening socket was, see reader_take_closed() */
	uint64_t closes_until; /* CLOCK_MONOTONIC: the time that closed sockets have paid for */
	int closes;            /* local: closes.h; or -1 */

	struct table_source source; /* local and procfs */
	unsigned char *buffer;
	int process;             /* procfs: /proc/PID */
	struct reader_link link; /* setns and nsenter */
};

/* Begins a table in the given form; sequence as for table_source_read(). */
void table_collector_begin(struct table_collector *collector, enum portwatch_table form,
                           uint32_t sequence);
/* A table_sink: takes the next piece. data is the collector. Returns 0; -E2BIG; -ENOMEM; -EPROTO (a
 * tag of the other form); what tcp_diag_feed() returns. */
int table_collector_feed(void *data, enum table_tag tag, const void *bytes, size_t size);
/* The source says that this was all. Seals the snapshot. Returns 0, or -EPROTO where that can't
 * be. */
int table_collector_end(struct table_collector *collector);
void table_collector_clear(struct table_collector *collector);

/* Set reader->failure; return -error, and the state that error leads to. */
int reader_fail(struct reader *reader, const char *step, int error);
enum reader_state reader_give_up(struct reader *reader, const char *step, int error);

/* The directory of the target's process, to be closed by the caller; or a negative errno with
 * reader->failure set (-ESRCH also where the number has gone to another process). */
int reader_open_process(struct reader *reader, const struct reader_target *target);

/* The identity of the namespace of a process, compared with the one wanted. 0, or a negative errno
 * with reader->failure set (-ESTALE: another). */
int reader_check_netns(struct reader *reader, int process);

/* So many samples of closed sockets have come: where they are too many, it reports no more. */
void reader_count_samples(struct reader *reader, uint64_t samples);

/* request of the kinds that read directly: reads reader->source, asks `after` (may be NULL) whether
 * that was worth something (0 or a negative errno with reader->failure set). */
enum reader_state reader_read_source(struct reader *reader, int (*after)(struct reader *reader));

#endif
