/* SPDX-License-Identifier: MIT */
/* killer.c - attacks the helpers of the watching process from outside */
#include <signal.h>
#include <unistd.h>

#include "util/clock.h"
#include "direct.h"

#define HELPERS_MAX 256
/* A helper that has lasted ten seconds has no failures behind it; five in a row, and another way is
 * taken for a minute or more, which isn't what is to be tested here. So few die younger. One that
 * hasn't answered yet is left alone. */
#define AGE_RELIABLE 11000 /* ms */
#define AGE_MIN 500        /* ms */
#define YOUNG_SHARE 16

static bool is_target(const struct measure_child *child, uint64_t age)
{
	uint64_t per_tick = NSEC_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t now = clock_now(CLOCK_BOOTTIME);

	return child->state != 'Z' && child->state != 'T' && child->state != '-' &&
	       child->started * per_tick + age * NSEC_PER_MSEC < now;
}

static void attack(struct killer *killer, pid_t pid)
{
	if (soak_random(&killer->random, 3) == 0) {
		if (kill(pid, SIGSTOP) == 0)
			killer->stopped++;
	} else if (kill(pid, SIGKILL) == 0) {
		killer->killed++;
	}
}

/* Mostly one of them, at times all at once. */
void killer_turn(struct killer *killer, pid_t watching)
{
	struct measure_child children[HELPERS_MAX];
	size_t count = measure_children(watching, children, HELPERS_MAX);
	bool all = soak_random(&killer->random, 100) == 0;
	bool young = soak_random(&killer->random, YOUNG_SHARE) == 0;
	size_t first;

	count = count < HELPERS_MAX ? count : HELPERS_MAX;
	if (count == 0)
		return;
	first = soak_random(&killer->random, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		const struct measure_child *child = &children[(first + i) % count];

		if (!is_target(child, young ? AGE_MIN : AGE_RELIABLE))
			continue;
		attack(killer, child->pid);
		if (!all)
			break;
	}
}
