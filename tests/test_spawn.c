/* SPDX-License-Identifier: MIT */
/* test_spawn.c - child processes that the host program does not notice */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/patience.h"
#include "util/sys.h"
#include "util/fd.h"
#include "util/spawn.h"
#include "support/check_main.h"
#include "support/skip.h"

static sigset_t all;

static void block_all(void)
{
	sigfillset(&all);
	ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
}

static int body_exit(void *arg)
{
	return *(int *)arg;
}

/* Waits until the other end of the pipe is closed. */
static int body_wait(void *arg)
{
	const int *ends = arg;
	char byte;

	raw_close(ends[1]);
	while (raw_read(ends[0], &byte, 1) > 0)
		continue;
	return 0;
}

/* Returns how many signals are blocked. */
static int body_mask(void *arg)
{
	uint64_t mask = 0;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof(mask));
	syscall(SYS_write, *(int *)arg, &mask, sizeof(mask));
	return 0;
}

static void wait_gone(struct child *child)
{
	struct pollfd gone = {.fd = child->pidfd, .events = POLLIN};

	if (child->pidfd < 0)
		test_skip("the kernel has no pidfds");
	ck_assert_int_eq(poll(&gone, 1, patience(60000)), 1);
}

static void start_waiting(struct child *child, int ends[2])
{
	ck_assert_int_eq(fd_pipe(ends), 0);
	ck_assert_int_eq(spawn_child(child, body_wait, ends), 0);
	close(ends[0]);
}

START_TEST(a_child_is_reaped)
{
	int status = 3;
	struct child child;

	ck_assert_int_eq(spawn_child(&child, body_exit, &status), 0);
	ck_assert_int_gt(child.pid, 0);
	wait_gone(&child);
	ck_assert_int_eq(spawn_reap(&child), 0);
	ck_assert_int_eq(child.pidfd, -1);
	ck_assert_int_eq(child.pid, 0);
	ck_assert_int_eq(spawn_reap(&child), 0);
}
END_TEST

START_TEST(a_running_child_is_not_reaped)
{
	struct child child;
	int ends[2];

	start_waiting(&child, ends);
	ck_assert_int_eq(spawn_reap(&child), -EAGAIN);
	close(ends[1]);
	wait_gone(&child);
	ck_assert_int_eq(spawn_reap(&child), 0);
}
END_TEST

START_TEST(a_child_is_killed)
{
	struct child child;
	int ends[2];

	start_waiting(&child, ends);
	spawn_kill(&child);
	wait_gone(&child);
	ck_assert_int_eq(spawn_reap(&child), 0);
	close(ends[1]);
	spawn_kill(&child);
}
END_TEST

START_TEST(without_a_pidfd)
{
	struct child child;
	int ends[2];

	start_waiting(&child, ends);
	if (child.pidfd >= 0)
		close(child.pidfd);
	child.pidfd = -1;
	ck_assert_int_eq(spawn_reap(&child), -EAGAIN);
	spawn_kill(&child);
	ck_assert_int_eq(
		waitid(P_PID, (id_t)child.pid, &(siginfo_t){0}, WEXITED | WNOWAIT | __WALL), 0);
	ck_assert_int_eq(spawn_reap(&child), 0);
	close(ends[1]);
}
END_TEST

static atomic_int delivered;

static void count_signal(int number)
{
	(void)number;
	atomic_fetch_add(&delivered, 1);
}

/* Acts as a host program that waits in another thread, with its signals unblocked. */
static void *wait_for_anything(void *data)
{
	sigset_t none;

	(void)data;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < 1000; i++)
		if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
			return "noticed";
	return NULL;
}

START_TEST(the_host_notices_nothing)
{
	struct sigaction action = {.sa_handler = count_signal};
	struct child children[20];
	void *noticed = NULL;
	pthread_t thread;
	int status = 0;

	sigaction(SIGCHLD, &action, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_anything, NULL), 0);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(spawn_child(&children[i], body_exit, &status), 0);
	ck_assert_int_eq(pthread_join(thread, &noticed), 0);
	ck_assert_ptr_null(noticed);
	for (int i = 0; i < 20; i++) {
		wait_gone(&children[i]);
		ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
		ck_assert_int_eq(errno, ECHILD);
		ck_assert_int_eq(spawn_reap(&children[i]), 0);
	}
	ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &all, NULL), 0);
	ck_assert_int_eq(atomic_load(&delivered), 0);
}
END_TEST

/* In this case the kernel reaps the children. */
START_TEST(a_host_that_ignores_sigchld)
{
	struct child child;
	int status = 0;

	signal(SIGCHLD, SIG_IGN);
	ck_assert_int_eq(spawn_child(&child, body_exit, &status), 0);
	wait_gone(&child);
	ck_assert_int_eq(spawn_reap(&child), 0);
}
END_TEST

START_TEST(a_status_that_the_host_has_taken)
{
	struct child child;
	int status = 0;

	ck_assert_int_eq(spawn_child(&child, body_exit, &status), 0);
	wait_gone(&child);
	ck_assert_int_eq(waitpid(-1, NULL, __WALL), child.pid);
	ck_assert_int_eq(spawn_reap(&child), 0);
}
END_TEST

START_TEST(the_child_starts_with_signals_blocked)
{
	struct child child;
	uint64_t mask = 0;
	int ends[2];

	ck_assert_int_eq(fd_pipe(ends), 0);
	ck_assert_int_eq(spawn_child(&child, body_mask, &ends[1]), 0);
	ck_assert_int_eq(read(ends[0], &mask, sizeof(mask)), sizeof(mask));
	ck_assert_uint_ne(mask & (UINT64_C(1) << (SIGTERM - 1)), 0);
	wait_gone(&child);
	ck_assert_int_eq(spawn_reap(&child), 0);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* Allocates and frees memory until it has to stop. */
static void *hammer(void *stop)
{
	while (!atomic_load((atomic_bool *)stop)) {
		void *volatile memory = malloc(100000);

		free(memory);
		/* Valgrind runs only one thread at a time. */
		sched_yield();
	}
	return NULL;
}

START_TEST(malloc_in_other_threads)
{
	enum { THREADS = 4, CHILDREN = 100 };
	atomic_bool stop = false;
	pthread_t threads[THREADS];
	int status = 0;

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &stop), 0);
	for (int i = 0; i < CHILDREN; i++) {
		struct child child;

		ck_assert_int_eq(spawn_child(&child, body_exit, &status), 0);
		wait_gone(&child);
		ck_assert_int_eq(spawn_reap(&child), 0);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}
END_TEST

static void close_stdio(void)
{
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
}

START_TEST(descriptors_stay_above_stdio)
{
	int ends[2], fd, saved[3];
	struct child child;
	bool good;

	for (int i = 0; i <= 2; i++)
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
	close_stdio();
	good = fd_pipe(ends) == 0 && ends[0] > 2 && ends[1] > 2;
	fd = fd_own(open("/dev/null", O_RDONLY));
	good = good && fd > 2 && fcntl(fd, F_GETFD) == FD_CLOEXEC;
	good = good && spawn_child(&child, body_exit, &fd) == 0;
	good = good && (child.pidfd == -1 || child.pidfd > 2);
	for (int i = 0; i <= 2; i++) {
		good = good && fcntl(i, F_GETFD) == -1;
		dup2(saved[i], i);
		close(saved[i]);
	}
	ck_assert(good);
	wait_gone(&child);
	ck_assert_int_eq(spawn_reap(&child), 0);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}
END_TEST

START_TEST(errors_are_handed_through)
{
	errno = EMFILE;
	ck_assert_int_eq(fd_own(-1), -EMFILE);
	ck_assert_int_eq(fd_own(-EACCES), -EACCES);
	ck_assert_int_eq(fd_own(77), 77);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("spawn");
	TCase *children = tcase_create("children");
	TCase *descriptors = tcase_create("descriptors");

	tcase_add_checked_fixture(children, block_all, NULL);
	tcase_add_test(children, a_child_is_reaped);
	tcase_add_test(children, a_running_child_is_not_reaped);
	tcase_add_test(children, a_child_is_killed);
	tcase_add_test(children, without_a_pidfd);
	tcase_add_test(children, the_host_notices_nothing);
	tcase_add_test(children, a_host_that_ignores_sigchld);
	tcase_add_test(children, a_status_that_the_host_has_taken);
	tcase_add_test(children, the_child_starts_with_signals_blocked);
	tcase_add_test(children, malloc_in_other_threads);
	suite_add_tcase(suite, children);
	tcase_add_checked_fixture(descriptors, block_all, NULL);
	tcase_add_test(descriptors, descriptors_stay_above_stdio);
	tcase_add_test(descriptors, errors_are_handed_through);
	suite_add_tcase(suite, descriptors);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
