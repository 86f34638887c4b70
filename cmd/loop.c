/* SPDX-License-Identifier: MIT */
/* loop.c - waits for whatever comes next */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "message.h"
#include "watch.h"

/* How long the end of a tree may be waited for when no process of it is left, in milliseconds. */
#define END_TIMEOUT 10000

/* Delivers what a target has to tell, and lets go of it after its end. */
static void dispatch(struct watch *watch, struct target *target)
{
	int result = portwatch_dispatch(target->watcher);

	if (result < 0) {
		message_error("process %d: no more events: %s", (int)target->pid,
		              strerror(-result));
		watch->status = 1;
	}
	if (!target->ended && result >= 0)
		return;
	epoll_ctl(watch->targets_fd, EPOLL_CTL_DEL, portwatch_get_fd(target->watcher), NULL);
	watch_close_target(watch, target);
	watch->live--;
}

static void dispatch_ready(struct watch *watch)
{
	struct epoll_event ready[64];
	int count = epoll_wait(watch->targets_fd, ready, 64, 0);

	for (int i = 0; i < count && !watch->stopped; i++)
		dispatch(watch, &watch->targets[ready[i].data.u64]);
}

/* SIGCHLD: something is to be reaped. Others end pwatch, or are COMMAND's as long as it runs. */
static void take_signals(struct watch *watch)
{
	struct signalfd_siginfo info;

	while (read(watch->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			run_reap(&watch->run);
		else if (watch->options->command && !watch->run.reaped)
			run_pass_on(&watch->run, &info);
		else
			watch->stopped = true;
	}
}

/* While lines can't be written the targets rest: the library's bounded queue is the place to wait.
 * So they do until COMMAND was executed: one that isn't has no events. */
static void pause_targets(struct watch *watch)
{
	bool pending = output_is_pending(&watch->output);
	bool pause = pending || watch->run.failure_fd >= 0;
	struct epoll_event targets = {.events = pause ? 0 : EPOLLIN, .data.u64 = SOURCE_TARGETS};
	struct epoll_event output = {.events = pending ? EPOLLOUT : 0, .data.u64 = SOURCE_OUTPUT};

	if (pause == watch->paused)
		return;
	watch->paused = pause;
	epoll_ctl(watch->epoll_fd, EPOLL_CTL_MOD, watch->targets_fd, &targets);
	if (watch->output.fd >= 0)
		epoll_ctl(watch->epoll_fd, EPOLL_CTL_MOD, watch->output.fd, &output);
}

static void take_output(struct watch *watch, uint32_t events)
{
	int result;

	if (watch->output.fd < 0)
		return;
	result = output_flush(&watch->output);
	/* The reader has closed its end, or the terminal is gone. */
	if (result == 0 && (events & (EPOLLERR | EPOLLHUP)))
		result = -EPIPE;
	if (result < 0)
		events_fail(watch, result);
}

static void take_command(struct watch *watch)
{
	int result;

	epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, watch->run.failure_fd, NULL);
	result = run_result(&watch->run);
	if (result == 0)
		return;
	message_error("cannot run %s: %s", watch->options->command[0], strerror(-result));
	watch->stopped = true;
}

static void take_source(struct watch *watch, const struct epoll_event *ready)
{
	switch ((enum source)ready->data.u64) {
	case SOURCE_SIGNALS:
		take_signals(watch);
		break;
	case SOURCE_TARGETS:
		dispatch_ready(watch);
		break;
	case SOURCE_OUTPUT:
		take_output(watch, ready->events);
		break;
	case SOURCE_COMMAND:
		take_command(watch);
		break;
	}
}

static bool is_done(const struct watch *watch)
{
	if (watch->stopped)
		return true;
	if (watch->live > 0 || output_is_pending(&watch->output))
		return false;
	return !watch->options->command || watch->run.reaped;
}

static void count_nothing(const struct portwatch_namespace *ns, void *user_data)
{
	(void)ns;
	(void)user_data;
}

/* A member in another PID namespace becomes a child of the init there, not of pwatch. */
static bool has_members(const struct watch *watch)
{
	return watch->live > 0 &&
	       portwatch_each_namespace(watch->targets[0].watcher, count_nothing, NULL) > 0;
}

/* Whether nothing is left to wait for but the word that the tree has ended. */
static bool is_ending(const struct watch *watch)
{
	return watch->run.reaped && watch->run.alone && !watch->paused;
}

void loop_run(struct watch *watch)
{
	struct epoll_event ready[8];
	int count, timeout;

	while (!is_done(watch)) {
		pause_targets(watch);
		timeout = is_ending(watch) ? END_TIMEOUT : -1;
		count = epoll_wait(watch->epoll_fd, ready, 8, timeout);
		if (count == 0 && !has_members(watch))
			return;
		for (int i = 0; i < count && !watch->stopped; i++)
			take_source(watch, &ready[i]);
	}
}
