/* SPDX-License-Identifier: MIT */
/* test_lock.c - the library's lock, and its state in the child of a fork(2) */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/wrap.h"
#include "util/lock.h"

enum { THREADS = 8, FORKS = 50 };

static int forks; /* how often the hook has run in this process */
static sem_t entered, go_on;

static void forked(void)
{
	forks++;
}

static void await(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		ck_assert_int_eq(errno, EINTR);
}

static void setup(void)
{
	forks = 0;
	sem_init(&entered, 0, 0);
	sem_init(&go_on, 0, 0);
	wrap_reset();
}

/* Runs the body in a forked child. */
static void in_child(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		body();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void *prepare(void *barrier)
{
	pthread_barrier_wait(barrier);
	ck_assert_int_eq(library_prepare(forked), 0);
	return NULL;
}

static void assert_one_fork(void)
{
	ck_assert_int_eq(forks, 1);
}

START_TEST(handlers_are_registered_once)
{
	pthread_t threads[THREADS];
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, prepare, &barrier), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(library_prepare(forked), 0);
	in_child(assert_one_fork);
	ck_assert_int_eq(forks, 0);
	pthread_barrier_destroy(&barrier);
}
END_TEST

START_TEST(a_registration_that_failed_is_tried_again)
{
	/* If the cases share one process, the handlers are already registered. */
	if (!check_forks())
		return;
	wrap_fail("pthread_atfork", WRAP_ANYWHERE, 1, 1, ENOMEM);
	ck_assert_int_eq(wrap_inside(library_prepare(forked)), -ENOMEM);
	ck_assert_uint_eq(wrap_struck(), 1);
	ck_assert_int_eq(wrap_inside(library_prepare(forked)), 0);
	in_child(assert_one_fork);
}
END_TEST

static unsigned int before;

static void assert_third(void)
{
	ck_assert_uint_eq(library_generation(), before + 2);
}

static void assert_second(void)
{
	ck_assert_uint_eq(library_generation(), before + 1);
	in_child(assert_third);
	ck_assert_uint_eq(library_generation(), before + 1);
}

/* Each copy of the process has a generation of its own. */
START_TEST(a_child_is_distinguished_from_its_parent)
{
	ck_assert_int_eq(library_prepare(forked), 0);
	before = library_generation();
	in_child(assert_second);
	ck_assert_uint_eq(library_generation(), before);
}
END_TEST

/* The two numbers are equal while the lock is free. */
static unsigned int first, second;
static bool quit; /* guarded by the lock, too */

static void *change(void *data)
{
	for (bool go = true; go;) {
		library_lock();
		first++;
		sched_yield();
		second++;
		go = !quit;
		library_unlock();
	}
	return data;
}

static void assert_consistent(void)
{
	library_lock();
	ck_assert_uint_eq(first, second);
	library_unlock();
}

/* However busy other threads are, the data behind the lock is consistent in the child, and the lock
 * is free. */
START_TEST(a_fork_waits_for_the_lock)
{
	pthread_t changing;

	ck_assert_int_eq(library_prepare(forked), 0);
	ck_assert_int_eq(pthread_create(&changing, NULL, change, NULL), 0);
	for (int i = 0; i < FORKS; i++)
		in_child(assert_consistent);
	/* The lock is free in the parent, too. */
	library_lock();
	quit = true;
	library_unlock();
	pthread_join(changing, NULL);
	ck_assert_uint_eq(first, second);
}
END_TEST

/* Guarded by the lock. */
static int flag;
static bool answers;

static void *wait_for_flag(void *data)
{
	library_lock();
	sem_post(&entered);
	while (flag == 0)
		library_wait();
	flag++;
	if (answers)
		library_notify();
	library_unlock();
	return data;
}

/* Whichever threads have waited in the parent, the child's threads wake each other. */
static void wait_in_child(void)
{
	pthread_t waiting;

	answers = true;
	ck_assert_int_eq(pthread_create(&waiting, NULL, wait_for_flag, NULL), 0);
	library_lock();
	flag = 1;
	library_notify();
	while (flag == 1)
		library_wait();
	library_unlock();
	pthread_join(waiting, NULL);
	ck_assert_int_eq(flag, 2);
}

START_TEST(waiters_stay_behind_in_the_parent)
{
	pthread_t waiting[2];

	ck_assert_int_eq(library_prepare(forked), 0);
	flag = 0;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_create(&waiting[i], NULL, wait_for_flag, NULL), 0);
		/* The lock becomes free only when the thread waits. */
		await(&entered);
		library_lock();
		library_unlock();
	}
	in_child(wait_in_child);
	library_lock();
	flag = 1;
	/* Wakes all waiting threads. */
	library_notify();
	library_unlock();
	for (int i = 0; i < 2; i++)
		pthread_join(waiting[i], NULL);
	ck_assert_int_eq(flag, 3);
}
END_TEST

/* A cancelled thread does not return from this function, so AddressSanitizer would keep the
 * function's part of the stack marked, and report the end of the thread. */
__attribute__((no_sanitize("address"))) static void *be_cancelled(void *data)
{
	int outer, inner, state;

	outer = library_enter();
	sem_post(&entered);
	await(&go_on);
	/* The cancellation is pending and has no effect. */
	pthread_testcancel();
	library_leave(outer);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	*(int *)data = state == PTHREAD_CANCEL_ENABLE;
	/* The host has disabled cancellation, so it stays disabled. */
	inner = library_enter();
	library_leave(inner);
	pthread_testcancel();
	*(int *)data += 1;
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	pthread_testcancel();
	*(int *)data += 100;
	return NULL;
}

START_TEST(cancellation_waits_until_the_function_is_left)
{
	pthread_t thread;
	void *result;
	int steps = 0;

	ck_assert_int_eq(pthread_create(&thread, NULL, be_cancelled, &steps), 0);
	await(&entered);
	pthread_cancel(thread);
	sem_post(&go_on);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	ck_assert_int_eq(steps, 2);
	/* The cancelled thread has not left the lock locked. */
	library_lock();
	library_unlock();
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("lock");
	TCase *all = tcase_create("lock");

	tcase_add_checked_fixture(all, setup, NULL);
	tcase_add_test(all, a_registration_that_failed_is_tried_again);
	tcase_add_test(all, handlers_are_registered_once);
	tcase_add_test(all, a_child_is_distinguished_from_its_parent);
	tcase_add_test(all, a_fork_waits_for_the_lock);
	tcase_add_test(all, waiters_stay_behind_in_the_parent);
	tcase_add_test(all, cancellation_waits_until_the_function_is_left);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
