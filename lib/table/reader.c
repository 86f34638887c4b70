/* SPDX-License-Identifier: MIT */
/* reader.c - the readers, and the two kinds that read the table directly */
#include "table/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "table/closes.h"
#include "table/reader_child.h"
#include "table/step.h"
#include "util/fd.h"
#include "util/vdso.h"

/* --- local: reads the network namespace of the calling thread --- */

/* The namespace of the calling thread counts, because a thread may have moved alone. */
static int check_own_netns(struct reader *reader, const struct procfs *procfs)
{
	struct stat status;

	if (fstatat(procfs->fd, "thread-self/net/tcp", &status, 0) < 0)
		return reader_fail(reader, STEP_CHECK_NETNS, errno);
	if (status.st_dev != reader->netns.dev || status.st_ino != reader->netns.ino)
		return reader_fail(reader, STEP_LOCAL_NETNS, EXDEV);
	return 0;
}

static int local_open(struct reader *reader, const struct reader_target *target)
{
	int error = check_own_netns(reader, target->procfs);

	if (error < 0)
		return error;
	if (reader->wanted != PORTWATCH_TABLE_PROCFS)
		table_source_open_diag(&reader->source);
	if (reader->wanted != PORTWATCH_TABLE_DIAG)
		table_source_open_text(&reader->source, target->procfs->fd, "thread-self");
	if (reader->reports) {
		reader->closes = fd_own(closes_open());
		reader->reports_error = reader->closes < 0 ? reader->closes : 0;
	}
	table_source_own(&reader->source);
	reader->cookie = table_source_cookie(&reader->source);
	return 0;
}

static enum reader_state local_request(struct reader *reader)
{
	return reader_read_source(reader, NULL);
}

/* No request is unanswered, so the descriptor is readable because of reports. */
static enum reader_state local_process(struct reader *reader)
{
	struct closes closes = {0};
	int error = reader->closes < 0 ? 0 : closes_take(reader->closes, &closes);

	if (error < 0)
		return reader_give_up(reader, STEP_HEAR_CLOSES, -error);
	reader->closed |= closes.listeners > 0;
	reader_count_samples(reader, closes.samples);
	return READER_PENDING;
}

static void local_close(struct reader *reader)
{
	fd_close(reader->closes);
	table_source_close(&reader->source);
}

static const struct reader_ops local_ops = {
	.open = local_open,
	.request = local_request,
	.process = local_process,
	.close = local_close,
};

/* --- procfs: reads /proc/PID/net/tcp and tcp6, for which no privilege is needed --- */

/* Opens the tables through the first thread that has them, because a leader that has exited has
 * none. */
static int open_thread(void *data, long tid)
{
	struct reader *reader = data;
	char prefix[TABLE_SOURCE_PATH];

	snprintf(prefix, sizeof(prefix), "task/%ld", tid);
	table_source_close(&reader->source);
	table_source_open_text(&reader->source, reader->process, prefix);
	return reader->source.text_failure.error == 0;
}

/* The files of an exiting process vanish before the process. */
static bool has_exited(int process)
{
	struct process_stat stat;

	return procfs_read_stat(process, &stat) < 0 || stat.exiting;
}

static int open_tables(struct reader *reader)
{
	const struct failure *failure = &reader->source.text_failure;
	int found;

	table_source_open_text(&reader->source, reader->process, ".");
	if (failure->error == 0)
		return 0;
	found = procfs_each_number(reader->process, "task", open_thread, reader);
	if (found > 0)
		return 0;
	if (has_exited(reader->process))
		return reader_fail(reader, STEP_FIND_PROCESS, ESRCH);
	return reader_fail(reader, failure->step, failure->error);
}

/* The table of a namespace that is gone reads as empty, without an error. A read therefore counts
 * only if the process is still in the namespace afterwards. */
static int check_afterwards(struct reader *reader)
{
	return reader_check_netns(reader, reader->process);
}

static int procfs_reader_open(struct reader *reader, const struct reader_target *target)
{
	int error;

	if (reader->wanted == PORTWATCH_TABLE_DIAG)
		return reader_fail(reader, STEP_PROCFS_TABLE, ENOTSUP);
	reader->form = PORTWATCH_TABLE_PROCFS;
	/* It has nothing in that namespace. */
	reader->reports_error = reader->reports ? -ENOTSUP : 0;
	reader->process = reader_open_process(reader, target);
	if (reader->process < 0)
		return reader->process;
	error = open_tables(reader);
	table_source_own(&reader->source);
	return error < 0 ? error : reader_check_netns(reader, reader->process);
}

static enum reader_state procfs_reader_request(struct reader *reader)
{
	return reader_read_source(reader, check_afterwards);
}

static enum reader_state procfs_reader_process(struct reader *reader)
{
	(void)reader;
	return READER_PENDING;
}

static void procfs_reader_close(struct reader *reader)
{
	table_source_close(&reader->source);
	if (reader->process >= 0)
		fd_close(reader->process);
}

static const struct reader_ops procfs_ops = {
	.open = procfs_reader_open,
	.request = procfs_reader_request,
	.process = procfs_reader_process,
	.close = procfs_reader_close,
};

/* --- all kinds --- */

static const struct reader_ops *find_ops(enum portwatch_reader kind)
{
	switch (kind) {
	case PORTWATCH_READER_LOCAL:
		return &local_ops;
	case PORTWATCH_READER_SETNS:
		return &reader_setns_ops;
	case PORTWATCH_READER_NSENTER:
		return &reader_nsenter_ops;
	case PORTWATCH_READER_PROCFS:
		return &procfs_ops;
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
		/* If opening fails, there is no child yet. */
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

static enum reader_state request(struct reader *reader)
{
	reader->closed = false;
	/* 0 is not a valid request number. */
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

/* Switches to the text after a dump has failed permanently. */
static enum reader_state conclude(struct reader *reader, enum reader_state state)
{
	if (state == READER_BROKEN && falls_back(reader)) {
		reader->changes_only = false;
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
	reader->changes_only = false;
	return conclude(reader, request(reader));
}

enum reader_state reader_request_changes(struct reader *reader)
{
	if (reader->broken)
		return READER_BROKEN;
	reader->changes_only = reader->known == PORTWATCH_TABLE_DIAG;
	return conclude(reader, request(reader));
}

bool reader_take_unchanged(struct reader *reader, uint64_t *took)
{
	return !reader->broken && reader_link_take_unchanged(reader, took);
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

struct snapshot reader_take_snapshot(struct reader *reader)
{
	struct snapshot taken = reader->collector.snapshot;

	reader->collector.snapshot = (struct snapshot){0};
	return taken;
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
