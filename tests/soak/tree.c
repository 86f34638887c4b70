/* SPDX-License-Identifier: MIT */
/* tree.c - the watched process, which is the root of all keepers and actors; the keepers */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

#define NAMESPACE_ACTORS 5
#define TREE_ACTORS 3
/* The ports of this keeper pass from process to process. Both processes hold the ports for HANDOVER
 * seconds, so that a watcher that polls finds the new holder before the old one exits. */
#define HANDOVER_KEEPER 1
#define HANDOVER 15

static void open_ports(struct soak *soak, int number, int first, int end)
{
	for (int i = first; i < end; i++) {
		int port = number * SOAK_KEEPER_PORTS + i;
		int fd = soak_listen(soak, (unsigned int)i, (uint16_t)(SOAK_FIRST_PORT + port));

		if (fd < 0)
			soak_fail(soak, "listen on port %d: %s", SOAK_FIRST_PORT + port,
			          strerror(-fd));
	}
	atomic_fetch_add(&soak->ready, 1);
}

/* Forks a new holder of the ports and exits after HANDOVER seconds. Returns in the new holder. */
static void hand_over(struct soak *soak, int number)
{
	time_t until = time(NULL) + HANDOVER;
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		atomic_store(&soak->keeper_pids[number], getpid());
		while (getppid() == parent && atomic_load(&soak->phase) != SOAK_END)
			soak_sleep(soak, 50);
		return;
	}
	while (pid > 0 && time(NULL) < until && atomic_load(&soak->phase) != SOAK_END)
		soak_sleep(soak, 50);
	if (pid > 0)
		_exit(0);
}

void soak_keep(struct soak *soak, int number)
{
	int error = number ? soak_enter_netns() : 0;
	bool opened = false;

	if (error < 0)
		soak_fail(soak, "network namespace of a keeper: %s", strerror(-error));
	atomic_store(&soak->keeper_pids[number], getpid());
	open_ports(soak, number, 0, SOAK_KEEPER_PORTS / 2);
	while (atomic_load(&soak->phase) != SOAK_END) {
		soak_sleep(soak, 50);
		if (!opened && atomic_load(&soak->open_rest)) {
			open_ports(soak, number, SOAK_KEEPER_PORTS / 2, SOAK_KEEPER_PORTS);
			opened = true;
		} else if (number == HANDOVER_KEEPER && atomic_load(&soak->phase) == SOAK_RUN) {
			hand_over(soak, number);
		}
	}
	_exit(0);
}

static void start(struct soak *soak, void (*body)(struct soak *, int), int number)
{
	pid_t pid = fork();

	if (pid == 0)
		body(soak, number);
	if (pid < 0)
		soak_fail(soak, "fork of a keeper or actor failed");
}

static void start_actors(struct soak *soak, void (*body)(struct soak *, int), int count)
{
	for (int i = 0; i < count; i++) {
		atomic_fetch_add(&soak->actors, 1);
		start(soak, body, i);
	}
}

void soak_run_tree(struct soak *soak)
{
	for (int i = 0; i < soak->keepers; i++)
		start(soak, soak_keep, i);
	start_actors(soak, soak_act_namespaces, soak->namespaces ? NAMESPACE_ACTORS : 0);
	start_actors(soak, soak_act_trees, TREE_ACTORS);
	start_actors(soak, soak_act_storm, soak->namespaces ? 2 : 1);
	/* The root exits after its last child. */
	while (wait(NULL) > 0)
		;
	_exit(0);
}
