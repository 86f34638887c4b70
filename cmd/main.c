/* SPDX-License-Identifier: MIT */
/* main.c - pwatch: prints the ports on which process trees listen */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "check.h"
#include "handover.h"
#include "hook.h"
#include "inherited.h"
#include "live.h"
#include "message.h"
#include "options.h"
#include "output.h"
#include "watch.h"

#define USAGE 2

/* Prints the help or the version. Returns the exit status. */
static int print(const char *string)
{
	size_t length = strlen(string);
	ssize_t written;

	signal(SIGPIPE, SIG_IGN);
	for (; length > 0; length -= (size_t)written, string += written) {
		written = write(STDOUT_FILENO, string, length);
		if (written < 0 && errno == EINTR) {
			written = 0;
		} else if (written < 0 && errno == EPIPE) {
			return 0; /* the reader of the output has closed it */
		} else if (written < 0) {
			message_error("standard output: %s", strerror(errno));
			return 1;
		}
	}
	return 0;
}

static int print_help(void)
{
	char help[OPTIONS_HELP_MAX];

	options_help(help);
	return print(help);
}

static int print_version(void)
{
	char version[80];

	snprintf(version, sizeof(version), "pwatch %s\n", portwatch_version());
	return print(version);
}

static int act(const struct options *options, struct run *run, struct hook *hook)
{
	switch ((enum options_action)options->action) {
	case OPTIONS_HELP:
		return print_help();
	case OPTIONS_VERSION:
		return print_version();
	case OPTIONS_CHECK:
		return check_run(options, run);
	case OPTIONS_WATCH:
		break;
	}
	return watch_run(options, run, hook);
}

static bool is_setuid_root(void)
{
	return geteuid() == 0 && getuid() != 0;
}

/* The process becomes COMMAND; or --check examines the process, which then ends. */
static bool needs_process(const struct options *options)
{
	return options->command || (options->action == OPTIONS_CHECK && options->pid_count == 0);
}

static int fork_processes(struct run *run, struct hook *hook, const struct options *options,
                          const struct rlimit *files)
{
	int result = 0;

	if (needs_process(options))
		result = run_fork(run, options->command, files, options->fd);
	if (result == 0 && options->exec)
		result = hook_fork(hook, options->exec, run, files, options->fd);
	return result;
}

/* The first steps. The descriptor of --fd is checked before pwatch opens any descriptor of its own,
 * and processes that the caller can examine are forked before anything else exists (run.h). A
 * failure is reported in one line. Returns 0 or a negative errno. */
static int begin(struct run *run, struct hook *hook, const struct options *options, char **argv)
{
	bool due = needs_process(options) && handover_is_due();
	struct rlimit files;
	int result = options->fd >= 0 ? output_check(options->fd) : 0;

	if (result < 0) {
		message_error("cannot write to descriptor %d: %s", options->fd, strerror(-result));
		return result;
	}
	result = inherited_raise_files(&files);
	if (result == 0 && due)
		result = handover_take(run, hook);
	else if (result == 0)
		result = fork_processes(run, hook, options, &files);
	/* Only the forked process can be examined by the caller. */
	if (result == 0 && run->pid > 0 && getauxval(AT_SECURE) != 0 && !due)
		result = handover_give(run, hook, argv);
	if (result < 0)
		message_error("cannot start: %s", message_reason(result));
	return result;
}

/* Returns 0, or -EINVAL with a text. */
static int check_terminal(const struct options *options, char error[OPTIONS_ERROR_MAX])
{
	const char *obstacle = options->live ? live_obstacle() : NULL;

	if (obstacle)
		snprintf(error, OPTIONS_ERROR_MAX, "option --live: %s", obstacle);
	return obstacle ? -EINVAL : 0;
}

/* The threads allocate little, and seldom at the same time. An arena for each of them costs time at
 * the start, and 128 MiB of addresses. */
static void share_heap(void)
{
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1);
#endif
}

int main(int argc, char **argv)
{
	char error[OPTIONS_ERROR_MAX];
	struct options options = {0};
	struct run run = RUN_INIT;
	struct hook hook = HOOK_INIT;
	int filled = inherited_fill_standard_fds();
	int result = options_parse(&options, argc, argv, error);
	int status = options.command ? RUN_FAILED : 1;

	share_heap();
	if (result == 0)
		result = check_terminal(&options, error);
	if (is_setuid_root())
		message_error(
			"must not be setuid root; give it file capabilities instead (setcap)");
	else if (filled < 0)
		message_error("cannot start: %s", strerror(-filled));
	else if (result == -EINVAL)
		message_error("%s", error);
	else if (result < 0)
		message_error("cannot start: %s", strerror(-result));
	else if (begin(&run, &hook, &options, argv) == 0)
		status = act(&options, &run, &hook);
	if (result == -EINVAL)
		status = USAGE;
	run_finish(&run);
	hook_finish(&hook, 0);
	options_free(&options);
	return status;
}
