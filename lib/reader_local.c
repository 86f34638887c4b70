/* SPDX-License-Identifier: MIT */
/* reader_local.c - reads our own network namespace directly */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "reader_ops.h"
#include "step.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

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

/* Any socket tells it. */
static void read_cookie(struct reader *reader)
{
	socklen_t size = sizeof(reader->cookie);
	CLEANUP_CLOSE int any = -1;
	int fd = reader->source.diag;

	if (fd < 0)
		fd = any = spawn_above_stdio(
			(int)syscall(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &reader->cookie, &size) < 0)
		reader->cookie = 0;
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
	read_cookie(reader);
	return 0;
}

static enum reader_state local_request(struct reader *reader)
{
	return reader_read_source(reader, NULL);
}

static enum reader_state local_process(struct reader *reader)
{
	(void)reader;
	return READER_PENDING;
}

static void local_close(struct reader *reader)
{
	table_source_close(&reader->source);
}

const struct reader_ops reader_local_ops = {
	.open = local_open,
	.request = local_request,
	.process = local_process,
	.close = local_close,
};
