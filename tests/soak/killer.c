/* SPDX-License-Identifier: MIT */
/* killer.c - kills and stops the helpers of the watching process */
#include <signal.h>
#include <unistd.h>

#include "util/clock.h"
#include "director.h"

#define HELPERS_MAX 256
/* A helper that has worked for ten seconds has no failures on its account. After five consecutive
 * failures the library changes to another reader for a minute or more, which is not the subject of
 * this test. Therefore few helpers die younger, and none before its first answer. */
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

static void attack_helper(struct killer *killer, pid_t pid)
{
	if (soak_random(&killer->random, 3) == 0) {
		if (kill(pid, SIGSTOP) == 0)
			killer->stopped++;
	} else if (kill(pid, SIGKILL) == 0) {
		killer->killed++;
	}
}

/* Attacks one helper in most calls, and all helpers in some. */
void killer_attack(struct killer *killer, pid_t watching)
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
		attack_helper(killer, child->pid);
		if (!all)
			break;
	}
}
