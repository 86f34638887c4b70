/* SPDX-License-Identifier: MIT */
/* latency.c - what the latency of the library is compared with */
#include <poll.h>

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

static void forked(void *data, pid_t parent, pid_t child)
{
	(void)data, (void)parent, (void)child;
}

static void execed(void *data, pid_t pid)
{
	(void)data, (void)pid;
}

static void exited(void *data, pid_t pid)
{
	(void)data, (void)pid;
}

static void lost(void *data, uint64_t records)
{
	(void)data, (void)records;
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

bool latency_of_tracepoint(struct actor *actor, unsigned int count, struct samples *samples)
{
	static const struct notifier_hooks hooks = {changed, forked, execed, exited, lost};
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
