/* SPDX-License-Identifier: MIT */
/* test_bench_trace.c - the benchmark counts the system calls of a running command, and reports why
 * it cannot */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "load.h"
#include "support/check_main.h"
#include "support/skip.h"

static pid_t alive;

/* A function of the benchmark. */
pid_t bench_fork(void)
{
	return fork();
}

void bench_sleep(uint64_t nanoseconds)
{
	usleep((useconds_t)(nanoseconds / 1000));
}

static pid_t start(bool ends)
{
	pid_t pid = fork();

	if (pid == 0) {
		while (!ends)
			bench_sleep(NSEC_PER_MSEC);
		_exit(0);
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

static void setup(void)
{
	alive = start(false);
}

static void teardown(void)
{
	kill(alive, SIGKILL);
	waitpid(alive, NULL, 0);
}

static void add(struct tasks *tasks, pid_t pid)
{
	tasks->each[tasks->count++] = pid;
}

START_TEST(tasks_that_have_ended_are_not_a_refusal)
{
	static struct tasks threads, helpers;
	pid_t zombie = start(true), reaped = start(true);
	struct trace *trace;
	siginfo_t info;
	int error;

	ck_assert_int_eq(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(waitpid(reaped, NULL, 0), reaped);
	add(&helpers, alive);
	trace = trace_start(&threads, &helpers, &error);
	if (!trace)
		test_skip("ptrace is not allowed here");
	trace_stop(trace);
	helpers.count = 0;
	add(&helpers, zombie);
	add(&helpers, reaped);
	add(&helpers, alive);
	trace = trace_start(&threads, &helpers, &error);
	ck_assert_msg(trace, "error %d", error);
	while (trace_count(trace) == 0)
		bench_sleep(NSEC_PER_MSEC);
	trace_stop(trace);
	waitpid(zombie, NULL, 0);
}
END_TEST

/* A task can have only one tracer. */
START_TEST(a_refusal_is_reported)
{
	static struct tasks threads, helpers;
	struct trace *first;
	int error;

	add(&helpers, alive);
	first = trace_start(&threads, &helpers, &error);
	if (!first)
		test_skip("ptrace is not allowed here");
	ck_assert_ptr_null(trace_start(&threads, &helpers, &error));
	ck_assert_int_eq(error, -EPERM);
	trace_stop(first);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("bench_trace");
	TCase *all = tcase_create("bench_trace");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, tasks_that_have_ended_are_not_a_refusal);
	tcase_add_test(all, a_refusal_is_reported);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
