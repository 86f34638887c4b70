/* SPDX-License-Identifier: MIT */
/* output.c - the destination of the lines of events */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

int output_check(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	return (flags & O_PATH) || (flags & O_ACCMODE) == O_RDONLY ? -EBADF : 0;
}

static void take_descriptor(struct output *output, int fd)
{
	output->fd = fd;
	output->name = fd == STDERR_FILENO ? "standard error" : "standard output";
	if (fd != STDOUT_FILENO && fd != STDERR_FILENO) {
		snprintf(output->number, sizeof(output->number), "descriptor %d", fd);
		output->name = output->number;
	}
	if (fd > STDERR_FILENO)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int output_open(struct output *output, const char *path, int fd)
{
	memset(output, 0, sizeof(*output));
	take_descriptor(output, path && strcmp(path, "-") == 0 ? STDOUT_FILENO : fd);
	if (!path || strcmp(path, "-") == 0)
		return 0;
	output->name = path;
	/* O_APPEND: after another program has truncated the file, lines continue at its new end and
	 * leave no hole. */
	do {
		output->fd = open(
			path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
	} while (output->fd < 0 && errno == EINTR);
	return output->fd < 0 ? -errno : 0;
}

bool output_is_pending(const struct output *output)
{
	return output->sent < output->length;
}

/* Other processes share the open file, so it must not become nonblocking: poll before each write
 * instead. A pipe that is writable has room for PIPE_BUF bytes. */
static bool has_room(const struct output *output)
{
	struct pollfd poll_fd = {.fd = output->fd, .events = POLLOUT};

	return poll(&poll_fd, 1, 0) == 1;
}

/* The length of the lines that are written next: as many as a pipe accepts in one piece. */
static size_t next_length(const struct output *output)
{
	const char *start = output->pending + output->sent;
	size_t rest = output->length - output->sent;
	const char *newline;

	if (rest <= PIPE_BUF)
		return rest;
	newline = memrchr(start, '\n', PIPE_BUF);
	return newline ? (size_t)(newline - start) + 1 : PIPE_BUF;
}

int output_flush(struct output *output)
{
	ssize_t written;

	while (output_is_pending(output) && has_room(output)) {
		written = write(output->fd, output->pending + output->sent, next_length(output));
		if (written >= 0)
			output->sent += (size_t)written;
		else if (errno == EAGAIN)
			return 0;
		else if (errno != EINTR)
			return -errno;
	}
	if (!output_is_pending(output))
		output->sent = output->length = 0;
	return 0;
}

int output_finish(struct output *output)
{
	struct pollfd poll_fd = {.fd = output->fd, .events = POLLOUT};
	int result = output_flush(output);

	while (result == 0 && output_is_pending(output)) {
		if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR)
			return -errno;
		result = output_flush(output);
	}
	return result;
}

static int make_room(struct output *output, size_t length)
{
	size_t size = output->size;
	char *grown;

	if (size - output->length < length && output->sent > 0) {
		memmove(output->pending, output->pending + output->sent,
		        output->length - output->sent);
		output->length -= output->sent;
		output->sent = 0;
	}
	while (size - output->length < length)
		size = size ? 2 * size : 4096;
	if (size == output->size)
		return 0;
	grown = realloc(output->pending, size);
	if (!grown)
		return -ENOMEM;
	output->pending = grown;
	output->size = size;
	return 0;
}

int output_add(struct output *output, const char *line, size_t length)
{
	int result;

	if (output->fd < 0)
		return 0;
	result = make_room(output, length);
	if (result < 0)
		return result;
	memcpy(output->pending + output->length, line, length);
	output->length += length;
	return 0;
}

int output_line(struct output *output, const char *line, size_t length)
{
	int result = output_add(output, line, length);

	return result < 0 ? result : output_flush(output);
}

void output_close(struct output *output)
{
	if (output->fd > STDERR_FILENO)
		close(output->fd);
	free(output->pending);
	memset(output, 0, sizeof(*output));
	output->fd = -1;
}
