/* SPDX-License-Identifier: MIT */
/* command.c - runs other programs and measures their cost */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "command.h"
#include "samples.h"

/* The usual RLIMIT_NOFILE of a shell: some programs close every descriptor up to the limit. */
#define USUAL_DESCRIPTORS 1024

static void exec_program(char *const arguments[], int output)
{
	struct rlimit limit = {USUAL_DESCRIPTORS, USUAL_DESCRIPTORS};
	int null = open("/dev/null", O_RDWR);

	setrlimit(RLIMIT_NOFILE, &limit);
	dup2(null, STDIN_FILENO);
	dup2(output >= 0 ? output : null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execvp(arguments[0], arguments);
	_exit(127);
}

/* vfork(2), because fork(2) would measure the size of this program. */
pid_t command_start(char *const arguments[], int *output)
{
	int ends[2] = {-1, -1};
	pid_t pid;

	if (output && pipe2(ends, O_CLOEXEC) < 0)
		bench_fail("pipe: %s", strerror(errno));
	pid = vfork();
	if (pid == 0)
		exec_program(arguments, ends[1]);
	if (pid < 0)
		bench_fail("vfork: %s", strerror(errno));
	if (output) {
		close(ends[1]);
		*output = ends[0];
	}
	return pid;
}

static double cpu_of(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

bool command_run(char *const arguments[], struct cost *cost)
{
	uint64_t before = clock_now(CLOCK_MONOTONIC);
	pid_t pid = command_start(arguments, NULL);
	struct rusage usage;
	int status = 0;

	while (wait4(pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			return false;
	cost->wall = seconds(clock_now(CLOCK_MONOTONIC) - before);
	cost->cpu = cpu_of(&usage);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool command_measure(char *const arguments[], unsigned int runs, struct cost *cost)
{
	struct samples wall = {.count = 0}, cpu = {.count = 0};

	for (unsigned int i = 0; i < runs; i++) {
		if (!command_run(arguments, cost))
			return false;
		samples_add(&wall, cost->wall);
		samples_add(&cpu, cost->cpu);
	}
	cost->wall = samples_median(&wall);
	cost->cpu = samples_median(&cpu);
	return true;
}
