/* SPDX-License-Identifier: MIT */
/* test_cmd_output.c - how the lines of events are written */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cmd/message.h"
#include "../cmd/output.h"
#include "support/check_main.h"

#define LINE "a line of an event\n"

static char directory[256], path[300];
static struct output output;
static int pipe_fds[2];

static void set_up(void)
{
	const char *parent = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%s/test_cmd_output.XXXXXX", parent ? parent : ".");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/events", directory);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	ck_assert_int_eq(output_open(&output, NULL, pipe_fds[1]), 0);
}

static void tear_down(void)
{
	output_close(&output);
	close(pipe_fds[0]);
	unlink(path);
	rmdir(directory);
}

static int put(const char *line)
{
	return output_line(&output, line, strlen(line));
}

/* Returns the current contents of the file or the pipe. */
static const char *contents(int fd)
{
	static char data[256];
	ssize_t length = read(fd, data, sizeof(data) - 1);

	ck_assert_int_ge(length, 0);
	data[length] = '\0';
	return data;
}

static void reopen_as_file(void)
{
	output_close(&output);
	ck_assert_int_eq(output_open(&output, path, STDOUT_FILENO), 0);
}

START_TEST(each_line_is_there_at_once)
{
	ck_assert_int_eq(put(LINE), 0);
	ck_assert(!output_is_pending(&output));
	ck_assert_str_eq(contents(pipe_fds[0]), LINE);
}
END_TEST

START_TEST(a_file_is_emptied_and_private_to_us)
{
	struct stat stat;
	int fd;

	umask(027);
	reopen_as_file();
	ck_assert_int_eq(put(LINE LINE), 0);
	reopen_as_file();
	ck_assert_int_eq(put(LINE), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_str_eq(contents(fd), LINE);
	close(fd);
	ck_assert_int_eq(fstat(output.fd, &stat), 0);
	ck_assert_int_eq(stat.st_mode & 0777, 0640);
	ck_assert_int_eq(fcntl(output.fd, F_GETFD), FD_CLOEXEC);
}
END_TEST

START_TEST(a_file_that_is_emptied_from_outside_begins_anew)
{
	int fd;

	reopen_as_file();
	ck_assert_int_eq(put(LINE), 0);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_int_eq(put("new\n"), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_str_eq(contents(fd), "new\n");
	close(fd);
}
END_TEST

START_TEST(a_directory_is_refused)
{
	output_close(&output);
	ck_assert_int_eq(output_open(&output, directory, STDOUT_FILENO), -EISDIR);
}
END_TEST

static size_t drain(char *data, size_t size)
{
	struct pollfd wait = {.fd = pipe_fds[0], .events = POLLIN};
	size_t length = 0;
	ssize_t part;

	while (poll(&wait, 1, 0) == 1) {
		part = read(pipe_fds[0], data + length, size - length);
		ck_assert_int_gt(part, 0);
		length += (size_t)part;
	}
	return length;
}

/* Writes more than the pipe takes: the rest waits in memory, nothing blocks, and nothing is lost or
 * reordered. */
START_TEST(a_full_pipe_stops_nothing)
{
	size_t capacity = (size_t)fcntl(pipe_fds[1], F_GETPIPE_SZ), length = 0;
	size_t count = 3 * capacity / 16, size = 17 * count;
	char *data = malloc(size), line[32];

	for (size_t i = 0; i < count; i++) {
		snprintf(line, sizeof(line), "event %010zu\n", i);
		ck_assert_int_eq(put(line), 0);
	}
	ck_assert(output_is_pending(&output));
	while (output_is_pending(&output)) {
		length += drain(data + length, size - length);
		ck_assert_int_eq(output_flush(&output), 0);
	}
	length += drain(data + length, size - length);
	ck_assert_uint_eq(length, size);
	for (size_t i = 0; i < count; i++) {
		snprintf(line, sizeof(line), "event %010zu\n", i);
		ck_assert_int_eq(memcmp(data + 17 * i, line, 17), 0);
	}
	free(data);
}
END_TEST

/* The other end of a socket shows what each write(2) has written. */
START_TEST(lines_that_wait_are_written_together)
{
	enum { COUNT = 1000, LENGTH = sizeof("event 0000000000\n") - 1 };
	char line[32], data[2 * PIPE_BUF];
	unsigned long next = 0, pieces = 0;
	int ends[2];
	ssize_t length;

	output_close(&output);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(output_open(&output, NULL, ends[0]), 0);
	for (int i = 0; i < COUNT; i++) {
		snprintf(line, sizeof(line), "event %010d\n", i);
		ck_assert_int_eq(output_add(&output, line, strlen(line)), 0);
	}
	while (next < COUNT) {
		ck_assert_int_eq(output_flush(&output), 0);
		length = recv(ends[1], data, sizeof(data), MSG_DONTWAIT);
		ck_assert_int_gt(length, 0);
		ck_assert_int_le(length, PIPE_BUF);
		ck_assert_int_eq(length % LENGTH, 0);
		for (ssize_t at = 0; at < length; at += LENGTH)
			ck_assert_uint_eq(strtoul(data + at + strlen("event "), NULL, 10), next++);
		pieces++;
	}
	ck_assert(!output_is_pending(&output));
	ck_assert_uint_eq(pieces, COUNT / (PIPE_BUF / LENGTH) + 1);
	close(ends[1]);
}
END_TEST

START_TEST(a_closed_output_is_reported)
{
	close(pipe_fds[0]);
	ck_assert_int_eq(put(LINE), -EPIPE);
	pipe_fds[0] = -1;
}
END_TEST

START_TEST(a_full_disk_is_reported)
{
	output_close(&output);
	if (access("/dev/full", W_OK) != 0)
		return; /* there is none here */
	ck_assert_int_eq(output_open(&output, "/dev/full", STDOUT_FILENO), 0);
	ck_assert_int_eq(put(LINE), -ENOSPC);
}
END_TEST

START_TEST(lines_after_the_end_are_dropped)
{
	output_close(&output);
	ck_assert_int_eq(put(LINE), 0);
	ck_assert(!output_is_pending(&output));
}
END_TEST

START_TEST(a_descriptor_of_the_callers)
{
	int fds[2], opaque;

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(output_check(fds[1]), 0);
	ck_assert_int_eq(output_check(fds[0]), -EBADF);
	opaque = open("/", O_PATH);
	ck_assert_int_eq(output_check(opaque), -EBADF);
	close(opaque);
	ck_assert_int_eq(output_check(opaque), -EBADF);
	output_close(&output);
	ck_assert_int_eq(output_open(&output, NULL, fds[1]), 0);
	ck_assert_str_eq(strncmp(output.name, "descriptor ", 11) == 0 ? "" : output.name, "");
	ck_assert_int_eq(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
	output_close(&output);
	close(fds[0]);
	ck_assert_int_eq(output_open(&output, "-", STDERR_FILENO), 0);
	ck_assert_int_eq(output.fd, STDOUT_FILENO);
	ck_assert_str_eq(output.name, "standard output");
	output_close(&output);
}
END_TEST

/* Writes more than a pipe takes, and nothing reads the pipe: at the end, the waiting messages are
 * dropped. */
START_TEST(delayed_messages_are_dropped_at_the_end)
{
	char word[180], data[16384];
	int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	ssize_t length;

	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	fcntl(pipe_fds[1], F_SETPIPE_SZ, 4096);
	ck_assert_int_ge(dup2(pipe_fds[1], STDERR_FILENO), 0);
	message_hold();
	for (int i = 0; i < 30; i++)
		message_error("%s", word);
	message_release(true);
	ck_assert_int_ge(dup2(before, STDERR_FILENO), 0);
	close(before);
	length = read(pipe_fds[0], data, sizeof(data));
	ck_assert_int_gt(length, 0);
	/* Only complete lines are written. */
	ck_assert_int_eq(data[length - 1], '\n');
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cmd_output");
	TCase *tcase = tcase_create("output");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, each_line_is_there_at_once);
	tcase_add_test(tcase, a_file_is_emptied_and_private_to_us);
	tcase_add_test(tcase, a_file_that_is_emptied_from_outside_begins_anew);
	tcase_add_test(tcase, a_directory_is_refused);
	tcase_add_test(tcase, a_full_pipe_stops_nothing);
	tcase_add_test(tcase, lines_that_wait_are_written_together);
	tcase_add_test(tcase, a_closed_output_is_reported);
	tcase_add_test(tcase, a_full_disk_is_reported);
	tcase_add_test(tcase, lines_after_the_end_are_dropped);
	tcase_add_test(tcase, a_descriptor_of_the_callers);
	tcase_add_test(tcase, delayed_messages_are_dropped_at_the_end);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
