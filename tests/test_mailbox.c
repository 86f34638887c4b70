/* SPDX-License-Identifier: MIT */
/* test_mailbox.c - requests to the monitor thread, which exists as long as it is needed
 *
 * The thread is one of the test's own: it serves the waiting requests and owns nothing. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/wrap.h"
#include "util/fd.h"
#include "util/lock.h"
#include "watch/mailbox.h"

enum { ROUNDS = 50 };

/* A substitute for the table, which the mailbox only passes on. */
static int nothing;
#define TABLE ((struct subscription_table *)(void *)&nothing)

static int threads;                           /* begun, atomic */
static bool blocks_signals;                   /* of the thread */
static sem_t needed, woken, go_on, announced; /* of patient() and slow_to_end() */

struct question {
	struct request request;
	int number;
	struct subscription_table *table;
	int error;
	bool own_thread;
	int order;
};
static int served;

static void answer(struct request *request, struct subscription_table *table, int error)
{
	struct question *question = container_of(request, struct question, request);

	question->table = table;
	question->error = error;
	question->own_thread = mailbox_is_own_thread();
	question->order = ++served;
}

static void begin(void)
{
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	blocks_signals = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGCHLD);
	__atomic_add_fetch(&threads, 1, __ATOMIC_SEQ_CST);
}

static void await_request(void)
{
	eventfd_t value;

	eventfd_read(mailbox_fd(), &value);
}

static void await(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		ck_assert_int_eq(errno, EINTR);
}

static void *monitor(void *data)
{
	begin();
	while (mailbox_is_needed()) {
		await_request();
		mailbox_serve(TABLE, 0);
	}
	return data;
}

/* A thread without memory for its data. */
static void *poor(void *data)
{
	begin();
	while (mailbox_is_needed())
		mailbox_refuse(-ENOMEM);
	return data;
}

/* A thread that serves requests when the test lets it. */
static void *patient(void *data)
{
	begin();
	while (mailbox_is_needed()) {
		sem_post(&needed);
		await_request();
		sem_post(&woken);
		await(&go_on);
		mailbox_serve(TABLE, 0);
	}
	return data;
}

/* A thread that has announced its end and does not end until the test lets it. */
static void *slow_to_end(void *data)
{
	bool first;

	begin();
	first = __atomic_load_n(&threads, __ATOMIC_SEQ_CST) == 1;
	while (mailbox_is_needed()) {
		await_request();
		mailbox_serve(TABLE, 0);
	}
	if (first) {
		sem_post(&announced);
		await(&go_on);
	}
	return data;
}

static int enter(mailbox_thread *thread)
{
	int result;

	library_lock();
	result = mailbox_enter(thread);
	library_unlock();
	return result;
}

static void leave(void)
{
	library_lock();
	mailbox_leave();
	library_unlock();
}

static struct question ask(void)
{
	struct question question = {.request.serve = answer};

	library_lock();
	mailbox_call(&question.request);
	library_unlock();
	return question;
}

static void forked(void)
{
	fd_close_all();
	mailbox_forget();
}

static void setup(void)
{
	sem_init(&needed, 0, 0);
	sem_init(&woken, 0, 0);
	sem_init(&go_on, 0, 0);
	sem_init(&announced, 0, 0);
	threads = 0;
	served = 0;
	wrap_reset();
	ck_assert_int_eq(library_prepare(forked), 0);
}

static void assert_no_thread(void)
{
	ck_assert_int_eq(mailbox_fd(), -1);
	ck_assert(mailbox_is_idle());
	ck_assert(!mailbox_is_own_thread());
}

START_TEST(the_first_watcher_starts_the_thread_and_the_last_ends_it)
{
	unsigned int room = fd_room();

	assert_no_thread();
	ck_assert_int_eq(enter(monitor), 0);
	ck_assert_int_eq(enter(monitor), 0);
	ck_assert_int_ge(mailbox_fd(), 0);
	ck_assert_uint_eq(fd_room(), room - 1);
	ck_assert(!mailbox_is_own_thread());
	leave();
	ck_assert(!mailbox_is_idle());
	ck_assert_ptr_eq(ask().table, TABLE);
	leave();
	ck_assert_int_eq(threads, 1);
	ck_assert(blocks_signals);
	assert_no_thread();
	ck_assert_uint_eq(fd_room(), room);
	/* A second time. */
	ck_assert_int_eq(enter(monitor), 0);
	ask();
	leave();
	ck_assert_int_eq(threads, 2);
	assert_no_thread();
}
END_TEST

START_TEST(signals_of_the_host_stay_as_they_are)
{
	sigset_t before, after;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	ck_assert_int_eq(enter(monitor), 0);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	ck_assert_int_eq(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
	ck_assert_int_eq(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
	leave();
}
END_TEST

START_TEST(a_request_is_served_by_the_thread)
{
	struct question question;

	ck_assert_int_eq(enter(monitor), 0);
	question = ask();
	ck_assert(question.own_thread);
	ck_assert_ptr_eq(question.table, TABLE);
	ck_assert_int_eq(question.error, 0);
	ck_assert_int_eq(served, 1);
	leave();
}
END_TEST

START_TEST(without_resources_the_monitor_returns_the_reason)
{
	struct question question;

	ck_assert_int_eq(enter(poor), 0);
	for (int i = 0; i < 3; i++) {
		question = ask();
		ck_assert_ptr_null(question.table);
		ck_assert_int_eq(question.error, -ENOMEM);
	}
	leave();
	assert_no_thread();
}
END_TEST

/* The last request of a watcher ends the thread if it is the last watcher, without another
 * wake-up. */
START_TEST(the_last_request_ends_the_thread)
{
	mailbox_thread *const thread = _i ? poor : monitor;
	struct question question = {.request.serve = answer};

	ck_assert_int_eq(enter(thread), 0);
	ck_assert_int_eq(enter(thread), 0);
	for (int left = 1; left >= 0; left--) {
		library_lock();
		mailbox_call_and_leave(&question.request);
		library_unlock();
		ck_assert_ptr_eq(question.table, _i ? NULL : TABLE);
		ck_assert_int_eq(question.order, 2 - left);
		ck_assert_int_eq(mailbox_is_idle(), left == 0);
	}
	ck_assert_int_eq(threads, 1);
	assert_no_thread();
}
END_TEST

static void *ask_in_thread(void *data)
{
	struct question *question = data;

	library_lock();
	/* The order is certain only if the earlier request is already waiting. */
	mailbox_call(&question->request);
	library_unlock();
	return NULL;
}

/* Waiting requests are served in order, all of them after one wake-up. */
START_TEST(requests_keep_their_order)
{
	struct question questions[3];
	pthread_t asking[3];

	ck_assert_int_eq(enter(patient), 0);
	for (int i = 0; i < 3; i++) {
		questions[i] = (struct question){.request.serve = answer, .number = i};
		/* Each thread has called before the next one begins: the request wakes the monitor
		 * thread or is waiting. */
		pthread_create(&asking[i], NULL, ask_in_thread, &questions[i]);
		if (i == 0) {
			await(&woken);
			continue;
		}
		for (bool waits = false; !waits;) {
			library_lock();
			waits = questions[i].request.link.next != NULL;
			library_unlock();
			sched_yield();
		}
	}
	ck_assert_int_eq(served, 0);
	sem_post(&go_on);
	for (int i = 0; i < 3; i++) {
		pthread_join(asking[i], NULL);
		ck_assert_int_eq(questions[i].order, i + 1);
	}
	for (int i = 0; i < 3; i++)
		sem_post(&go_on);
	leave();
}
END_TEST

static void *leave_in_thread(void *data)
{
	leave();
	return data;
}

/* One watcher stops, and another one starts before the thread has asked whether it is needed. */
START_TEST(a_start_during_the_last_stop_keeps_the_thread)
{
	pthread_t leaving;

	ck_assert_int_eq(enter(patient), 0);
	await(&needed);
	pthread_create(&leaving, NULL, leave_in_thread, NULL);
	await(&woken);
	ck_assert_int_eq(enter(patient), 0);
	sem_post(&go_on);
	sem_post(&go_on);
	ck_assert_ptr_eq(ask().table, TABLE);
	/* The answer has shown the thread that another watcher needs it. */
	pthread_join(leaving, NULL);
	ck_assert_int_eq(threads, 1);
	sem_post(&go_on);
	leave();
	assert_no_thread();
}
END_TEST

/* One watcher stops, and another one starts after the thread has announced its end. */
START_TEST(a_start_after_the_announced_end_makes_another_thread)
{
	unsigned int room = fd_room();
	pthread_t leaving;

	ck_assert_int_eq(enter(slow_to_end), 0);
	ask();
	pthread_create(&leaving, NULL, leave_in_thread, NULL);
	await(&announced);
	/* Either of the two may join the first thread. */
	sem_post(&go_on);
	ck_assert_int_eq(enter(slow_to_end), 0);
	ck_assert_ptr_eq(ask().table, TABLE);
	ck_assert_int_eq(threads, 2);
	pthread_join(leaving, NULL);
	leave();
	assert_no_thread();
	ck_assert_uint_eq(fd_room(), room);
}
END_TEST

/* The announcement of the end wakes both the starting and the stopping thread. The first of them
 * joins the ended thread. */
START_TEST(either_joins_the_ended_thread)
{
	unsigned int room = fd_room();
	pthread_t leaving;

	for (int i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(enter(monitor), 0);
		ask();
		library_lock();
		ck_assert_int_eq(pthread_create(&leaving, NULL, leave_in_thread, NULL), 0);
		library_wait();
		ck_assert_int_eq(mailbox_enter(monitor), 0);
		library_unlock();
		ck_assert_ptr_eq(ask().table, TABLE);
		pthread_join(leaving, NULL);
		leave();
		assert_no_thread();
		ck_assert_uint_eq(fd_room(), room);
	}
}
END_TEST

START_TEST(what_cannot_be_made_is_an_error)
{
	static const struct {
		const char *call;
		int error;
	} failures[] = {{"eventfd", EMFILE}, {"pthread_create", EAGAIN}};
	unsigned int room = fd_room();

	wrap_fail(failures[_i].call, WRAP_ANYWHERE, 1, 1, failures[_i].error);
	ck_assert_int_eq(wrap_inside(enter(monitor)), -failures[_i].error);
	ck_assert_uint_eq(wrap_struck(), 1);
	assert_no_thread();
	ck_assert_uint_eq(fd_room(), room);
	/* The next watcher tries again, and is the last one as well. */
	ck_assert_int_eq(wrap_inside(enter(monitor)), 0);
	ask();
	leave();
	ck_assert_int_eq(threads, 1);
	assert_no_thread();
}
END_TEST

/* The child of a fork has neither the thread nor the requests of other threads. */
START_TEST(a_child_begins_anew)
{
	struct question question = {.request.serve = answer};
	pthread_t asking;
	int status, fd;
	pid_t pid;

	ck_assert_int_eq(enter(patient), 0);
	pthread_create(&asking, NULL, ask_in_thread, &question);
	await(&woken);
	fd = mailbox_fd();
	pid = fork();
	if (pid == 0) {
		assert_no_thread();
		ck_assert_int_eq(fd_own(dup(STDERR_FILENO)), fd);
		threads = 0;
		ck_assert_int_eq(enter(monitor), 0);
		ck_assert_ptr_eq(ask().table, TABLE);
		ck_assert_int_eq(served, 1);
		leave();
		ck_assert_int_eq(threads, 1);
		assert_no_thread();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	sem_post(&go_on);
	pthread_join(asking, NULL);
	ck_assert_int_eq(question.order, 1);
	sem_post(&go_on);
	leave();
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("mailbox");
	TCase *life = tcase_create("life"), *requests = tcase_create("requests");

	tcase_add_checked_fixture(life, setup, NULL);
	tcase_add_test(life, the_first_watcher_starts_the_thread_and_the_last_ends_it);
	tcase_add_test(life, signals_of_the_host_stay_as_they_are);
	tcase_add_test(life, a_start_during_the_last_stop_keeps_the_thread);
	tcase_add_test(life, a_start_after_the_announced_end_makes_another_thread);
	tcase_add_test(life, either_joins_the_ended_thread);
	tcase_add_loop_test(life, what_cannot_be_made_is_an_error, 0, 2);
	tcase_add_test(life, a_child_begins_anew);
	suite_add_tcase(suite, life);
	tcase_add_checked_fixture(requests, setup, NULL);
	tcase_add_test(requests, a_request_is_served_by_the_thread);
	tcase_add_test(requests, without_resources_the_monitor_returns_the_reason);
	tcase_add_loop_test(requests, the_last_request_ends_the_thread, 0, 2);
	tcase_add_test(requests, requests_keep_their_order);
	suite_add_tcase(suite, requests);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
