/* SPDX-License-Identifier: MIT */
/* latency.c - the baselines for the latency of the library */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "notify/notifier.h"
#include "latency.h"
#include "polling.h"

#define PORTS_MAX 128
#define PATIENCE 5

static void collect(const struct polling *polling, const struct actor_result *results,
                    unsigned int count, struct samples *samples)
{
	for (unsigned int i = 0; i < count; i++) {
		uint64_t when = polling->opened->when[results[i].port];

		if (when > results[i].before)
			samples_add(samples, seconds(when - results[i].before));
	}
}

bool latency_of_polling(struct actor *actor, unsigned int count, struct samples *samples)
{
	struct actor_result results[PORTS_MAX];
	struct polling polling;

	count = count < PORTS_MAX ? count : PORTS_MAX;
	polling_start(&polling, actor->root);
	bench_sleep(NSEC_PER_SEC / 2);
	for (unsigned int i = 0; i < count; i++) {
		bench_sleep(bench_random(200 * NSEC_PER_MSEC));
		results[i] = actor_listen(actor, 0);
	}
	for (unsigned int i = 0; i < count; i++)
		sightings_wait(polling.opened, results[i].port, results[i].before, PATIENCE);
	collect(&polling, results, count, samples);
	polling_stop(&polling);
	return samples->count == count;
}

struct awaited_listen {
	pid_t pid;
	uint64_t when; /* when the record was read; 0: not yet */
};

static void changed(void *data, const struct tcp_change *change)
{
	struct awaited_listen *awaited = data;

	if (change->pid == awaited->pid && change->listening)
		awaited->when = clock_now(CLOCK_MONOTONIC);
}

/* Waits in poll(2), as the library does, while the actor listens. */
static bool wait_for_record(struct notifier *notifier, struct awaited_listen *awaited)
{
	struct pollfd ready = {.fd = notifier_fd(notifier), .events = POLLIN};
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_SEC;

	while (awaited->when == 0 && clock_now(CLOCK_MONOTONIC) < deadline) {
		poll(&ready, 1, 1000);
		notifier_drain(notifier, 1024);
	}
	return awaited->when != 0;
}

bool latency_of_record(struct actor *actor, unsigned int count, struct samples *samples)
{
	static const struct notifier_hooks hooks = BENCH_HOOKS(changed);
	struct awaited_listen awaited = {.pid = actor->pid};
	struct notifier *notifier;
	struct failure failure;
	bool received = true;

	if (notifier_open(&notifier, &hooks, &awaited, NOTIFIER_ALL_WAYS, &failure) < 0)
		return false;
	for (unsigned int i = 0; received && i < count; i++) {
		struct actor_result result;

		bench_sleep(2 * NSEC_PER_MSEC + bench_random(8 * NSEC_PER_MSEC));
		awaited.when = 0;
		actor_listen_begin(actor, 0, 2 * NSEC_PER_MSEC);
		received = wait_for_record(notifier, &awaited);
		result = actor_listen_end(actor);
		if (received)
			samples_add(samples, seconds(awaited.when - result.before));
		actor_close(actor, result.port);
	}
	notifier_close(notifier);
	return received;
}

/* --- bpftrace */

#define ATTACH_PATIENCE 20000 /* ms; bpftrace compiles the script first */

struct tracer {
	pid_t pid;
	int out; /* standard output and standard error of bpftrace */
	char text[4096];
	size_t length;
};

static void run_bpftrace(int out)
{
	static char script[] = "tracepoint:sock:inet_sock_set_state /args->newstate == 10/ "
			       "{ printf(\"listen %d\\n\", pid); }";
	char *const argv[] = {"bpftrace", "-B", "line", "-e", script, NULL};

	/* bpftrace requires both mounts. */
	if (unshare(CLONE_NEWNS) == 0 && mount("none", "/", "", MS_REC | MS_PRIVATE, "") == 0) {
		mount("debugfs", "/sys/kernel/debug", "debugfs", 0, "");
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, "");
	}
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execvp(argv[0], argv);
	_exit(127);
}

static bool tracer_start(struct tracer *tracer)
{
	int ends[2];

	*tracer = (struct tracer){0};
	if (pipe(ends) < 0)
		return false;
	tracer->pid = bench_fork();
	if (tracer->pid == 0) {
		close(ends[0]);
		run_bpftrace(ends[1]);
	}
	close(ends[1]);
	tracer->out = ends[0];
	return true;
}

static void tracer_stop(struct tracer *tracer)
{
	kill(tracer->pid, SIGKILL);
	waitpid(tracer->pid, NULL, 0);
	close(tracer->out);
}

/* Waits for a line with the given beginning, for `patience` ms. */
static bool tracer_wait(struct tracer *tracer, const char *beginning, int patience)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + (uint64_t)patience * NSEC_PER_MSEC;
	struct pollfd ready = {.fd = tracer->out, .events = POLLIN};
	char *end;

	for (;;) {
		while ((end = memchr(tracer->text, '\n', tracer->length))) {
			bool found = strncmp(tracer->text, beginning, strlen(beginning)) == 0;

			tracer->length -= (size_t)(end + 1 - tracer->text);
			memmove(tracer->text, end + 1, tracer->length);
			if (found)
				return true;
		}
		if (tracer->length == sizeof(tracer->text))
			return false;
		if (clock_now(CLOCK_MONOTONIC) > deadline || poll(&ready, 1, patience) <= 0)
			return false;
		ssize_t size = read(tracer->out, tracer->text + tracer->length,
		                    sizeof(tracer->text) - tracer->length);

		if (size <= 0)
			return false;
		tracer->length += (size_t)size;
	}
}

bool latency_of_bpftrace(struct actor *actor, unsigned int count, struct samples *samples)
{
	struct tracer tracer;
	char line[32];
	bool received;

	if (!tracer_start(&tracer))
		return false;
	snprintf(line, sizeof(line), "listen %d\n", (int)actor->pid);
	received = tracer_wait(&tracer, "Attaching", ATTACH_PATIENCE);
	/* bpftrace prints "Attaching" before it attaches the probe. */
	bench_sleep(NSEC_PER_SEC);
	for (unsigned int i = 0; received && i < count; i++) {
		struct actor_result result;
		uint64_t when;

		bench_sleep(2 * NSEC_PER_MSEC + bench_random(8 * NSEC_PER_MSEC));
		actor_listen_begin(actor, 0, 2 * NSEC_PER_MSEC);
		received = tracer_wait(&tracer, line, PATIENCE * 1000);
		when = clock_now(CLOCK_MONOTONIC);
		result = actor_listen_end(actor);
		if (received)
			samples_add(samples, seconds(when - result.before));
		actor_close(actor, result.port);
	}
	tracer_stop(&tracer);
	return received;
}
