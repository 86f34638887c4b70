/* SPDX-License-Identifier: MIT */
/* reader_procfs.c - reads /proc/PID/net/tcp and tcp6, for which no privilege is needed */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "reader_ops.h"
#include "step.h"

/* Opens the tables through the first thread that has any: that of a process whose leader has exited
 * is not the leader. */
static int open_thread(void *data, long tid)
{
	struct reader *reader = data;
	char prefix[TABLE_SOURCE_PATH];

	snprintf(prefix, sizeof(prefix), "task/%ld", tid);
	table_source_close(&reader->source);
	table_source_open_text(&reader->source, reader->process, prefix);
	return reader->source.text_failure.error == 0;
}

static int open_tables(struct reader *reader)
{
	const struct failure *failure = &reader->source.text_failure;
	int found;

	table_source_open_text(&reader->source, reader->process, ".");
	if (failure->error == 0)
		return 0;
	found = procfs_each_number(reader->process, "task", open_thread, reader);
	return found > 0 ? 0 : reader_fail(reader, failure->step, failure->error);
}

/* A table of a namespace that is gone reads as a healthy empty one: what was read counts only if
 * the process is still in the namespace afterwards. */
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
	reader->process = reader_open_process(reader, target);
	if (reader->process < 0)
		return reader->process;
	error = open_tables(reader);
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
		close(reader->process);
}

const struct reader_ops reader_procfs_ops = {
	.open = procfs_reader_open,
	.request = procfs_reader_request,
	.process = procfs_reader_process,
	.close = procfs_reader_close,
};
