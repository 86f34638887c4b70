/* SPDX-License-Identifier: MIT */
/* test_aside.c - calls in a thread of their own, which the caller abandons after a deadline
 *
 * The calls are functions of the test, which wait until the test lets them go on. The time passes
 * by an empty wait of the library's clock, see wrap_hasten(). */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/patience.h"
#include "support/wrap.h"
#include "util/aside.h"
#include "util/clock.h"
#include "util/fd.h"
#include "util/lock.h"

static sem_t entered, go_on, disposing, dispose_on;
static int runs, disposals; /* atomic */
static bool dispose_waits;
static pthread_t ran_in;
static bool blocks_signals;

static void await(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		ck_assert_int_eq(errno, EINTR);
}

static int count(const int *counter)
{
	return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static void dispose(void *argument)
{
	if (dispose_waits) {
		sem_post(&disposing);
		await(&dispose_on);
	}
	__atomic_add_fetch(&disposals, 1, __ATOMIC_SEQ_CST);
	free(argument);
}

static void run_quickly(void *argument)
{
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	blocks_signals = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGCHLD) &&
	                 sigismember(&blocked, SIGUSR1);
	ran_in = pthread_self();
	__atomic_add_fetch(&runs, 1, __ATOMIC_SEQ_CST);
	*(int *)argument += 1;
}

static void run_until_let(void *argument)
{
	__atomic_add_fetch(&runs, 1, __ATOMIC_SEQ_CST);
	sem_post(&entered);
	await(&go_on);
	/* It is still the call's: freed memory would show under a sanitizer or valgrind. */
	*(int *)argument += 1;
}

static const struct aside quick = {.run = run_quickly, .dispose = dispose};
static const struct aside lasting = {.run = run_until_let, .dispose = dispose};

/* Calls with an argument of its own. After success the argument is the caller's, who frees it. */
static int call(const struct aside *aside)
{
	int *argument = calloc(1, sizeof(*argument));
	int result;

	ck_assert_ptr_nonnull(argument);
	result = wrap_inside(aside_call(aside, argument));
	if (result < 0)
		return result;
	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(*argument, 1);
	free(argument);
	return 0;
}

static uint64_t now(void)
{
	return wrap_inside(clock_now(CLOCK_MONOTONIC));
}

/* The library's clock goes on by so many milliseconds. */
static void pass(int milliseconds)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event;

	wrap_hasten(1000);
	ck_assert_int_eq(wrap_inside(epoll_wait(epoll, &event, 1, milliseconds)), 0);
	wrap_hasten(1);
	close(epoll);
}

static void pass_rest(void)
{
	pass((int)(ASIDE_REST / NSEC_PER_MSEC));
}

/* What has been let go on has ended when calls are allowed again. */
static void await_allowed(void)
{
	int result;

	while ((result = call(&quick)) == -EBUSY)
		sched_yield();
	ck_assert_int_eq(result, 0);
}

static void *call_lasting(void *result)
{
	*(int *)result = call(&lasting);
	return NULL;
}

/* As many calls as may last. They begin together, since none may begin after one has lasted. */
static void fill(void)
{
	pthread_t callers[ASIDE_MAX];
	int results[ASIDE_MAX];

	for (int i = 0; i < ASIDE_MAX; i++)
		ck_assert_int_eq(pthread_create(&callers[i], NULL, call_lasting, &results[i]), 0);
	for (int i = 0; i < ASIDE_MAX; i++)
		pthread_join(callers[i], NULL);
	for (int i = 0; i < ASIDE_MAX; i++) {
		/* It came too late on a slow machine. */
		if (results[i] == -EBUSY) {
			pass_rest();
			results[i] = call(&lasting);
		}
		ck_assert_int_eq(results[i], -ETIMEDOUT);
		await(&entered);
	}
	pass_rest();
}

static void forked(void)
{
	fd_close_all();
}

static void setup(void)
{
	sem_init(&entered, 0, 0);
	sem_init(&go_on, 0, 0);
	sem_init(&disposing, 0, 0);
	sem_init(&dispose_on, 0, 0);
	runs = 0;
	disposals = 0;
	dispose_waits = false;
	wrap_reset();
	ck_assert_int_eq(library_prepare(forked), 0);
}

/* The deadline is by the library's clock, and the wait for it by the kernel's: no call can miss it
 * on a slow machine. */
static void setup_quick(void)
{
	setup();
	pass(patience(60) * 1000);
}

START_TEST(a_call_runs_in_a_thread_of_its_own)
{
	sigset_t before, after;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	for (int i = 0; i < 3 * ASIDE_MAX; i++) {
		ck_assert_int_eq(call(&quick), 0);
		ck_assert_int_eq(count(&runs), i + 1);
		ck_assert(!pthread_equal(ran_in, pthread_self()));
		ck_assert(blocks_signals);
	}
	ck_assert_int_eq(count(&disposals), 0);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	ck_assert_int_eq(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
	ck_assert_int_eq(sigismember(&after, SIGUSR1), sigismember(&before, SIGUSR1));
}
END_TEST

START_TEST(what_cannot_be_made_is_an_error)
{
	static const struct {
		const char *call;
		int error;
	} failures[] = {{"calloc", ENOMEM}, {"pthread_create", EAGAIN}};
	int *argument = malloc(sizeof(*argument));

	wrap_fail(failures[_i].call, WRAP_ANYWHERE, 1, 1, failures[_i].error);
	ck_assert_int_eq(wrap_inside(aside_call(&quick, argument)), -failures[_i].error);
	ck_assert_uint_eq(wrap_struck(), 1);
	ck_assert_int_eq(count(&runs), 0);
	ck_assert_int_eq(count(&disposals), 1);
	/* No call lasts: the next one is not refused. */
	ck_assert_int_eq(call(&quick), 0);
	ck_assert_int_eq(count(&disposals), 1);
}
END_TEST

START_TEST(a_call_that_lasts_is_abandoned)
{
	uint64_t before = now();

	ck_assert_int_eq(call(&lasting), -ETIMEDOUT);
	ck_assert_uint_ge(now(), before + ASIDE_TIMEOUT);
	await(&entered);
	ck_assert_int_eq(count(&runs), 1);
	/* The call still uses its argument. */
	ck_assert_int_eq(count(&disposals), 0);
	sem_post(&go_on);
	while (count(&disposals) == 0)
		sched_yield();
	pass_rest();
	await_allowed();
	ck_assert_int_eq(count(&runs), 2);
}
END_TEST

START_TEST(after_a_call_that_lasted_there_is_a_rest)
{
	uint64_t end = now() + ASIDE_TIMEOUT + ASIDE_REST;
	int disposed, result;

	ck_assert_int_eq(call(&lasting), -ETIMEDOUT);
	await(&entered);
	/* Also after the call has ended. */
	sem_post(&go_on);
	while (count(&disposals) == 0)
		sched_yield();
	for (int i = 0; i < 3; i++) {
		disposed = count(&disposals);
		result = call(&quick);
		if (now() < end) {
			ck_assert_int_eq(result, -EBUSY);
			ck_assert_int_eq(count(&disposals), disposed + 1);
			ck_assert_int_eq(count(&runs), 1);
		}
		pass(3000);
	}
	pass_rest();
	ck_assert_int_eq(call(&quick), 0);
}
END_TEST

/* A call that is still running is no obstacle to the next one after the rest. */
START_TEST(a_long_call_does_not_prevent_later_calls)
{
	ck_assert_int_eq(call(&lasting), -ETIMEDOUT);
	await(&entered);
	pass_rest();
	ck_assert_int_eq(call(&quick), 0);
	ck_assert_int_eq(count(&disposals), 0);
	sem_post(&go_on);
	while (count(&disposals) == 0)
		sched_yield();
}
END_TEST

START_TEST(no_more_than_the_limit_last)
{
	int disposed;

	fill();
	/* Those that came too late on a slow machine are among them. */
	disposed = count(&disposals);
	ck_assert_int_eq(count(&runs), ASIDE_MAX);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(call(&quick), -EBUSY);
		ck_assert_int_eq(count(&runs), ASIDE_MAX);
	}
	ck_assert_int_eq(count(&disposals), disposed + 3);
	/* The disposal belongs to the call: it may block as well. */
	dispose_waits = true;
	sem_post(&go_on);
	await(&disposing);
	dispose_waits = false;
	ck_assert_int_eq(call(&quick), -EBUSY);
	ck_assert_int_eq(count(&disposals), disposed + 4);
	sem_post(&dispose_on);
	await_allowed();
	for (int i = 1; i < ASIDE_MAX; i++)
		sem_post(&go_on);
	while (count(&disposals) < disposed + 4 + ASIDE_MAX)
		sched_yield();
}
END_TEST

/* The calls of the parent go on in the parent only. */
START_TEST(a_child_has_no_calls_of_its_parent)
{
	int status;
	pid_t pid;

	fill();
	ck_assert_int_eq(call(&quick), -EBUSY);
	pid = fork();
	if (pid == 0) {
		ck_assert_int_eq(call(&quick), 0);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(call(&quick), -EBUSY);
	for (int i = 0; i < ASIDE_MAX; i++)
		sem_post(&go_on);
	await_allowed();
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("aside");
	TCase *complete = tcase_create("complete"), *late = tcase_create("late");

	tcase_add_checked_fixture(complete, setup_quick, NULL);
	tcase_add_test(complete, a_call_runs_in_a_thread_of_its_own);
	tcase_add_loop_test(complete, what_cannot_be_made_is_an_error, 0, 2);
	suite_add_tcase(suite, complete);
	tcase_add_checked_fixture(late, setup, NULL);
	tcase_add_test(late, a_call_that_lasts_is_abandoned);
	tcase_add_test(late, after_a_call_that_lasted_there_is_a_rest);
	tcase_add_test(late, a_long_call_does_not_prevent_later_calls);
	tcase_add_test(late, no_more_than_the_limit_last);
	tcase_add_test(late, a_child_has_no_calls_of_its_parent);
	suite_add_tcase(suite, late);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
