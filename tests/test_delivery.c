/* SPDX-License-Identifier: MIT */
/* test_delivery.c - callbacks that stop, free and start watchers, that are slow, or that run in the
 * host's loop */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/process_list.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define END PORTWATCH_EVENT_END

/* What a callback does, and what it observes. */
struct act {
	struct portwatch *watcher;
	struct portwatch *other;
	struct collect *_Atomic collect;
	sem_t entered;
	sem_t leave;
	int calls; /* atomic: the library's thread writes it, our thread reads it */
	int result;
};

static void act_start(struct act *act, pid_t pid, portwatch_callback callback, int initial)
{
	memset(act, 0, sizeof(*act));
	sem_init(&act->entered, 0, 0);
	sem_init(&act->leave, 0, 0);
	ck_assert_int_eq(portwatch_new(&act->watcher, pid, callback, act), 0);
	ck_assert_int_eq(portwatch_set_interval(act->watcher, 10), 0);
	ck_assert_int_eq(portwatch_start(act->watcher), 0);
	ck_assert_int_eq(__atomic_load_n(&act->calls, __ATOMIC_SEQ_CST), initial);
}

static void await(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		ck_assert_int_eq(errno, EINTR);
}

static void stop_itself(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	struct act *act = data;

	(void)event;
	__atomic_add_fetch(&act->calls, 1, __ATOMIC_SEQ_CST);
	act->result = portwatch_stop(watcher);
	sem_post(&act->entered);
}

START_TEST(a_callback_may_stop_its_watcher)
{
	struct fixture server = fixture_start(0);
	struct collect collect;
	struct act act;

	collect_watch(&collect, server.pid);
	act_start(&act, server.pid, stop_itself, 0);
	fixture_listen(&server, "127.0.0.1", 0);
	await(&act.entered);
	ck_assert_int_eq(act.result, 0);
	fixture_listen(&server, "127.0.0.1", 0);
	collect_sync(&collect, &server, 2);
	ck_assert_int_eq(act.calls, 1);
	portwatch_free(act.watcher);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

static void free_itself(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	struct act *act = data;

	(void)event;
	__atomic_add_fetch(&act->calls, 1, __ATOMIC_SEQ_CST);
	portwatch_free(watcher);
	sem_post(&act->entered);
}

/* The first of several waiting events becomes the last. The watcher is the only one, so the
 * library's threads end with it. */
START_TEST(a_callback_may_free_its_watcher)
{
	struct fixture server = fixture_start(0);
	struct act act = {0};

	fixture_listen(&server, "127.0.0.1", 0);
	fixture_listen(&server, "127.0.0.1", 0);
	sem_init(&act.entered, 0, 0);
	ck_assert_int_eq(portwatch_new(&act.watcher, server.pid, free_itself, &act), 0);
	ck_assert_int_eq(portwatch_start(act.watcher), 0);
	ck_assert_int_eq(act.calls, 1);
	/* The library can be used again afterwards. */
	for (int i = 0; i < 3; i++) {
		struct collect collect;

		collect_watch(&collect, server.pid);
		collect_wait_total(&collect, 2);
		collect_free(&collect);
	}
	fixture_end(&server);
}
END_TEST

static void free_other(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	struct act *act = data;

	(void)watcher;
	(void)event;
	__atomic_add_fetch(&act->calls, 1, __ATOMIC_SEQ_CST);
	portwatch_free(act->other);
	act->other = NULL;
	sem_post(&act->entered);
}

START_TEST(a_callback_may_free_its_neighbours)
{
	struct fixture server = fixture_start(0);
	struct collect before, after, last;
	struct act act;

	collect_watch(&before, server.pid);
	act_start(&act, server.pid, free_other, 0);
	collect_watch(&after, server.pid);
	collect_watch(&last, server.pid);
	act.other = _i ? before.watcher : after.watcher;
	fixture_listen(&server, "127.0.0.1", 0);
	await(&act.entered);
	collect_sync(&last, &server, 2);
	*(_i ? &before.watcher : &after.watcher) = NULL;
	collect_free(&before);
	collect_free(&after);
	portwatch_free(act.watcher);
	collect_free(&last);
	fixture_end(&server);
}
END_TEST

static void start_another(struct portwatch *watcher, const struct portwatch_event *event,
                          void *data)
{
	struct act *act = data;

	(void)event;
	if (__atomic_fetch_add(&act->calls, 1, __ATOMIC_SEQ_CST) > 0)
		return;
	collect_watch(act->collect, portwatch_get_pid(watcher));
	act->result = (int)collect_total(act->collect);
	sem_post(&act->entered);
}

START_TEST(a_callback_may_start_watchers)
{
	struct fixture server = fixture_start(0);
	struct fixture_socket second;
	struct collect collect;
	struct act act;

	act_start(&act, server.pid, start_another, 0);
	act.collect = &collect;
	fixture_listen(&server, "127.0.0.1", 0);
	await(&act.entered);
	/* The initial ports were reported before portwatch_start() returned. */
	ck_assert_int_eq(act.result, 1);
	second = fixture_listen(&server, "127.0.0.1", 0);
	collect_wait(&collect, OPEN, NULL, second.port);
	portwatch_free(act.watcher);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

static void linger(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	struct act *act = data;

	(void)watcher;
	(void)event;
	sem_post(&act->entered);
	await(&act->leave);
	__atomic_add_fetch(&act->calls, 1, __ATOMIC_SEQ_CST);
}

static void *stop_watcher(void *data)
{
	struct act *act = data;

	act->result = portwatch_stop(act->watcher);
	/* 1 if the call that was running has returned. */
	return (void *)(intptr_t)__atomic_load_n(&act->calls, __ATOMIC_SEQ_CST);
}

START_TEST(stop_waits_for_the_running_callback)
{
	struct fixture server = fixture_start(0);
	struct act act;
	pthread_t thread;
	void *calls;

	act_start(&act, server.pid, linger, 0);
	fixture_listen(&server, "127.0.0.1", 0);
	fixture_listen(&server, "127.0.0.1", 0);
	await(&act.entered);
	ck_assert_int_eq(pthread_create(&thread, NULL, stop_watcher, &act), 0);
	sem_post(&act.leave);
	sem_post(&act.leave);
	ck_assert_int_eq(pthread_join(thread, &calls), 0);
	ck_assert_int_eq((intptr_t)calls, __atomic_load_n(&act.calls, __ATOMIC_SEQ_CST));
	ck_assert_int_ge((intptr_t)calls, 1);
	ck_assert_int_eq(act.result, 0);
	portwatch_free(act.watcher);
	fixture_end(&server);
}
END_TEST

/* While one callback is slow, monitoring continues, and its events are delivered later. */
START_TEST(a_slow_callback_loses_nothing_but_time)
{
	struct fixture server = fixture_start(0);
	struct fixture_socket sockets[20];
	struct collect collect, loop;
	struct act act;
	char found[64];

	act_start(&act, server.pid, linger, 0);
	collect_watch(&collect, server.pid);
	collect_new(&loop, server.pid);
	ck_assert_int_eq(portwatch_set_delivery(loop.watcher, PORTWATCH_DELIVERY_DISPATCH), 0);
	collect_start(&loop);
	sockets[0] = fixture_listen(&server, "127.0.0.1", 0);
	await(&act.entered);
	for (int i = 1; i < 20; i++) {
		sockets[i] = fixture_listen(&server, "127.0.0.1", 0);
		/* The other kind of delivery is not delayed. */
		collect_wait(&loop, OPEN, NULL, sockets[i].port);
		/* Each watcher resolves the owner itself: the port remains open until both have
		 * done so. */
		snprintf(found, sizeof(found), "port open: 127.0.0.1:%u,", sockets[i].port);
		collect_wait_message(&collect, found);
		if (i % 2)
			fixture_close(&server, sockets[i]);
	}
	for (int i = 0; i < 100; i++)
		sem_post(&act.leave);
	for (int i = 0; i < 20; i++) {
		collect_wait(&collect, OPEN, NULL, sockets[i].port);
		if (i % 2)
			collect_wait(&collect, CLOSE, NULL, sockets[i].port);
	}
	portwatch_free(act.watcher);
	collect_free(&collect);
	collect_free(&loop);
	fixture_end(&server);
}
END_TEST

/* --- in the host's own loop ------------------------------------------------------------------- */

START_TEST(dispatch_runs_in_an_epoll_loop)
{
	struct fixture server = fixture_start(0);
	struct epoll_event ready, wanted = {.events = EPOLLIN};
	struct fixture_socket socket;
	struct collect collect;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	collect_new(&collect, server.pid);
	ck_assert_int_eq(portwatch_set_delivery(collect.watcher, PORTWATCH_DELIVERY_DISPATCH), 0);
	ck_assert_int_eq(portwatch_get_fd(collect.watcher), -ENOTCONN);
	ck_assert_int_eq(portwatch_dispatch(collect.watcher), -ENOTCONN);
	ck_assert_int_eq(portwatch_start(collect.watcher), 0);
	ck_assert_int_eq(
		epoll_ctl(epoll, EPOLL_CTL_ADD, portwatch_get_fd(collect.watcher), &wanted), 0);
	ck_assert_int_eq(portwatch_dispatch(collect.watcher), 0);
	/* The descriptor is not readable, because no event waits. */
	ck_assert_int_eq(epoll_wait(epoll, &ready, 1, 0), 0);
	socket = fixture_listen(&server, "127.0.0.1", 0);
	ck_assert_int_eq(epoll_wait(epoll, &ready, 1, COLLECT_PATIENCE * 1000), 1);
	ck_assert_uint_eq(collect_total(&collect), 0);
	ck_assert_int_eq(portwatch_dispatch(collect.watcher), 1);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, socket.port), 1);
	ck_assert_int_eq(epoll_wait(epoll, &ready, 1, 0), 0);
	close(epoll);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

static void dispatch_again(struct portwatch *watcher, const struct portwatch_event *event,
                           void *data)
{
	struct act *act = data;

	(void)event;
	act->result = portwatch_dispatch(watcher);
	sem_post(&act->entered);
	await(&act->leave);
}

static void *dispatch_too(void *watcher)
{
	return (void *)(intptr_t)portwatch_dispatch(watcher);
}

START_TEST(dispatch_is_not_reentered)
{
	struct fixture server = fixture_start(0);
	struct act act = {0};
	pthread_t first, second;
	void *result;

	fixture_listen(&server, "127.0.0.1", 0);
	sem_init(&act.entered, 0, 0);
	sem_init(&act.leave, 0, 0);
	ck_assert_int_eq(portwatch_new(&act.watcher, server.pid, dispatch_again, &act), 0);
	ck_assert_int_eq(portwatch_set_delivery(act.watcher, PORTWATCH_DELIVERY_DISPATCH), 0);
	ck_assert_int_eq(portwatch_start(act.watcher), 0);
	ck_assert_int_eq(pthread_create(&first, NULL, dispatch_too, act.watcher), 0);
	await(&act.entered);
	ck_assert_int_eq(act.result, -EDEADLK);
	ck_assert_int_eq(pthread_create(&second, NULL, dispatch_too, act.watcher), 0);
	ck_assert_int_eq(pthread_join(second, &result), 0);
	ck_assert_int_eq((intptr_t)result, -EBUSY);
	sem_post(&act.leave);
	ck_assert_int_eq(pthread_join(first, &result), 0);
	ck_assert_int_eq((intptr_t)result, 1);
	portwatch_free(act.watcher);
	fixture_end(&server);
}
END_TEST

START_TEST(a_freed_watcher_may_wait_to_be_dispatched)
{
	struct fixture server = fixture_start(0);
	struct act act = {0};

	fixture_listen(&server, "127.0.0.1", 0);
	fixture_listen(&server, "127.0.0.1", 0);
	sem_init(&act.entered, 0, 0);
	ck_assert_int_eq(portwatch_new(&act.watcher, server.pid, free_itself, &act), 0);
	ck_assert_int_eq(portwatch_set_delivery(act.watcher, PORTWATCH_DELIVERY_DISPATCH), 0);
	ck_assert_int_eq(portwatch_start(act.watcher), 0);
	ck_assert_int_eq(portwatch_dispatch(act.watcher), 1);
	ck_assert_int_eq(act.calls, 1);
	fixture_end(&server);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("delivery");
	TCase *thread = tcase_create("the library's thread"),
	      *loop = tcase_create("the host's loop");

	tcase_add_test(thread, a_callback_may_stop_its_watcher);
	tcase_add_test(thread, a_callback_may_free_its_watcher);
	tcase_add_loop_test(thread, a_callback_may_free_its_neighbours, 0, 2);
	tcase_add_test(thread, a_callback_may_start_watchers);
	tcase_add_test(thread, stop_waits_for_the_running_callback);
	tcase_add_test(thread, a_slow_callback_loses_nothing_but_time);
	suite_add_tcase(suite, thread);
	tcase_add_test(loop, dispatch_runs_in_an_epoll_loop);
	tcase_add_test(loop, dispatch_is_not_reentered);
	tcase_add_test(loop, a_freed_watcher_may_wait_to_be_dispatched);
	suite_add_tcase(suite, loop);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
