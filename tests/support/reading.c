/* SPDX-License-Identifier: MIT */
/* reading.c - a reader of a process's network namespace, for tests */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "patience.h"
#include "reading.h"

#define PATIENCE patience(60000) /* milliseconds */

void reading_aim(struct reading *reading, pid_t pid)
{
	struct process_stat stat;
	sigset_t all;
	int process;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	memset(reading, 0, sizeof(*reading));
	reading->child.pidfd = -1;
	ck_assert_int_eq(procfs_open(&reading->procfs, "/proc"), 0);
	process = procfs_open_process(&reading->procfs, pid);
	ck_assert_int_ge(process, 0);
	ck_assert_int_eq(procfs_read_stat(process, &stat), 0);
	ck_assert_int_eq(procfs_netns(process, &reading->target.netns), 0);
	close(process);
	reading->target.procfs = &reading->procfs;
	reading->target.pid = pid;
	reading->target.start_time = stat.start_time;
	if (access("/usr/bin/nsenter", X_OK) == 0)
		reading->target.nsenter = "/usr/bin/nsenter";
}

int reading_open(struct reading *reading, enum portwatch_reader kind, enum portwatch_table table)
{
	return reader_open(&reading->reader, kind, table, &reading->target, &reading->failure);
}

void reading_start(struct reading *reading, pid_t pid, enum portwatch_reader kind,
                   enum portwatch_table table)
{
	int error;

	reading_aim(reading, pid);
	error = reading_open(reading, kind, table);
	ck_assert_msg(error == 0, "cannot %s: %s", reading->failure.step,
	              strerror(reading->failure.error));
}

enum reader_state reading_wait(struct reading *reading)
{
	struct pollfd ready = {.fd = reader_fd(reading->reader), .events = POLLIN};
	enum reader_state state;

	ck_assert_int_ge(ready.fd, 0);
	do {
		ck_assert_int_eq(poll(&ready, 1, PATIENCE), 1);
		state = reader_process(reading->reader);
	} while (state == READER_PENDING);
	return state;
}

enum reader_state reading_take(struct reading *reading)
{
	enum reader_state state = reader_request(reading->reader);

	return state == READER_PENDING ? reading_wait(reading) : state;
}

const struct snapshot *reading_table(struct reading *reading)
{
	enum reader_state state;
	struct failure failure;

	do {
		state = reading_take(reading);
	} while (state == READER_RETRY);
	failure = reader_failure(reading->reader);
	ck_assert_msg(state == READER_COMPLETE, "cannot %s: %s", failure.step,
	              strerror(failure.error));
	return reader_snapshot(reading->reader);
}

void reading_drop(struct reading *reading)
{
	reader_close(reading->reader, &reading->child);
	reading->reader = NULL;
}

void reading_end(struct reading *reading)
{
	struct pollfd gone;

	if (reading->reader)
		reading_drop(reading);
	gone = (struct pollfd){.fd = reading->child.pidfd, .events = POLLIN};
	if (gone.fd >= 0)
		ck_assert_int_eq(poll(&gone, 1, PATIENCE), 1);
	else if (reading->child.pid > 0)
		waitpid(reading->child.pid, NULL, __WALL);
	ck_assert_int_eq(spawn_reap(&reading->child), 0);
	procfs_close(&reading->procfs);
}
