/* SPDX-License-Identifier: MIT */
/* message.c - messages of pwatch on standard error */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "message.h"
#include "text.h"

/* Less than PIPE_BUF, so that a pipe accepts a line in one piece. */
#define LINE_MAX_LENGTH 2048

/* How long a message may wait for room in standard error, in milliseconds. Events, signals and the
 * exit of pwatch wait as long. */
#define WAIT_TIMEOUT 1000

static struct {
	pthread_mutex_t lock;
	bool active;
	char data[4 * LINE_MAX_LENGTH];
	size_t length;
} held = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Whether standard error accepts a line now or within `timeout` milliseconds. */
static bool has_room(int timeout)
{
	struct pollfd standard_error = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&standard_error, 1, timeout) == 1 && (standard_error.revents & POLLOUT);
}

/* The length of the leading lines that a pipe with room accepts without waiting. */
static size_t choose_piece(const char *lines, size_t length)
{
	const char *end;

	if (length <= PIPE_BUF)
		return length;
	end = memrchr(lines, '\n', PIPE_BUF);
	return end ? (size_t)(end - lines) + 1 : PIPE_BUF;
}

void message_lines(const char *lines, size_t length)
{
	while (length > 0) {
		size_t piece = choose_piece(lines, length);

		/* A failure of standard error cannot be reported anywhere. */
		if (!has_room(WAIT_TIMEOUT) || write(STDERR_FILENO, lines, piece) < 0)
			return;
		lines += piece;
		length -= piece;
	}
}

/* Stores the line if lines are held back. Returns whether it was stored. */
static bool hold_line(const char *line, size_t length)
{
	bool active;

	pthread_mutex_lock(&held.lock);
	active = held.active;
	if (active && length <= sizeof(held.data) - held.length) {
		memcpy(held.data + held.length, line, length);
		held.length += length;
	}
	pthread_mutex_unlock(&held.lock);
	return active;
}

void message_error(const char *format, ...)
{
	char line[LINE_MAX_LENGTH], message[LINE_MAX_LENGTH];
	struct text text;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	text_init(&text, line, sizeof(line) - 1);
	text_add(&text, "pwatch: ");
	text_add_visible(&text, message, false);
	line[text.length++] = '\n';
	if (!hold_line(line, text.length))
		message_lines(line, text.length);
}

static const char *level_name(enum portwatch_log_level level)
{
	switch (level) {
	case PORTWATCH_LOG_ERROR:
		return "error";
	case PORTWATCH_LOG_WARNING:
		return "warning";
	case PORTWATCH_LOG_INFO:
		return "info";
	case PORTWATCH_LOG_DEBUG:
		break;
	}
	return "debug";
}

void message_log(struct portwatch *watcher, enum portwatch_log_level level, const char *message,
                 void *user_data)
{
	char line[LINE_MAX_LENGTH];
	struct text text;

	(void)watcher;
	(void)user_data;
	text_init(&text, line, sizeof(line));
	text_add(&text, "pwatch: %s: %.*s\n", level_name(level), LINE_MAX_LENGTH - 32, message);
	if (hold_line(line, text.length))
		return;
	if (has_room(0))
		message_lines(line, text.length);
}

void message_hold(void)
{
	pthread_mutex_lock(&held.lock);
	held.active = true;
	pthread_mutex_unlock(&held.lock);
}

void message_release(bool print)
{
	pthread_mutex_lock(&held.lock);
	if (print)
		message_lines(held.data, held.length);
	held.active = false;
	held.length = 0;
	pthread_mutex_unlock(&held.lock);
}

const char *message_reason(int error)
{
	switch (error) {
	case -ENOENT:
		return "/proc is not mounted or is that of another PID namespace; "
		       "mount -t proc proc /proc in this one";
	case -EMFILE:
		return "too many open files; raise the limit (ulimit -n) or watch fewer processes";
	case -ENFILE:
		return "too many open files in the system; raise fs.file-max";
	case -EAGAIN:
		return "no thread or process can be made; raise the limit (ulimit -u)";
	default:
		return strerror(-error);
	}
}
