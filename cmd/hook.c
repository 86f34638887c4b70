/* SPDX-License-Identifier: MIT */
/* hook.c - the command of --exec, run for each event */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hook.h"
#include "message.h"
#include "moment.h"
#include "privileges.h"
#include "run.h"

/* The line of an event, and the variable of each value. No value contains a tab. */
#define FORMAT                                                                                     \
	"{time}\t{event}\t{address}\t{port}\t{family}\t{pid}\t{process}\t{owners}\t{netns}\t{"     \
	"inode}"                                                                                   \
	"\t{initial}\t{id}"

static const char *const variables[] = {
	"PWATCH_TIME",   "PWATCH_EVENT", "PWATCH_ADDRESS", "PWATCH_PORT",
	"PWATCH_FAMILY", "PWATCH_PID",   "PWATCH_PROCESS", "PWATCH_OWNERS",
	"PWATCH_NETNS",  "PWATCH_INODE", "PWATCH_INITIAL", "PWATCH_ID",
};

#define VARIABLES (sizeof(variables) / sizeof(variables[0]))

/* The most bytes that wait in memory: about ten thousand events. */
#define PENDING_MAX (1024 * 1024)

/* --- the runner --------------------------------------------------------------------------------
 */

/* The runner ignores these signals, because it must live as long as pwatch. A signal that is sent
 * to all processes reaches the command too, which may obey it. */
static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGTERM};
#define IGNORED (sizeof(ignored) / sizeof(ignored[0]))

struct runner {
	const char *command;
	const struct rlimit *files;
	struct sigaction actions[IGNORED]; /* the caller's */
};

static void ignore_signals(struct runner *runner)
{
	struct sigaction ignore;

	memset(&ignore, 0, sizeof(ignore));
	ignore.sa_handler = SIG_IGN;
	for (size_t i = 0; i < IGNORED; i++)
		sigaction(ignored[i], &ignore, &runner->actions[i]);
}

/* The output of the command goes to standard error, because standard output belongs to the events
 * or to COMMAND. */
static _Noreturn void become_command(const struct runner *runner)
{
	int null = open("/dev/null", O_RDONLY);

	for (size_t i = 0; i < IGNORED; i++)
		sigaction(ignored[i], &runner->actions[i], NULL);
	(void)setrlimit(RLIMIT_NOFILE, runner->files);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	if (null > STDERR_FILENO)
		close(null);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execl("/bin/sh", "sh", "-c", runner->command, (char *)NULL);
	_exit(127);
}

static void report_failure(int status)
{
	const char *event = getenv("PWATCH_EVENT"), *address = getenv("PWATCH_ADDRESS");
	const char *port = getenv("PWATCH_PORT");

	if (WIFSIGNALED(status))
		message_error("the command of --exec for %s %s %s was killed by signal %d", event,
		              address ? address : "-", port ? port : "-", WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		message_error("the command of --exec for %s %s %s has failed with status %d", event,
		              address ? address : "-", port ? port : "-", WEXITSTATUS(status));
}

static void set_variables(char *line)
{
	char *value;

	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < VARIABLES; i++) {
		value = strsep(&line, "\t");
		if (!value || strcmp(value, "-") == 0)
			unsetenv(variables[i]);
		else
			setenv(variables[i], value, 1);
	}
}

static void run_command(const struct runner *runner)
{
	pid_t pid = fork(), ended;
	int status = 0;

	if (pid == 0)
		become_command(runner);
	if (pid < 0) {
		message_error("cannot run the command of --exec: %s", strerror(errno));
		return;
	}
	/* Processes that an earlier command has left behind are reaped here too. */
	do {
		ended = waitpid(-1, &status, 0);
	} while ((ended >= 0 && ended != pid) || (ended < 0 && errno == EINTR));
	if (ended == pid)
		report_failure(status);
}

static _Noreturn void serve(struct runner *runner, int fd)
{
	FILE *requests = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;

	/* If SIGCHLD were ignored, as the caller may have set it, the status would be lost. */
	signal(SIGCHLD, SIG_DFL);
	ignore_signals(runner);
	/* Orphans of the commands become children of the runner. As children of pwatch they would
	 * count as processes of COMMAND. */
	prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
	while (requests && getline(&line, &size, requests) >= 0) {
		set_variables(line);
		run_command(runner);
	}
	_exit(0);
}

/* --- pwatch ------------------------------------------------------------------------------------
 */

static void close_other(int fd)
{
	if (fd > STDERR_FILENO)
		close(fd);
}

/* Runs in the first child, which exits at once, so that the runner is not a child of pwatch. */
static _Noreturn void detach(struct hook *hook, struct runner *runner, const struct run *run,
                             const int fds[2], int private_fd)
{
	pid_t pid;

	if (privileges_disown() < 0)
		_exit(RUN_FAILED);
	close_other(private_fd);
	close_other(run->go_fd);
	close_other(run->failure_fd);
	close_other(hook->request_fd);
	close_other(hook->done_fd);
	pid = fork();
	if (pid == 0)
		serve(runner, fds[0]);
	_exit(pid < 0 ? RUN_FAILED : 0);
}

int hook_fork(struct hook *hook, const char *command, const struct run *run,
              const struct rlimit *files, int private_fd)
{
	struct runner runner = {.command = command, .files = files};
	int request[2] = {-1, -1}, done[2] = {-1, -1}, status = 0, result = 0;
	pid_t pid = -1;

	if (pipe2(request, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		result = -errno;
	hook->request_fd = request[1];
	hook->done_fd = done[0];
	if (result == 0) {
		pid = fork();
		if (pid == 0)
			detach(hook, &runner, run, (const int[]){request[0], done[1]}, private_fd);
		result = pid < 0 ? -errno : 0;
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status != 0)
		result = -EAGAIN;
	close_other(request[0]);
	close_other(done[1]);
	return result;
}

void hook_open(struct hook *hook)
{
	if (hook->request_fd >= 0)
		(void)output_open(&hook->requests, NULL, hook->request_fd);
}

static void fail(struct hook *hook, int error)
{
	message_error("the command of --exec does not run any more: %s", strerror(-error));
	output_close(&hook->requests);
	hook->request_fd = -1;
}

void hook_event(struct hook *hook, const struct format_fields *fields)
{
	const struct format_style style = {.format = FORMAT};
	char line[FORMAT_LINE_MAX];
	int result;

	if (hook->request_fd < 0)
		return;
	if (hook->requests.length - hook->requests.sent > PENDING_MAX) {
		if (!hook->overdue)
			message_error(
				"the command of --exec takes too long: it does not run for all "
				"events");
		hook->overdue = true;
		return;
	}
	result = output_line(&hook->requests, line, format_line(fields, &style, line));
	if (result < 0)
		fail(hook, result);
}

void hook_flush(struct hook *hook)
{
	int result = output_flush(&hook->requests);

	if (result < 0)
		fail(hook, result);
}

bool hook_is_pending(const struct hook *hook)
{
	return hook->request_fd >= 0 && output_is_pending(&hook->requests);
}

/* Waits until a descriptor is ready; false at the end of the time. */
static bool wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int64_t left = deadline - now_ms();
	int count = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;

	return count > 0 || (count < 0 && errno == EINTR);
}

void hook_finish(struct hook *hook, int timeout)
{
	int64_t deadline = now_ms() + timeout;
	bool late = false;
	char byte;

	if (hook->requests.fd < 0)
		hook_open(hook);
	while (hook_is_pending(hook) && !late) {
		late = !wait_for(hook->request_fd, POLLOUT, deadline);
		hook_flush(hook);
	}
	/* The runner reads up to the end of the pipe. */
	if (hook->request_fd >= 0)
		output_close(&hook->requests);
	/* The runner writes nothing to this pipe; it only closes the pipe. */
	while (hook->done_fd >= 0 && !late) {
		late = !wait_for(hook->done_fd, POLLIN, deadline);
		if (!late && read(hook->done_fd, &byte, 1) == 0)
			break;
	}
	if (hook->done_fd >= 0 && late)
		message_error("the command of --exec still runs");
	close_other(hook->done_fd);
	hook->request_fd = hook->done_fd = -1;
}
