/* SPDX-License-Identifier: MIT */
/* latency.c - what the latency of the library is compared with */
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

static void collect(const struct polling *polling, const struct deed *deeds, unsigned int count,
                    struct samples *samples)
{
	for (unsigned int i = 0; i < count; i++) {
		uint64_t when = polling->opened->when[deeds[i].port];

		if (when > deeds[i].before)
			samples_add(samples, seconds(when - deeds[i].before));
	}
}

bool latency_of_polling(struct actor *actor, unsigned int count, struct samples *samples)
{
	struct deed deeds[PORTS_MAX];
	struct polling polling;

	count = count < PORTS_MAX ? count : PORTS_MAX;
	polling_start(&polling, actor->root);
	bench_sleep(NSEC_PER_SEC / 2);
	for (unsigned int i = 0; i < count; i++) {
		bench_sleep(bench_random(200 * NSEC_PER_MSEC));
		deeds[i] = actor_listen(actor, 0);
	}
	for (unsigned int i = 0; i < count; i++)
		sightings_wait(polling.opened, deeds[i].port, deeds[i].before, PATIENCE);
	collect(&polling, deeds, count, samples);
	polling_stop(&polling);
	return samples->count == count;
}

struct hearing {
	pid_t pid;
	uint64_t when; /* its record was taken; 0: not yet */
};

static void changed(void *data, const struct tcp_change *change)
{
	struct hearing *hearing = data;

	if (change->pid == hearing->pid && change->listening)
		hearing->when = clock_now(CLOCK_MONOTONIC);
}

/* Waits where the library does: in poll(2), while the actor listens. */
static bool hear(struct notifier *notifier, struct hearing *hearing)
{
	struct pollfd bell = {.fd = notifier_fd(notifier), .events = POLLIN};
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_SEC;

	while (hearing->when == 0 && clock_now(CLOCK_MONOTONIC) < deadline) {
		poll(&bell, 1, 1000);
		notifier_drain(notifier, 1024);
	}
	return hearing->when != 0;
}

bool latency_of_record(struct actor *actor, unsigned int count, struct samples *samples)
{
	static const struct notifier_hooks hooks = BENCH_HOOKS(changed);
	struct hearing hearing = {.pid = actor->pid};
	struct notifier *notifier;
	struct failure failure;
	bool heard = true;

	if (notifier_open(&notifier, &hooks, &hearing, NOTIFIER_ALL_WAYS, &failure) < 0)
		return false;
	for (unsigned int i = 0; heard && i < count; i++) {
		struct deed deed;

		bench_sleep(2 * NSEC_PER_MSEC + bench_random(8 * NSEC_PER_MSEC));
		hearing.when = 0;
		actor_listen_begin(actor, 0, 2 * NSEC_PER_MSEC);
		heard = hear(notifier, &hearing);
		deed = actor_listen_end(actor);
		if (heard)
			samples_add(samples, seconds(hearing.when - deed.before));
		actor_close(actor, deed.port);
	}
	notifier_close(notifier);
	return heard;
}

/* --- bpftrace */

#define TRACE_PATIENCE 20000 /* ms, to compile the script */

struct tracer {
	pid_t pid;
	int out; /* its standard output and error */
	char text[4096];
	size_t length;
};

static void run_bpftrace(int out)
{
	static char script[] = "tracepoint:sock:inet_sock_set_state /args->newstate == 10/ "
			       "{ printf(\"heard %d\\n\", pid); }";
	char *const argv[] = {"bpftrace", "-B", "line", "-e", script, NULL};

	/* It wants them mounted. */
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

/* Waits for a line that begins like this. */
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
		ssize_t got = read(tracer->out, tracer->text + tracer->length,
		                   sizeof(tracer->text) - tracer->length);

		if (got <= 0)
			return false;
		tracer->length += (size_t)got;
	}
}

bool latency_of_bpftrace(struct actor *actor, unsigned int count, struct samples *samples)
{
	struct tracer tracer;
	char line[32];
	bool heard;

	if (!tracer_start(&tracer))
		return false;
	snprintf(line, sizeof(line), "heard %d\n", (int)actor->pid);
	heard = tracer_wait(&tracer, "Attaching", TRACE_PATIENCE);
	/* It says so before it has. */
	bench_sleep(NSEC_PER_SEC);
	for (unsigned int i = 0; heard && i < count; i++) {
		struct deed deed;
		uint64_t when;

		bench_sleep(2 * NSEC_PER_MSEC + bench_random(8 * NSEC_PER_MSEC));
		actor_listen_begin(actor, 0, 2 * NSEC_PER_MSEC);
		heard = tracer_wait(&tracer, line, PATIENCE * 1000);
		when = clock_now(CLOCK_MONOTONIC);
		deed = actor_listen_end(actor);
		if (heard)
			samples_add(samples, seconds(when - deed.before));
		actor_close(actor, deed.port);
	}
	tracer_stop(&tracer);
	return heard;
}
