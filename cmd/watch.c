/* SPDX-License-Identifier: MIT */
/* watch.c - one run of pwatch: watches and prints until all watched processes have ended
 *
 * The loop uses poll(2) instead of epoll(7), so that no kernel object contains an index or a
 * pointer that a process which shares the object could change. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "cost.h"
#include "explain.h"
#include "inherited.h"
#include "live.h"
#include "message.h"
#include "moment.h"
#include "orphans.h"
#include "printer.h"
#include "target.h"
#include "watch.h"

/* How long pwatch waits for the end event of a tree after its last process is gone, in
 * milliseconds. */
#define END_TIMEOUT 10000

/* How long the processes that COMMAND has left behind may take to end after a signal that ends
 * COMMAND, in milliseconds: if pwatch is the init process, which passes the signal on to them, and
 * otherwise. */
#define REST_TIMEOUT_INIT 5000
#define REST_TIMEOUT 1000

/* How long pwatch waits for commands of --exec before it exits, in milliseconds: after a signal or
 * a timeout, and otherwise. */
#define HOOK_TIMEOUT_SHORT 1000
#define HOOK_TIMEOUT 10000

/* The exit status after --timeout, the same as of timeout(1). */
#define TIMED_OUT 124

/* The positions in the array for poll(2). */
enum {
	SLOT_SIGNALS,
	SLOT_OUTPUT,  /* reports that the reader is gone, and room while lines are pending */
	SLOT_COMMAND, /* whether COMMAND could be executed */
	SLOT_KEYS,    /* of --live */
	SLOT_HOOK,    /* room for events, while some are pending */
	SLOT_TARGETS, /* the first target */
};

struct watch {
	const struct options *options;
	struct run *run;
	struct printer printer;
	struct explain explain;
	struct live *table; /* of --live; or NULL */
	char way[EXPLAIN_LINE_MAX];
	struct cost cost; /* of watchers that are closed */
	struct target *targets;
	size_t target_count;
	size_t live;          /* targets that have not ended */
	struct pollfd *slots; /* SLOT_TARGETS and one for each target */
	int signal_fd;
	bool pollable;      /* poll(2) works for the output */
	bool init;          /* pwatch is the init process of its PID namespace */
	bool stopped;       /* end the loop */
	bool found;         /* --wait: the port is open */
	bool rest_reported; /* the end of COMMAND and its remaining processes were reported */
	bool unrun;         /* COMMAND couldn't be executed */
	bool timed_out;
	int signal_number;   /* the signal that has ended pwatch, or 0 */
	int64_t deadline_ms; /* of --timeout, or 0; CLOCK_MONOTONIC */
	int ending;          /* the signal that ends COMMAND and then its other processes; or 0 */
	int64_t rest_ms;     /* deadline of these processes, or 0; CLOCK_MONOTONIC */
	int status;          /* exit status without COMMAND */
};

/* --- the start ---------------------------------------------------------------------------------
 */

/* If pwatch cannot adopt orphans, COMMAND runs nevertheless. */
static void adopt_orphans(struct watch *watch)
{
	int result = run_adopt(watch->run);

	/* Orphans always become children of the init process. */
	watch->run->adopts |= watch->init;
	if (!watch->run->adopts && watch->options->log_level >= PORTWATCH_LOG_WARNING)
		message_error("warning: cannot adopt orphaned processes "
		              "(PR_SET_CHILD_SUBREAPER): %s; what " MESSAGE_NAME
		              " detaches may be lost",
		              strerror(-result), watch->options->command[0]);
}

/* Gives up capabilities that watching does not need. With COMMAND only file capabilities are given
 * up: COMMAND has the caller's capabilities too, and may change its user, so that passing signals
 * on to it needs CAP_KILL. */
static int limit_privileges(const struct options *options)
{
	if (options->command && getauxval(AT_SECURE) == 0)
		return 0;
	return portwatch_limit_privileges();
}

/* Additional signals that pwatch reads with --live: they would otherwise end or stop pwatch without
 * restoring the terminal. */
static const int live_signals[] = {SIGTSTP, SIGCONT, SIGWINCH, SIGQUIT, 0};

static int prepare(struct watch *watch)
{
	int result;

	watch->signal_fd = inherited_change(watch->options->command != NULL,
	                                    watch->options->live ? live_signals : NULL);
	result = watch->signal_fd < 0 ? watch->signal_fd : 0;
	if (result == 0) {
		watch->target_count = watch->options->command ? 1 : watch->options->pid_count;
		watch->targets = calloc(watch->target_count, sizeof(*watch->targets));
		watch->slots = calloc(SLOT_TARGETS + watch->target_count, sizeof(*watch->slots));
		result = watch->targets && watch->slots ? 0 : -ENOMEM;
	}
	if (result == 0)
		result = limit_privileges(watch->options);
	if (result < 0) {
		watch->target_count = 0;
		message_error("cannot start: %s", message_reason(result));
	} else if (watch->options->command) {
		adopt_orphans(watch);
	}
	return result;
}

/* For --wait: prints only the port that was awaited, if a format was chosen. */
static void await(struct watch *watch, const struct portwatch_event *event)
{
	const struct options *options = watch->options;

	if (!printer_wants_port(&watch->printer, event) || watch->found ||
	    portwatch_event_get_kind(event) != PORTWATCH_EVENT_OPEN)
		return;
	if (options->wait_port != 0 && portwatch_event_get_port(event) != options->wait_port)
		return;
	if (options->json || options->format)
		printer_print(&watch->printer, event);
	watch->found = true;
	/* Only pending lines are still written. */
	watch->live = 0;
}

/* A portwatch_callback; its user_data is the target. */
static void take_event(struct portwatch *watcher, const struct portwatch_event *event,
                       void *user_data)
{
	struct target *target = user_data;
	struct watch *watch = target->user_data;

	if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_END)
		target->ended = true;
	if (watch->options->wait)
		await(watch, event);
	else
		printer_event(&watch->printer, watcher, event);
	if (watch->table)
		live_change(watch->table);
}

/* If several processes are given, some may have exited since the caller listed them. The others are
 * watched. */
static bool may_be_missing(const struct watch *watch, int error)
{
	return error == -ESRCH && watch->target_count > 1;
}

/* Creates all watchers before it starts the first one, so that a wrong PID is reported before any
 * event. */
static int open_targets(struct watch *watch)
{
	struct target *target;
	int result = 0;

	for (size_t i = 0; i < watch->target_count && result == 0; i++) {
		target = &watch->targets[i];
		target->pid = watch->options->command ? watch->run->pid : watch->options->pids[i];
		target->adopts = watch->run->adopts;
		target->explains = watch->explain.counts;
		target->user_data = watch;
		result = target_open(target, watch->options, take_event);
		if (may_be_missing(watch, result))
			result = 0;
	}
	return result;
}

static int start_targets(struct watch *watch)
{
	struct target *target;
	int result = 0;

	for (size_t i = 0; i < watch->target_count && result == 0; i++) {
		target = &watch->targets[i];
		if (!target->watcher)
			continue;
		result = target_start(target, watch->options);
		if (result == 0) {
			watch->live++;
			if (watch->options->stats)
				cost_take_ways(&watch->cost, target->watcher);
		} else if (may_be_missing(watch, result)) {
			target_close(target);
			result = 0;
		}
	}
	return result == 0 && watch->live == 0 ? -ESRCH : result;
}

/* --- events, signals and output
 * -------------------------------------------------------------------------------- */

/* If the output has closed, pwatch ends, except that it lets COMMAND run to its end. */
static void check_output(struct watch *watch)
{
	if (printer_is_open(&watch->printer))
		return;
	if (watch->printer.failed)
		watch->status = 1;
	if (!watch->options->command)
		watch->stopped = true;
}

static void close_target(struct watch *watch, struct target *target)
{
	if (watch->options->stats)
		cost_take(&watch->cost, target->watcher);
	target_close(target);
}

/* Delivers the events of a target, and closes it after its end. */
static void dispatch(struct watch *watch, struct target *target)
{
	int result = portwatch_dispatch(target->watcher);

	if (result < 0) {
		message_error("process %d: no more events: %s", (int)target->pid,
		              strerror(-result));
		watch->status = 1;
	}
	check_output(watch);
	if (watch->found || (!target->ended && result >= 0))
		return;
	close_target(watch, target);
	watch->live--;
}

/* For --once: prints the ports that were open at the start. Afterwards pwatch waits only for the
 * output. */
static void print_initial(struct watch *watch)
{
	int count;

	for (size_t i = 0; i < watch->target_count; i++) {
		struct portwatch *watcher = watch->targets[i].watcher;

		while (watcher && !watch->stopped && portwatch_dispatch(watcher) > 0)
			check_output(watch);
	}
	watch->live = 0;
	if (watch->stopped)
		return;
	count = printer_list(&watch->printer);
	check_output(watch);
	if (count <= 0)
		watch->status = 1;
	explain_listing(&watch->explain);
}

/* Whether a signal ends COMMAND and its other processes. If pwatch is the init process, an engine
 * that stops the container signals only pwatch, with the stop signal of the container. */
static bool is_to_end(const struct watch *watch, int signal_number)
{
	return signal_number == SIGTERM ||
	       (watch->init && (signal_number == SIGINT || signal_number == SIGQUIT));
}

/* SIGCHLD reaps children. Other signals are passed on to COMMAND while it runs, and end pwatch
 * otherwise. */
static void take_signal(struct watch *watch, const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;

	if (number == SIGCHLD) {
		if (watch->options->command || watch->init)
			run_reap(watch->run);
	} else if (number == SIGTSTP || number == SIGCONT || number == SIGWINCH) {
		live_take_signal(watch->table, number);
	} else if (!watch->options->command) {
		watch->stopped = true;
		watch->signal_number = number;
	} else if (!watch->run->reaped) {
		run_pass_on(watch->run, info);
		if (is_to_end(watch, number))
			watch->ending = number;
	} else if (watch->init && watch->rest_ms == 0) {
		watch->ending = number;
	} else {
		watch->stopped = true;
	}
}

static void take_signals(struct watch *watch)
{
	struct signalfd_siginfo info;

	while (read(watch->signal_fd, &info, sizeof(info)) == sizeof(info))
		take_signal(watch, &info);
}

static void take_output(struct watch *watch, int events)
{
	if (events & POLLNVAL)
		watch->pollable = false;
	else
		printer_flush(&watch->printer, events & (POLLERR | POLLHUP));
	check_output(watch);
}

static void take_keys(struct watch *watch, int events)
{
	if (!live_take_keys(watch->table) || (events & (POLLERR | POLLHUP | POLLNVAL)))
		watch->stopped = true;
}

static void begin_explaining(struct watch *watch)
{
	for (size_t i = 0; i < watch->target_count; i++) {
		if (watch->targets[i].watcher) {
			explain_begin(&watch->explain, watch->targets[i].watcher, watch->live);
			return;
		}
	}
}

static void take_command(struct watch *watch)
{
	int error;

	if (!run_result(watch->run, &error))
		return;
	if (error == 0) {
		begin_explaining(watch);
		return;
	}
	message_error("cannot run " MESSAGE_NAME ": %s", watch->options->command[0],
	              strerror(error));
	watch->unrun = true;
	watch->stopped = true;
}

/* --- the loop ----------------------------------------------------------------------------------
 */

/* While lines are pending, no events are dispatched: they wait in the bounded queue of the library.
 * No events are dispatched before COMMAND was executed either, because a COMMAND that cannot be
 * executed has no events. */
static bool is_paused(const struct watch *watch)
{
	return output_is_pending(&watch->printer.output) || watch->run->failure_fd >= 0;
}

static void fill_slots(struct watch *watch)
{
	bool paused = is_paused(watch), pending = output_is_pending(&watch->printer.output);
	struct pollfd *slots = watch->slots;

	/* poll(2) ignores negative descriptors. */
	slots[SLOT_SIGNALS] = (struct pollfd){.fd = watch->signal_fd, .events = POLLIN};
	slots[SLOT_OUTPUT] = (struct pollfd){
		.fd = watch->pollable ? watch->printer.output.fd : -1,
		.events = pending ? POLLOUT : 0,
	};
	slots[SLOT_COMMAND] = (struct pollfd){.fd = watch->run->failure_fd, .events = POLLIN};
	slots[SLOT_KEYS] = (struct pollfd){
		.fd = watch->table ? STDIN_FILENO : -1,
		.events = POLLIN,
	};
	slots[SLOT_HOOK] = (struct pollfd){
		.fd = hook_is_pending(watch->printer.hook) ? watch->printer.hook->request_fd : -1,
		.events = POLLOUT,
	};
	for (size_t i = 0; i < watch->target_count; i++) {
		struct portwatch *watcher = watch->targets[i].watcher;

		slots[SLOT_TARGETS + i] = (struct pollfd){
			.fd = paused || !watcher ? -1 : portwatch_get_fd(watcher),
			.events = POLLIN,
		};
	}
}

static void take_slots(struct watch *watch)
{
	const struct pollfd *slots = watch->slots;

	if (slots[SLOT_SIGNALS].revents)
		take_signals(watch);
	if (slots[SLOT_OUTPUT].revents)
		take_output(watch, slots[SLOT_OUTPUT].revents);
	if (slots[SLOT_COMMAND].revents)
		take_command(watch);
	if (slots[SLOT_KEYS].revents)
		take_keys(watch, slots[SLOT_KEYS].revents);
	if (slots[SLOT_HOOK].revents)
		hook_flush(watch->printer.hook);
	for (size_t i = 0; i < watch->target_count && !watch->stopped; i++) {
		if (slots[SLOT_TARGETS + i].revents)
			dispatch(watch, &watch->targets[i]);
	}
}

static bool is_done(const struct watch *watch)
{
	if (watch->stopped)
		return true;
	if (watch->live > 0 || output_is_pending(&watch->printer.output))
		return false;
	return watch->found || !watch->options->command || watch->run->reaped;
}

static int count_nothing(const struct portwatch_namespace *ns, void *user_data)
{
	(void)ns;
	(void)user_data;
	return 0;
}

/* Whether the tree has members. Orphans in another PID namespace become children of the init
 * process there, not of pwatch. */
static bool has_members(const struct watch *watch)
{
	return watch->live > 0 &&
	       portwatch_each_namespace(watch->targets[0].watcher, count_nothing, NULL) > 0;
}

/* After a signal has ended COMMAND, its remaining processes get some time to end too. If pwatch is
 * the init process, it passes the signal on to them, and the kernel kills the rest when pwatch
 * exits. */
static void end_rest(struct watch *watch)
{
	if (watch->ending == 0 || !watch->run->reaped || watch->rest_ms != 0)
		return;
	if (watch->init)
		orphans_signal(watch->ending);
	watch->rest_ms = now_ms() + (watch->init ? REST_TIMEOUT_INIT : REST_TIMEOUT);
}

/* Reports that COMMAND has ended while others of its processes still run. */
static void explain_end(struct watch *watch)
{
	if (watch->rest_reported || !watch->run->reaped || watch->run->alone || watch->unrun)
		return;
	watch->rest_reported = true;
	explain_rest(&watch->explain, watch->options->command[0]);
}

static bool is_ending(const struct watch *watch)
{
	return watch->run->reaped && watch->run->alone && !is_paused(watch);
}

/* Returns the milliseconds until `moment_ms` if they are fewer than `timeout`. */
static int earlier(int timeout, int64_t moment_ms)
{
	int64_t left;

	if (moment_ms == 0)
		return timeout;
	left = moment_ms - now_ms();
	left = left < 0 ? 0 : left > INT_MAX ? INT_MAX : left;
	return timeout < 0 || left < timeout ? (int)left : timeout;
}

static bool is_beginning(const struct watch *watch)
{
	return watch->explain.enabled && !watch->explain.begun && !watch->options->command &&
	       !watch->options->once && !watch->found;
}

/* The timeout of poll(2) in milliseconds; -1: none. After COMMAND and all its processes have ended,
 * pwatch waits only for the end event of the tree. */
static int choose_timeout(const struct watch *watch)
{
	int timeout = is_ending(watch) ? END_TIMEOUT : -1;

	/* The ports that were open at the start are known when poll(2) finds no further events. */
	if (is_beginning(watch))
		return 0;
	timeout = earlier(timeout, explain_next(&watch->explain));
	if (watch->table)
		timeout = earlier(timeout, live_next(watch->table));
	timeout = earlier(timeout, settle_next(&watch->printer.settle));
	return earlier(earlier(timeout, watch->rest_ms), watch->deadline_ms);
}

/* Called when poll(2) has timed out. Returns whether to end the loop. */
static bool is_late(struct watch *watch)
{
	int64_t now = now_ms();

	if (watch->deadline_ms != 0 && now >= watch->deadline_ms)
		watch->timed_out = true;
	return watch->timed_out || (watch->rest_ms != 0 && now >= watch->rest_ms) ||
	       (is_ending(watch) && !has_members(watch));
}

static void draw(struct watch *watch)
{
	int result;

	if (!watch->table)
		return;
	result = live_draw(watch->table, &watch->printer.listing, &watch->explain, now_ms());
	if (result < 0) {
		message_error("cannot show a table: %s", strerror(-result));
		watch->status = 1;
		watch->stopped = true;
	}
}

static void loop(struct watch *watch)
{
	int count;

	while (!is_done(watch)) {
		draw(watch);
		end_rest(watch);
		explain_end(watch);
		explain_idle(&watch->explain, now_ms());
		printer_settle(&watch->printer);
		check_output(watch);
		fill_slots(watch);
		count = poll(watch->slots, SLOT_TARGETS + watch->target_count,
		             choose_timeout(watch));
		if (count > 0)
			take_slots(watch);
		else if (count == 0 && is_beginning(watch))
			begin_explaining(watch);
		else if (count == 0 && is_late(watch))
			return;
		else if (count < 0 && errno != EINTR) {
			message_error("cannot wait: %s", strerror(errno));
			watch->status = 1;
			return;
		}
	}
}

/* --- the end -----------------------------------------------------------------------------------
 */

static void report_wait(const struct watch *watch)
{
	const char *why = watch->timed_out ? "timed out" : "all watched processes have ended";

	if (watch->options->wait_port != 0)
		message_error("%s: port %u is not open", why, watch->options->wait_port);
	else
		message_error("%s: no port is open", why);
}

/* The exit status of --wait. */
static int wait_status(const struct watch *watch)
{
	if (watch->found)
		return watch->status;
	if (watch->signal_number != 0)
		return 128 + watch->signal_number;
	report_wait(watch);
	return watch->timed_out ? TIMED_OUT : 1;
}

/* The exit status of pwatch after the loop. */
static int choose_status(const struct watch *watch)
{
	if (watch->unrun)
		return watch->run->status;
	if (watch->options->wait)
		return wait_status(watch);
	if (watch->timed_out)
		return TIMED_OUT;
	if (watch->options->command)
		return watch->run->status;
	return watch->signal_number == SIGINT || watch->signal_number == SIGQUIT
	               ? 128 + watch->signal_number
	               : watch->status;
}

/* Opens the table. Messages wait until the table is closed. */
static bool open_table(struct watch *watch)
{
	struct portwatch *watcher = NULL;

	for (size_t i = 0; i < watch->target_count && !watcher; i++)
		watcher = watch->targets[i].watcher;
	explain_watch(watch->options, watcher, watch->live, watch->way);
	watch->table = live_open(&watch->printer.style, watch->way);
	if (watch->table)
		message_hold();
	return watch->table;
}

static void close_table(struct watch *watch)
{
	if (!watch->table)
		return;
	live_close(watch->table);
	watch->table = NULL;
	message_release(true);
}

static void close_all(struct watch *watch)
{
	for (size_t i = 0; i < watch->target_count; i++) {
		if (watch->targets[i].watcher)
			close_target(watch, &watch->targets[i]);
	}
	free(watch->targets);
	free(watch->slots);
	printer_close(&watch->printer);
	if (watch->signal_fd >= 0)
		close(watch->signal_fd);
}

static void print_cost(const struct watch *watch)
{
	char text[COST_TEXT_MAX];

	message_lines(text, cost_format(&watch->cost, text));
}

int watch_run(const struct options *options, struct run *run, struct hook *hook)
{
	struct watch watch = {
		.options = options,
		.run = run,
		.signal_fd = -1,
		.pollable = true,
		.init = getpid() == 1,
		.deadline_ms = options->timeout > 0 ? now_ms() + options->timeout : 0,
	};
	int status = options->command ? RUN_FAILED : 1;
	bool started;

	hook_open(hook);
	explain_init(&watch.explain, options);
	if (printer_open(&watch.printer, options, &watch.explain, hook) < 0)
		return status;
	started = prepare(&watch) == 0 && open_targets(&watch) == 0 && start_targets(&watch) == 0 &&
	          (!options->live || open_table(&watch));
	if (started) {
		if (options->once)
			print_initial(&watch);
		if (options->command)
			run_go(run);
		loop(&watch);
		close_table(&watch);
		/* timeout(1) does the same. */
		if (watch.timed_out && options->command && !run->reaped)
			kill(run->pid, SIGTERM);
		status = choose_status(&watch);
		if (options->command && !watch.unrun && !watch.timed_out && !watch.init &&
		    !run->alone)
			explain_rest(&watch.explain, NULL);
	}
	close_all(&watch);
	hook_finish(hook, watch.signal_number != 0 || watch.timed_out || watch.ending != 0
	                          ? HOOK_TIMEOUT_SHORT
	                          : HOOK_TIMEOUT);
	if (started && options->stats)
		print_cost(&watch);
	return status;
}
