/* SPDX-License-Identifier: MIT */
/* trace.c - counts system calls by ptrace(2) in a separate process */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <linux/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "load.h"

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

/* Children of the traced tasks are traced too: the programs that nsenter(1) runs. */
#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK)
#define PATIENCE (5 * NSEC_PER_SEC)

struct trace {
	pid_t pid;
	_Atomic unsigned long calls;
	_Atomic int state; /* 0: starting; 1: all tasks are traced; a negative errno: refused */
};

/* Returns whether a task has ended, reaped or not. */
static bool has_ended(pid_t pid)
{
	char path[64], text[512], *rest = NULL;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	in = fopen(path, "re");
	if (in && fgets(text, sizeof(text), in))
		rest = strrchr(text, ')');
	if (in)
		fclose(in);
	return !rest || rest[1] == '\0' || strchr("ZX", rest[2]);
}

/* Returns 0 or a negative errno. A task that has ended meanwhile is not an error, although the
 * kernel returns ESRCH or EPERM for it. */
static int seize(const struct tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++) {
		pid_t pid = tasks->each[i];
		int error;

		if (ptrace(PTRACE_SEIZE, pid, NULL, OPTIONS) == 0 &&
		    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0)
			continue;
		error = errno;
		if (error != ESRCH && !has_ended(pid))
			return -error;
	}
	return 0;
}

static int seize_all(const struct tasks *threads, const struct tasks *helpers)
{
	int result = seize(threads);

	if (result == 0)
		result = seize(helpers);
	return result < 0 ? result : 1;
}

static bool is_entry(pid_t pid)
{
	struct ptrace_syscall_info info = {0};

	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

/* Resumes a stopped task, and counts the entry of a system call. */
static void resume(struct trace *trace, pid_t pid, int status)
{
	int stop = WSTOPSIG(status), deliver = 0;

	if (stop == (SIGTRAP | 0x80)) {
		if (is_entry(pid))
			atomic_fetch_add(&trace->calls, 1);
	} else if (status >> 16 == 0) {
		deliver = stop;
	}
	ptrace(PTRACE_SYSCALL, pid, NULL, deliver);
}

static void follow(struct trace *trace, const struct tasks *threads, const struct tasks *helpers)
{
	int status;

	atomic_store(&trace->state, seize_all(threads, helpers));
	for (;;) {
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno != EINTR)
			_exit(0);
		if (pid > 0 && WIFSTOPPED(status))
			resume(trace, pid, status);
	}
}

struct trace *trace_start(const struct tasks *threads, const struct tasks *helpers, int *error)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE;
	struct trace *trace = mmap(NULL, sizeof(*trace), PROT_READ | PROT_WRITE,
	                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	*error = -ENOMEM;
	if (trace == MAP_FAILED)
		return NULL;
	prctl(PR_SET_PTRACER, -1L, 0, 0, 0);
	pid = bench_fork();
	if (pid == 0)
		follow(trace, threads, helpers);
	trace->pid = pid; /* set here, not in the child, because the memory is shared */
	while (atomic_load(&trace->state) == 0 && clock_now(CLOCK_MONOTONIC) < deadline)
		bench_sleep(NSEC_PER_MSEC);
	*error = atomic_load(&trace->state);
	if (*error == 1)
		return trace;
	if (*error == 0)
		*error = -ETIMEDOUT;
	trace_stop(trace);
	return NULL;
}

unsigned long trace_count(const struct trace *trace)
{
	return atomic_load(&trace->calls);
}

void trace_stop(struct trace *trace)
{
	kill(trace->pid, SIGKILL);
	while (waitpid(trace->pid, NULL, 0) < 0 && errno == EINTR)
		;
	munmap(trace, sizeof(*trace));
}
