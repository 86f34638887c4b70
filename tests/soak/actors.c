/* SPDX-License-Identifier: MIT */
/* actors.c - the actors: they create and end namespaces and trees, and open and close many ports */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "soak.h"

#define STORM_PORTS 250
#define STORM_SHARED 20 /* sockets on one port */
#define TREE_DEPTH 12

/* Every process that an actor forks inherits the writing end, so the read ends when the last
 * process has exited, including detached ones. */
static void wait_for_all(int ends[2])
{
	char byte;

	close(ends[1]);
	while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
		;
	close(ends[0]);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* A child holds the inherited ports, opens another port, and exits. */
static void run_namespace_child(struct soak *soak, uint32_t *random)
{
	soak_listen(soak, soak_random(random, 4), 0);
	soak_sleep(soak, (int)soak_random(random, 500));
	_exit(0);
}

/* The parent exits before or after its children, and moves to another namespace in some runs. */
static void run_namespace_parent(struct soak *soak, int number, uint32_t *random)
{
	uint32_t members = soak_random(random, 4);
	int error = soak_enter_netns();

	if (error < 0)
		soak_fail(soak, "new network namespace: %s", strerror(-error));
	atomic_fetch_add(&soak->namespaces_made, 1);
	atomic_store(&soak->transients[number % SOAK_TRANSIENTS], getpid());
	for (uint32_t i = soak_random(random, 4); i > 0; i--)
		soak_listen(soak, i, 0);
	for (uint32_t i = 0; i < members; i++) {
		soak_random(random, 2);
		if (soak_fork(soak) == 0)
			run_namespace_child(soak, random);
	}
	soak_sleep(soak, (int)soak_random(random, 500));
	if (soak_random(random, 4) == 0 && soak_enter_netns() == 0) {
		atomic_fetch_add(&soak->namespaces_made, 1);
		soak_listen(soak, soak_random(random, 4), 0);
		soak_sleep(soak, (int)soak_random(random, 50));
	}
	_exit(0);
}

void soak_act_namespaces(struct soak *soak, int number)
{
	uint32_t random = (uint32_t)number + 1;
	int ends[2];

	while (soak_may_run(soak)) {
		soak_random(&random, 2);
		if (pipe(ends) < 0) {
			soak_fail(soak, "pipe: %s", strerror(errno));
			break;
		}
		if (soak_fork(soak) == 0)
			run_namespace_parent(soak, number, &random);
		wait_for_all(ends);
	}
	_exit(0);
}

static void detach(struct soak *soak)
{
	if (soak_fork(soak) != 0)
		_exit(0);
	setsid();
	if (soak_fork(soak) != 0)
		_exit(0);
}

/* One process of a tree: some open a port, some detach, some die before their children. Returns
 * true in a forked child, which must call the function again, and false when the process must exit.
 */
static bool run_tree_process(struct soak *soak, uint32_t *random, uint32_t depth)
{
	uint32_t children = soak_random(random, 8) == 0 ? 3 : 1;

	if (soak_random(random, 3) == 0)
		soak_listen(soak, soak_random(random, 4), 0);
	if (soak_random(random, 4) == 0)
		detach(soak);
	for (uint32_t i = 0; depth > 0 && i < children; i++) {
		soak_random(random, 2);
		if (soak_fork(soak) == 0)
			return true;
	}
	if (depth == 0 || soak_random(random, 2) == 0)
		soak_sleep(soak, (int)soak_random(random, 80));
	while (soak_random(random, 3) != 0 && waitpid(-1, NULL, 0) > 0)
		;
	return false;
}

static void run_tree_branch(struct soak *soak, uint32_t random, uint32_t depth)
{
	while (run_tree_process(soak, &random, depth))
		depth--;
	_exit(0);
}

void soak_act_trees(struct soak *soak, int number)
{
	uint32_t random = 0x7ee5U + (uint32_t)number;
	int ends[2];
	pid_t pid;

	while (soak_may_run(soak)) {
		uint32_t depth = soak_random(&random, TREE_DEPTH);

		if (pipe(ends) < 0) {
			soak_fail(soak, "pipe: %s", strerror(errno));
			break;
		}
		pid = soak_fork(soak);
		if (pid == 0)
			run_tree_branch(soak, random, depth);
		atomic_store(&soak->transients[SOAK_TRANSIENTS - 1 - number], pid);
		wait_for_all(ends);
		soak_sleep(soak, (int)soak_random(&random, 60));
	}
	_exit(0);
}

/* Opens and closes ports as fast as possible for the given duration. No port stays open. */
static void run_storm(struct soak *soak, uint32_t *random, uint64_t duration)
{
	static int fds[STORM_PORTS];
	uint64_t end = clock_now(CLOCK_MONOTONIC) + duration;

	for (int i = 0; i < STORM_PORTS; i++)
		fds[i] = -1;
	while (clock_now(CLOCK_MONOTONIC) < end) {
		uint32_t which = soak_random(random, STORM_PORTS);
		uint32_t port = which < STORM_SHARED ? 0 : which;

		if (fds[which] >= 0)
			close(fds[which]);
		fds[which] = fds[which] >= 0
		                     ? -1
		                     : soak_listen(soak, port, (uint16_t)(SOAK_STORM_PORT + port));
	}
	for (int i = 0; i < STORM_PORTS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* The first storm is in the soak's network namespace, the second in a namespace of its own. */
void soak_act_storm(struct soak *soak, int number)
{
	int error = number ? soak_enter_netns() : 0;
	uint32_t random = 0x5702U + (uint32_t)number;

	if (error < 0)
		soak_fail(soak, "network namespace of a storm: %s", strerror(-error));
	while (soak_may_run(soak)) {
		run_storm(soak, &random, soak_random(&random, 300) * NSEC_PER_MSEC);
		soak_sleep(soak, (int)soak_random(&random, 1000));
	}
	_exit(0);
}
