/* SPDX-License-Identifier: MIT */
/* watch.c - one run of pwatch: watches and prints until there is nothing left to watch */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "message.h"
#include "watch.h"

static void choose_style(struct watch *watch)
{
	const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
	struct stat own;

	watch->style.json = watch->options->json;
	watch->style.colour = isatty(watch->output.fd) && (!no_color || *no_color == '\0') &&
	                      (!terminal || strcmp(terminal, "dumb") != 0);
	watch->style.utf8 = inherited_take_utf8();
	if (stat("/proc/self/ns/net", &own) == 0)
		watch->style.own_netns = own.st_ino;
}

static int open_output(struct watch *watch)
{
	int result = output_open(&watch->output, watch->options->output,
	                         watch->options->command ? STDERR_FILENO : STDOUT_FILENO);

	if (result < 0)
		message_error("cannot open %s: %s", watch->options->output, strerror(-result));
	else
		choose_style(watch);
	return result;
}

static int add_source(int epoll_fd, int fd, uint32_t events, uint64_t tag)
{
	struct epoll_event event = {.events = events, .data.u64 = tag};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_descriptors(struct watch *watch)
{
	int result;

	watch->signal_fd = inherited_change(&watch->inherited, watch->options->command);
	if (watch->signal_fd < 0)
		return watch->signal_fd;
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch->targets_fd = epoll_create1(EPOLL_CLOEXEC);
	if (watch->epoll_fd < 0 || watch->targets_fd < 0)
		return -errno;
	result = add_source(watch->epoll_fd, watch->signal_fd, EPOLLIN, SOURCE_SIGNALS);
	if (result == 0)
		result = add_source(watch->epoll_fd, watch->targets_fd, EPOLLIN, SOURCE_TARGETS);
	/* A regular file has no reader that could end (EPERM). */
	if (result == 0)
		(void)add_source(watch->epoll_fd, watch->output.fd, 0, SOURCE_OUTPUT);
	return result;
}

static int prepare_command(struct watch *watch)
{
	int result;

	if (!watch->options->command)
		return 0;
	result = run_prepare(&watch->run, watch->options->command, &watch->inherited);
	if (result < 0)
		return result;
	return add_source(watch->epoll_fd, watch->run.failure_fd, EPOLLIN, SOURCE_COMMAND);
}

/* Gives up what watching doesn't take. With COMMAND only what exec has added (file capabilities):
 * the rest is the caller's own, which COMMAND has too. It may change its user with it, and to pass
 * signals on to it still takes CAP_KILL. */
static int limit_privileges(const struct options *options)
{
	if (options->command && getauxval(AT_SECURE) == 0)
		return 0;
	return portwatch_limit_privileges();
}

static int prepare(struct watch *watch)
{
	int result = open_descriptors(watch);

	if (result == 0)
		result = prepare_command(watch);
	if (result == 0) {
		watch->target_count = watch->options->command ? 1 : watch->options->pid_count;
		watch->targets = calloc(watch->target_count, sizeof(*watch->targets));
		result = watch->targets ? 0 : -ENOMEM;
	}
	/* COMMAND was forked before. */
	if (result == 0)
		result = limit_privileges(watch->options);
	if (result < 0) {
		watch->target_count = 0;
		message_error("cannot start: %s", message_reason(result));
	}
	return result;
}

/* Makes all watchers before the first is started: a PID that is wrong is told before any event. */
static int open_targets(struct watch *watch)
{
	int result = 0;

	watch->overlap.enabled = watch->target_count > 1;
	for (size_t i = 0; i < watch->target_count && result == 0; i++) {
		watch->targets[i].pid =
			watch->options->command ? watch->run.pid : watch->options->pids[i];
		watch->targets[i].user_data = watch;
		result = target_open(&watch->targets[i], watch->options, events_print);
	}
	return result;
}

static int start_targets(struct watch *watch)
{
	struct target *target;
	int result = 0;

	for (size_t i = 0; i < watch->target_count && result == 0; i++) {
		target = &watch->targets[i];
		result = target_start(target, watch->options);
		if (result == 0)
			result = add_source(watch->targets_fd, portwatch_get_fd(target->watcher),
			                    EPOLLIN, i);
	}
	if (result == 0)
		watch->live = watch->target_count;
	return result;
}

/* --once: prints what was open at the start; nothing is left to wait for but the output. */
static void print_initial(struct watch *watch)
{
	for (size_t i = 0; i < watch->target_count; i++) {
		while (!watch->stopped && portwatch_dispatch(watch->targets[i].watcher) > 0)
			continue;
	}
	watch->live = 0;
}

void watch_close_target(struct watch *watch, struct target *target)
{
	if (watch->options->stats)
		cost_take(&watch->cost, target->watcher);
	target_close(target);
}

static void close_all(struct watch *watch)
{
	const int fds[] = {watch->epoll_fd, watch->targets_fd, watch->signal_fd};

	for (size_t i = 0; i < watch->target_count; i++)
		watch_close_target(watch, &watch->targets[i]);
	free(watch->targets);
	if (watch->options->command)
		run_finish(&watch->run);
	overlap_free(&watch->overlap);
	output_close(&watch->output);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

static void print_cost(const struct watch *watch)
{
	char text[COST_TEXT_MAX];

	message_lines(text, cost_format(&watch->cost, text));
}

int watch_run(const struct options *options)
{
	struct watch watch = {
		.options = options,
		.run = {.go_fd = -1, .failure_fd = -1, .status = RUN_FAILED},
		.epoll_fd = -1,
		.targets_fd = -1,
		.signal_fd = -1,
	};
	bool started;

	if (open_output(&watch) < 0)
		return options->command ? RUN_FAILED : 1;
	started = prepare(&watch) == 0 && open_targets(&watch) == 0 && start_targets(&watch) == 0;
	if (started) {
		if (options->once)
			print_initial(&watch);
		if (options->command)
			run_go(&watch.run);
		loop_run(&watch);
	} else {
		watch.status = 1;
	}
	close_all(&watch);
	if (started && options->stats)
		print_cost(&watch);
	return options->command ? watch.run.status : watch.status;
}
