/* SPDX-License-Identifier: MIT */
/* crowd.c - idle processes outside of the watched tree */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "crowd.h"

#define DESCRIPTORS 7

static void idle(void)
{
	for (;;)
		pause();
}

/* Every process of the crowd inherits a copy of these descriptors. */
static bool open_descriptors(void)
{
	for (int i = 0; i < DESCRIPTORS; i++)
		if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			return false;
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

static void run_leader(int channel, unsigned int count)
{
	pid_t group = getpid();
	bool complete = open_descriptors();
	char byte;

	setpgid(0, 0);
	signal(SIGTERM, SIG_IGN);
	for (unsigned int i = 0; complete && i < count; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			signal(SIGTERM, SIG_DFL);
			close(channel);
			idle();
		}
		complete = pid > 0;
	}
	if (write(channel, complete ? "+" : "-", 1) == 1)
		while (read(channel, &byte, 1) < 0 && errno == EINTR)
			;
	kill(-group, SIGTERM);
	while (wait(NULL) > 0)
		;
	_exit(0);
}

bool crowd_start(struct crowd *crowd, unsigned int count)
{
	int ends[2];
	char byte = '-';

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		bench_fail("socketpair: %s", strerror(errno));
	/* fork(2), not bench_fork(): a killed leader could not end the crowd. The leader sees the
	 * end of the channel instead. */
	crowd->root = fork();
	if (crowd->root < 0)
		bench_fail("fork: %s", strerror(errno));
	if (crowd->root == 0) {
		close(ends[0]);
		run_leader(ends[1], count);
	}
	close(ends[1]);
	crowd->channel = ends[0];
	if (read(ends[0], &byte, 1) == 1 && byte == '+')
		return true;
	crowd_stop(crowd);
	return false;
}

void crowd_stop(struct crowd *crowd)
{
	/* close(2) alone is not enough, because other processes may have inherited the channel. */
	shutdown(crowd->channel, SHUT_RDWR);
	close(crowd->channel);
	while (waitpid(crowd->root, NULL, 0) < 0 && errno == EINTR)
		;
}
