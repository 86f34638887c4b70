/* SPDX-License-Identifier: MIT */
/* reader.c - ways to fetch the table of listening sockets: what they have in common */
#include "table/reader.h"
#include "util/fd.h"
#include "util/vdso.h"

#include <errno.h>
#include <stdlib.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "table/closes.h"
#include "table/reader_ops.h"
#include "table/step.h"

/* Reports of closed sockets may cost one percent of a CPU: for each sample passes so much time.
 * What comes in so short a time may be more. */
#define CLOSES_PRICE (CLOSES_SAMPLE * CLOSES_COST * 100)
#define CLOSES_SAVED (2 * NSEC_PER_SEC)

static const struct reader_ops *find_ops(enum portwatch_reader kind)
{
	switch (kind) {
	case PORTWATCH_READER_LOCAL:
		return &reader_local_ops;
	case PORTWATCH_READER_SETNS:
		return &reader_setns_ops;
	case PORTWATCH_READER_NSENTER:
		return &reader_nsenter_ops;
	case PORTWATCH_READER_PROCFS:
		return &reader_procfs_ops;
	case PORTWATCH_READER_AUTO:
		break;
	}
	return NULL;
}

static struct reader *make(const struct reader_ops *ops, enum portwatch_table table,
                           const struct reader_target *target)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->ops = ops;
	reader->wanted = table;
	reader->form = table == PORTWATCH_TABLE_PROCFS ? table : PORTWATCH_TABLE_DIAG;
	reader->netns = target->netns;
	reader->process = -1;
	reader->closes = -1;
	reader->reports = target->closes;
	reader->link.child.pidfd = -1;
	reader->link.requests = -1;
	reader->link.responses = -1;
	reader->link.complaints = -1;
	reader->link.process = -1;
	reader->buffer = malloc(TABLE_SOURCE_BUFFER);
	reader->link.datagram = reader->buffer;
	table_source_init(&reader->source, reader->buffer, vdso_is_linux());
	if (!reader->buffer) {
		free(reader);
		return NULL;
	}
	return reader;
}

int reader_open(struct reader **reader, enum portwatch_reader kind, enum portwatch_table table,
                const struct reader_target *target, struct failure *failure)
{
	const struct reader_ops *ops = find_ops(kind);
	struct child child;
	struct reader *made;
	int error;

	*reader = NULL;
	*failure = (struct failure){STEP_KIND, EINVAL};
	if (!ops)
		return -EINVAL;
	*failure = (struct failure){STEP_MEMORY, ENOMEM};
	made = make(ops, table, target);
	if (!made)
		return -ENOMEM;
	error = ops->open(made, target);
	*failure = made->failure;
	if (error < 0) {
		/* Opening fails before there is a child. */
		reader_close(made, &child);
		return error;
	}
	*reader = made;
	return 0;
}

void reader_close(struct reader *reader, struct child *child)
{
	*child = (struct child){0, -1};
	if (!reader)
		return;
	*child = reader->link.child;
	spawn_kill(child);
	reader->ops->close(reader);
	table_collector_clear(&reader->collector);
	free(reader->buffer);
	free(reader);
}

void reader_forget(struct reader *reader)
{
	struct child child;

	if (!reader)
		return;
	if (reader->link.child.pidfd >= 0)
		fd_close(reader->link.child.pidfd);
	reader->link.child = (struct child){0, -1};
	reader_close(reader, &child);
}

int reader_fd(const struct reader *reader)
{
	return reader->closes >= 0 ? reader->closes : reader->link.responses;
}

int reader_reports_closed(const struct reader *reader)
{
	return reader->reports_error < 0 ? reader->reports_error : reader->reports;
}

bool reader_take_closed(struct reader *reader)
{
	bool closed = reader->closed;

	reader->closed = false;
	return closed;
}

void reader_count_samples(struct reader *reader, uint64_t samples)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	if (samples > CLOSES_SAVED / CLOSES_PRICE)
		samples = CLOSES_SAVED / CLOSES_PRICE + 1;
	if (reader->closes_until < now)
		reader->closes_until = now;
	reader->closes_until += samples * CLOSES_PRICE;
	if (reader->closes_until > now + CLOSES_SAVED)
		reader->reports_error = -EBUSY;
}

pid_t reader_pid(const struct reader *reader)
{
	return reader->link.child.pid;
}

uint64_t reader_progress(const struct reader *reader)
{
	return spawn_cpu_time(reader->link.child.pid) + reader->link.received;
}

uint64_t reader_received(const struct reader *reader)
{
	return reader->link.received;
}

int reader_fail(struct reader *reader, const char *step, int error)
{
	reader->failure = (struct failure){step, error};
	return -error;
}

/* Failures of the moment: the next request may do. Not where a table couldn't be opened: that is
 * done once in the life of a reader, so it takes another one. */
static bool is_transient(const char *step, int error)
{
	if (step == STEP_OPEN_DIAG || step == STEP_OPEN_TEXT)
		return false;
	return error == EAGAIN || error == EINTR || error == ENOMEM || error == ENOBUFS ||
	       error == EBUSY;
}

enum reader_state reader_give_up(struct reader *reader, const char *step, int error)
{
	reader_fail(reader, step, error);
	if (is_transient(step, error))
		return READER_RETRY;
	reader->broken = true;
	return READER_BROKEN;
}

int reader_open_process(struct reader *reader, const struct reader_target *target)
{
	CLEANUP_CLOSE int process = procfs_open_process(target->procfs, target->pid);
	struct process_stat stat;
	int error, kept;

	if (process < 0)
		return reader_fail(reader, STEP_FIND_PROCESS, -process);
	error = procfs_read_stat(process, &stat);
	if (error == 0 && stat.start_time != target->start_time)
		error = -ESRCH;
	if (error < 0)
		return reader_fail(reader, STEP_FIND_PROCESS, -error);
	kept = process;
	process = -1;
	return kept;
}

int reader_check_netns(struct reader *reader, int process)
{
	struct netns_id id;
	int error = procfs_netns(process, &id);

	if (error < 0)
		return reader_fail(reader, STEP_CHECK_NETNS, -error);
	if (id.dev != reader->netns.dev || id.ino != reader->netns.ino)
		return reader_fail(reader, STEP_REACH_NETNS, ESTALE);
	return 0;
}

enum reader_state reader_read_source(struct reader *reader, int (*after)(struct reader *reader))
{
	struct failure failure = {STEP_PARSE, 0};
	int error;

	error = table_source_read(&reader->source, reader->form, reader->sequence,
	                          table_collector_feed, &reader->collector, &failure);
	if (error < 0)
		return reader_give_up(reader, failure.step, -error);
	if (after && after(reader) < 0)
		return reader_give_up(reader, reader->failure.step, reader->failure.error);
	error = table_collector_end(&reader->collector);
	return error < 0 ? reader_give_up(reader, STEP_PARSE, -error) : READER_COMPLETE;
}

static enum reader_state request(struct reader *reader)
{
	reader->closed = false;
	/* 0 is not the number of a request. */
	if (++reader->sequence == 0)
		reader->sequence = 1;
	reader->error = 0;
	reader->failure = (struct failure){NULL, 0};
	table_collector_begin(&reader->collector, reader->form, reader->sequence);
	return reader->ops->request(reader);
}

static bool falls_back(const struct reader *reader)
{
	return reader->wanted == PORTWATCH_TABLE_AUTO && reader->form == PORTWATCH_TABLE_DIAG &&
	       (reader->failure.step == STEP_READ_DIAG || reader->failure.step == STEP_OPEN_DIAG) &&
	       table_source_is_refusal(reader->failure.error);
}

/* Goes over to the text where that is what a failed dump calls for. */
static enum reader_state conclude(struct reader *reader, enum reader_state state)
{
	if (state == READER_BROKEN && falls_back(reader)) {
		reader->table_failure = reader->failure;
		reader->broken = false;
		reader->form = PORTWATCH_TABLE_PROCFS;
		state = request(reader);
	}
	if (state == READER_COMPLETE)
		reader->known = reader->form;
	return state;
}

enum reader_state reader_request(struct reader *reader)
{
	if (reader->broken)
		return READER_BROKEN;
	return conclude(reader, request(reader));
}

enum reader_state reader_process(struct reader *reader)
{
	if (reader->broken)
		return READER_BROKEN;
	return conclude(reader, reader->ops->process(reader));
}

const struct snapshot *reader_snapshot(const struct reader *reader)
{
	return &reader->collector.snapshot;
}

struct failure reader_failure(const struct reader *reader)
{
	return reader->failure;
}

enum portwatch_table reader_table(const struct reader *reader)
{
	return reader->known;
}

struct failure reader_table_failure(const struct reader *reader)
{
	return reader->table_failure;
}

uint64_t reader_cookie(const struct reader *reader)
{
	return reader->cookie;
}

uint64_t reader_rejected(const struct reader *reader)
{
	return reader->collector.rejected;
}

uint64_t reader_rows(const struct reader *reader)
{
	return reader->collector.rows;
}
