/* SPDX-License-Identifier: MIT */
/* test_loop.c - one thread that waits for descriptors and children */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/check_main.h"
#include "util/loop.h"

struct counter {
	struct source source;
	struct loop *loop;
	struct counter *victim; /* removed when this source is called */
	int calls;
};

static void called(struct source *source)
{
	struct counter *counter = container_of(source, struct counter, source);
	eventfd_t value;

	counter->calls++;
	eventfd_read(source->fd, &value);
	if (counter->victim)
		loop_remove(counter->loop, &counter->victim->source);
	counter->victim = NULL;
}

static struct counter make_counter(struct loop *loop)
{
	return (struct counter){
		.source = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ready = called},
		.loop = loop,
	};
}

START_TEST(a_readable_source_is_called)
{
	struct loop loop;
	struct counter quiet, ready;

	ck_assert_int_eq(loop_open(&loop), 0);
	quiet = make_counter(&loop);
	ready = make_counter(&loop);
	ck_assert_int_eq(loop_add(&loop, &quiet.source), 0);
	ck_assert_int_eq(loop_add(&loop, &ready.source), 0);
	eventfd_write(ready.source.fd, 1);
	loop_wait(&loop, -1);
	loop_wait(&loop, 0);
	ck_assert_int_eq(quiet.calls, 0);
	ck_assert_int_eq(ready.calls, 1);
	ck_assert_int_eq(loop_add(&loop, &(struct source){.fd = 1000000}), -EBADF);
	loop_remove(&loop, &quiet.source);
	loop_remove(&loop, &ready.source);
	close(quiet.source.fd);
	close(ready.source.fd);
	loop_close(&loop);
}
END_TEST

/* Both sources are ready at once. The first one that is called removes the other. */
START_TEST(a_removed_source_is_not_called)
{
	struct loop loop;
	struct counter a, b;

	ck_assert_int_eq(loop_open(&loop), 0);
	a = make_counter(&loop);
	b = make_counter(&loop);
	a.victim = &b;
	b.victim = &a;
	ck_assert_int_eq(loop_add(&loop, &a.source), 0);
	ck_assert_int_eq(loop_add(&loop, &b.source), 0);
	eventfd_write(a.source.fd, 1);
	eventfd_write(b.source.fd, 1);
	loop_wait(&loop, -1);
	ck_assert_int_eq(a.calls + b.calls, 1);
	loop_remove(&loop, a.calls ? &a.source : &b.source);
	close(a.source.fd);
	close(b.source.fd);
	loop_close(&loop);
}
END_TEST

/* Any process that shares the epoll descriptor can add an event with any number in it. */
START_TEST(a_forged_event_is_ignored)
{
	static const uint64_t numbers[] = {0,
	                                   1,
	                                   7,
	                                   31,
	                                   32,
	                                   1 << 20,
	                                   UINT32_MAX,
	                                   UINT64_MAX,
	                                   UINT64_C(1) << 32,
	                                   UINT64_C(0x7fff00001000)};
	struct loop loop;
	struct counter counter;

	ck_assert_int_eq(loop_open(&loop), 0);
	counter = make_counter(&loop);
	ck_assert_int_eq(loop_add(&loop, &counter.source), 0);
	loop_remove(&loop, &counter.source);
	ck_assert_int_eq(loop_add(&loop, &counter.source), 0);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = numbers[i]};
		int fd = eventfd(1, EFD_CLOEXEC);

		ck_assert_int_eq(epoll_ctl(loop.epoll, EPOLL_CTL_ADD, fd, &event), 0);
		loop_wait(&loop, -1);
		close(fd);
	}
	ck_assert_int_eq(counter.calls, 0);
	loop_remove(&loop, &counter.source);
	close(counter.source.fd);
	loop_close(&loop);
}
END_TEST

static int wait_for_ever(void *arg)
{
	while (!arg)
		pause();
	return 0;
}

START_TEST(a_killed_child_is_reaped_without_waiting)
{
	struct loop loop;
	struct child child;
	sigset_t all;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	ck_assert_int_eq(loop_open(&loop), 0);
	ck_assert_int_eq(spawn_child(&child, wait_for_ever, NULL), 0);
	pid = child.pid;
	loop_reap(&loop, &child);
	ck_assert(loop_reaps(&loop, pid));
	ck_assert(!loop_has_reaped(&loop, pid));
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	while (loop_reaps(&loop, pid)) {
		loop_reap_more(&loop);
		loop_wait(&loop, 10);
	}
	ck_assert_int_eq(kill(pid, 0), -1);
	ck_assert(loop_has_reaped(&loop, pid));
	loop_forget_reaped(&loop);
	ck_assert(!loop_has_reaped(&loop, pid));
	loop_close(&loop);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("loop");
	TCase *sources = tcase_create("sources"), *children = tcase_create("children");

	tcase_add_test(sources, a_readable_source_is_called);
	tcase_add_test(sources, a_removed_source_is_not_called);
	tcase_add_test(sources, a_forged_event_is_ignored);
	suite_add_tcase(suite, sources);
	tcase_add_test(children, a_killed_child_is_reaped_without_waiting);
	suite_add_tcase(suite, children);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
