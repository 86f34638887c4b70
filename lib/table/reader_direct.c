/* SPDX-License-Identifier: MIT */
/* reader_direct.c - reads our own network namespace directly */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/sys.h"
#include "table/closes.h"
#include "table/reader_ops.h"
#include "table/step.h"
#include "util/fd.h"

/* Ours is that of the calling thread: a thread may have gone elsewhere by itself. */
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

/* Nothing was requested that is not answered yet: the kernel reports. */
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

const struct reader_ops reader_local_ops = {
	.open = local_open,
	.request = local_request,
	.process = local_process,
	.close = local_close,
};

/* --- reads /proc/PID/net/tcp and tcp6, for which no privilege is needed */

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

/* The files of a process that exits vanish before it does. */
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

const struct reader_ops reader_procfs_ops = {
	.open = procfs_reader_open,
	.request = procfs_reader_request,
	.process = procfs_reader_process,
	.close = procfs_reader_close,
};
