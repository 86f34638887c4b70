/* SPDX-License-Identifier: MIT */
/* test_threads.c - threads of the host never wait for the work of the monitor or for a callback of
 * another watcher
 *
 * Each case blocks one thread in a callback and does something in another thread. A call that
 * waited for the blocked thread would never end, and Check would end the case. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/process_list.h"
#include "support/skip.h"
#include "table/helper.h"

/* A callback that blocks until the test releases it. */
struct hold {
	sem_t entered;
	sem_t leave;
	int inside; /* atomic */
	int most;   /* the highest number that were inside at once, atomic */
	int calls;  /* atomic */
};

static void hold_init(struct hold *hold)
{
	memset(hold, 0, sizeof(*hold));
	sem_init(&hold->entered, 0, 0);
	sem_init(&hold->leave, 0, 0);
}

static void await(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		ck_assert_int_eq(errno, EINTR);
}

static void stay(struct hold *hold)
{
	int inside = __atomic_add_fetch(&hold->inside, 1, __ATOMIC_SEQ_CST);

	if (inside > __atomic_load_n(&hold->most, __ATOMIC_SEQ_CST))
		__atomic_store_n(&hold->most, inside, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&hold->calls, 1, __ATOMIC_SEQ_CST);
	sem_post(&hold->entered);
	await(&hold->leave);
	__atomic_sub_fetch(&hold->inside, 1, __ATOMIC_SEQ_CST);
}

static void hold_event(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	(void)watcher;
	(void)event;
	stay(data);
}

static void hold_message(struct portwatch *watcher, enum portwatch_log_level level,
                         const char *message, void *data)
{
	(void)watcher;
	(void)level;
	if (strncmp(message, "port open: ", strlen("port open: ")) == 0)
		stay(data);
}

static void ignore(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	(void)watcher;
	(void)event;
	(void)data;
}

static struct portwatch *watch_with(pid_t pid, portwatch_callback callback, void *data)
{
	struct portwatch *watcher;

	ck_assert_int_eq(portwatch_new(&watcher, pid, callback, data), 0);
	ck_assert_int_eq(portwatch_start(watcher), 0);
	return watcher;
}

START_TEST(a_start_waits_for_no_other_watchers_callback)
{
	struct fixture busy = fixture_start(0), quiet = fixture_start(0);
	struct portwatch *first, *second;
	struct collect third;
	struct hold hold;

	hold_init(&hold);
	first = watch_with(busy.pid, hold_event, &hold);
	fixture_listen(&busy, "127.0.0.1", 0);
	await(&hold.entered);
	second = watch_with(quiet.pid, ignore, NULL);
	/* A watcher of ports that are already open also gets its initial events. */
	collect_watch(&third, busy.pid);
	ck_assert_uint_eq(collect_count(&third, PORTWATCH_EVENT_OPEN, NULL, 0), 1);
	ck_assert_int_eq(portwatch_stop(second), 0);
	portwatch_free(second);
	sem_post(&hold.leave);
	collect_free(&third);
	portwatch_free(first);
	fixture_end(&quiet);
	fixture_end(&busy);
}
END_TEST

/* The monitor thread blocks in a log callback, as if a scan never ended. */
START_TEST(fork_and_dispatch_wait_for_no_scan)
{
	struct fixture server = fixture_start(0);
	struct portwatch *held, *loop;
	struct hold hold;
	int status;
	pid_t pid;

	hold_init(&hold);
	ck_assert_int_eq(portwatch_new(&loop, server.pid, ignore, NULL), 0);
	ck_assert_int_eq(portwatch_set_delivery(loop, PORTWATCH_DELIVERY_DISPATCH), 0);
	ck_assert_int_eq(portwatch_start(loop), 0);
	ck_assert_int_eq(portwatch_new(&held, server.pid, ignore, &hold), 0);
	ck_assert_int_eq(portwatch_set_log(held, PORTWATCH_LOG_INFO, hold_message), 0);
	ck_assert_int_eq(portwatch_start(held), 0);
	fixture_listen(&server, "127.0.0.1", 0);
	await(&hold.entered);
	ck_assert_int_ge(portwatch_get_fd(loop), 0);
	ck_assert_int_ge(portwatch_dispatch(loop), 0);
	pid = fork();
	if (pid == 0) {
		/* The copy has no effect here, so no call waits for a thread that does not exist.
		 */
		portwatch_free(loop);
		portwatch_free(held);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	sem_post(&hold.leave);
	portwatch_free(held);
	portwatch_free(loop);
	fixture_end(&server);
}
END_TEST

static void *free_watcher(void *watcher)
{
	portwatch_free(watcher);
	return NULL;
}

/* A callback stops its own watcher and blocks. Another thread meanwhile frees the last other
 * watcher. The callback then starts a watcher with the same callback. */
struct handover {
	struct hold hold;
	struct portwatch *mine, *next;
	pid_t pid;
	bool started;
};

static void hand_over(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	struct handover *handover = data;

	(void)event;
	if (watcher == handover->mine && !handover->started) {
		handover->started = true;
		ck_assert_int_eq(portwatch_stop(watcher), 0);
		stay(&handover->hold);
		/* The delivery thread of the new watcher must not run at the same time as this
		 * call. */
		__atomic_add_fetch(&handover->hold.inside, 1, __ATOMIC_SEQ_CST);
		ck_assert_int_eq(portwatch_new(&handover->next, handover->pid, hand_over, data), 0);
		ck_assert_int_eq(portwatch_start(handover->next), 0);
		__atomic_sub_fetch(&handover->hold.inside, 1, __ATOMIC_SEQ_CST);
		sem_post(&handover->hold.entered);
		return;
	}
	if (__atomic_load_n(&handover->hold.inside, __ATOMIC_SEQ_CST) > 0)
		__atomic_store_n(&handover->hold.most, 2, __ATOMIC_SEQ_CST);
	sem_post(&handover->hold.entered);
}

START_TEST(two_callbacks_of_the_thread_never_run_at_once)
{
	struct fixture server = fixture_start(0), other = fixture_start(0);
	struct handover handover = {.pid = other.pid};
	struct portwatch *last;

	hold_init(&handover.hold);
	ck_assert_int_eq(portwatch_new(&handover.mine, server.pid, hand_over, &handover), 0);
	ck_assert_int_eq(portwatch_start(handover.mine), 0);
	last = watch_with(server.pid, ignore, NULL);
	fixture_listen(&server, "127.0.0.1", 0);
	await(&handover.hold.entered);
	portwatch_free(last);
	sem_post(&handover.hold.leave);
	await(&handover.hold.entered);
	fixture_listen(&other, "127.0.0.1", 0);
	await(&handover.hold.entered);
	ck_assert_int_le(handover.hold.most, 1);
	portwatch_free(handover.mine);
	portwatch_free(handover.next);
	fixture_end(&other);
	fixture_end(&server);
}
END_TEST

struct starter {
	struct portwatch *watcher;
	int result;
};

static void *start(void *data)
{
	struct starter *starter = data;

	starter->result = portwatch_start(starter->watcher);
	return NULL;
}

/* The start is in its first callback when another thread ends the watcher. No event is lost, and
 * nothing is used after its release. */
START_TEST(a_watcher_may_be_freed_while_it_starts)
{
	struct fixture server = fixture_start(0);
	struct starter starter;
	pthread_t thread, freeing;
	struct hold hold;

	hold_init(&hold);
	fixture_listen(&server, "127.0.0.1", 0);
	fixture_listen(&server, "127.0.0.1", 0);
	ck_assert_int_eq(portwatch_new(&starter.watcher, server.pid, hold_event, &hold), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, start, &starter), 0);
	await(&hold.entered);
	if (_i)
		ck_assert_int_eq(pthread_create(&freeing, NULL, free_watcher, starter.watcher), 0);
	sem_post(&hold.leave);
	sem_post(&hold.leave);
	if (_i)
		ck_assert_int_eq(pthread_join(freeing, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(starter.result, 0);
	ck_assert_int_eq(hold.most, 1);
	if (!_i)
		portwatch_free(starter.watcher);
	fixture_end(&server);
}
END_TEST

/* A thread that is cancelled in the middle of a start ends after the start, and the library
 * continues. */
START_TEST(a_thread_is_not_cancelled_inside_a_start)
{
	struct fixture server = fixture_start(0);
	struct starter starter = {.result = 1};
	struct collect collect;
	struct hold hold;
	pthread_t thread;
	void *ended;

	hold_init(&hold);
	fixture_listen(&server, "127.0.0.1", 0);
	ck_assert_int_eq(portwatch_new(&starter.watcher, server.pid, hold_event, &hold), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, start, &starter), 0);
	await(&hold.entered);
	ck_assert_int_eq(pthread_cancel(thread), 0);
	sem_post(&hold.leave);
	ck_assert_int_eq(pthread_join(thread, &ended), 0);
	ck_assert_int_eq(starter.result, 0);
	collect_watch(&collect, server.pid);
	ck_assert_uint_eq(collect_count(&collect, PORTWATCH_EVENT_OPEN, NULL, 0), 1);
	collect_free(&collect);
	portwatch_free(starter.watcher);
	fixture_end(&server);
}
END_TEST

START_TEST(a_host_that_dispatches_has_no_delivery_thread)
{
	struct fixture server = fixture_start(0);
	struct portwatch *loop;
	struct collect collect;
	size_t threads;

	ck_assert_int_eq(portwatch_new(&loop, server.pid, ignore, NULL), 0);
	ck_assert_int_eq(portwatch_set_delivery(loop, PORTWATCH_DELIVERY_DISPATCH), 0);
	ck_assert_int_eq(portwatch_start(loop), 0);
	/* Sanitizers have threads of their own. */
	threads = process_threads(0);
	collect_watch(&collect, server.pid);
	ck_assert_uint_eq(process_threads(threads + 1), threads + 1);
	collect_free(&collect);
	ck_assert_uint_eq(process_threads(threads), threads);
	portwatch_free(loop);
	ck_assert_uint_eq(process_threads(threads - 1), threads - 1);
	fixture_end(&server);
}
END_TEST

/* The child runs in the copy of the delivery thread, which returns from the callback. The parent
 * gets the next events. The child has no library that could deliver them. */
struct forker {
	struct hold hold;
	pid_t parent, child;
	int calls; /* atomic */
};

static void fork_once(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	struct forker *forker = data;

	(void)watcher;
	(void)event;
	if (__atomic_fetch_add(&forker->calls, 1, __ATOMIC_SEQ_CST) > 0) {
		if (getppid() == forker->parent)
			_exit(42); /* a second call in the child */
		sem_post(&forker->hold.entered);
		return;
	}
	forker->child = fork();
	if (forker->child == 0)
		return;
	sem_post(&forker->hold.entered);
}

START_TEST(a_forked_child_delivers_nothing)
{
	struct fixture server = fixture_start(0);
	struct forker forker = {.parent = getpid()};
	struct portwatch *watcher;
	int status;

	if (HELPER_SANITIZED)
		test_skip("a sanitizer takes the monitor that a child abandons for a leak");
	hold_init(&forker.hold);
	watcher = watch_with(server.pid, fork_once, &forker);
	fixture_listen(&server, "127.0.0.1", 0);
	fixture_listen(&server, "127.0.0.1", 0);
	await(&forker.hold.entered);
	await(&forker.hold.entered);
	ck_assert_int_eq(waitpid(forker.child, &status, 0), forker.child);
	/* The copy of the delivery thread was the child's only thread, so the child exits with it.
	 */
	ck_assert_int_eq(status, 0);
	portwatch_free(watcher);
	fixture_end(&server);
}
END_TEST

/* A child that stays alive has no copy of the library's descriptors: the helper ends with the
 * watcher. */
START_TEST(a_forked_child_keeps_no_descriptor)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct collect collect;
	size_t before = process_descriptors();
	int ends[2], status;
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	collect_watch(&collect, server.pid);
	pid = fork();
	if (pid == 0) {
		bool kept = process_descriptors() != before + 2;

		if (kept)
			process_show();
		close(ends[1]);
		while (read(ends[0], &byte, 1) < 0)
			continue;
		_exit(kept);
	}
	collect_free(&collect);
	close(ends[0]);
	close(ends[1]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	fixture_end(&server);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("threads");
	TCase *waiting = tcase_create("waiting"), *forking = tcase_create("forking");

	tcase_add_test(waiting, a_start_waits_for_no_other_watchers_callback);
	tcase_add_test(waiting, fork_and_dispatch_wait_for_no_scan);
	tcase_add_test(waiting, two_callbacks_of_the_thread_never_run_at_once);
	tcase_add_loop_test(waiting, a_watcher_may_be_freed_while_it_starts, 0, 2);
	tcase_add_test(waiting, a_thread_is_not_cancelled_inside_a_start);
	tcase_add_test(waiting, a_host_that_dispatches_has_no_delivery_thread);
	suite_add_tcase(suite, waiting);
	tcase_add_test(forking, a_forked_child_delivers_nothing);
	tcase_add_test(forking, a_forked_child_keeps_no_descriptor);
	suite_add_tcase(suite, forking);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
