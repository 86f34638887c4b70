/* SPDX-License-Identifier: MIT */
/* actors.c - those who make trouble: namespaces and trees that come and go, storms of listeners */
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

/* All that a turn forks holds the writing end: the turn is over when the last of them is gone, also
 * those that have detached themselves. */
static void await_all(int ends[2])
{
	char byte;

	close(ends[1]);
	while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
		;
	close(ends[0]);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* A member of a namespace: holds what it has inherited, opens one port more, and goes. */
static void live_in_namespace(struct soak *soak, uint32_t *random)
{
	soak_listen(soak, soak_random(random, 4), 0);
	soak_nap(soak, (int)soak_random(random, 500));
	_exit(0);
}

/* Its leader may be the first or the last to go, and may move on to another namespace. */
static void live_apart(struct soak *soak, int number, uint32_t *random)
{
	uint32_t members = soak_random(random, 4);
	int error = soak_enter_netns();

	if (error < 0)
		soak_complain(soak, "new network namespace: %s", strerror(-error));
	atomic_fetch_add(&soak->made, 1);
	atomic_store(&soak->transients[number % SOAK_TRANSIENTS], getpid());
	for (uint32_t i = soak_random(random, 4); i > 0; i--)
		soak_listen(soak, i, 0);
	for (uint32_t i = 0; i < members; i++) {
		soak_random(random, 2);
		if (soak_fork(soak) == 0)
			live_in_namespace(soak, random);
	}
	soak_nap(soak, (int)soak_random(random, 500));
	if (soak_random(random, 4) == 0 && soak_enter_netns() == 0) {
		atomic_fetch_add(&soak->made, 1);
		soak_listen(soak, soak_random(random, 4), 0);
		soak_nap(soak, (int)soak_random(random, 50));
	}
	_exit(0);
}

void soak_act_namespaces(struct soak *soak, int number)
{
	uint32_t random = (uint32_t)number + 1;
	int ends[2];

	while (soak_turn(soak)) {
		soak_random(&random, 2);
		if (pipe(ends) < 0) {
			soak_complain(soak, "pipe: %s", strerror(errno));
			break;
		}
		if (soak_fork(soak) == 0)
			live_apart(soak, number, &random);
		await_all(ends);
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

/* The life of a process: some open a port, some detach themselves, some die before their children
 * do. Returns true in a child, which is to live as well, and false at the end of it. */
static bool live(struct soak *soak, uint32_t *random, uint32_t depth)
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
		soak_nap(soak, (int)soak_random(random, 80));
	while (soak_random(random, 3) != 0 && waitpid(-1, NULL, 0) > 0)
		;
	return false;
}

static void grow(struct soak *soak, uint32_t random, uint32_t depth)
{
	while (live(soak, &random, depth))
		depth--;
	_exit(0);
}

void soak_act_trees(struct soak *soak, int number)
{
	uint32_t random = 0x7ee5U + (uint32_t)number;
	int ends[2];
	pid_t pid;

	while (soak_turn(soak)) {
		uint32_t depth = soak_random(&random, TREE_DEPTH);

		if (pipe(ends) < 0) {
			soak_complain(soak, "pipe: %s", strerror(errno));
			break;
		}
		pid = soak_fork(soak);
		if (pid == 0)
			grow(soak, random, depth);
		atomic_store(&soak->transients[SOAK_TRANSIENTS - 1 - number], pid);
		await_all(ends);
		soak_nap(soak, (int)soak_random(&random, 60));
	}
	_exit(0);
}

/* As fast as it can for as long as told; nothing stays open. */
static void blow(struct soak *soak, uint32_t *random, uint64_t duration)
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

/* The first in our own network namespace, the second in one that it keeps. */
void soak_act_storm(struct soak *soak, int number)
{
	int error = number ? soak_enter_netns() : 0;
	uint32_t random = 0x5702U + (uint32_t)number;

	if (error < 0)
		soak_complain(soak, "network namespace of a storm: %s", strerror(-error));
	while (soak_turn(soak)) {
		blow(soak, &random, soak_random(&random, 300) * NSEC_PER_MSEC);
		soak_nap(soak, (int)soak_random(&random, 1000));
	}
	_exit(0);
}
