/* SPDX-License-Identifier: MIT */
/* test_monitor.c - the monitor thread alone: subscriptions are made through the mailbox, and report
 * to outboxes of the test */
#include <errno.h>
#include <unistd.h>

#include "proc/procfs.h"
#include "support/check_main.h"
#include "support/fixture.h"
#include "support/process_list.h"
#include "support/puppet.h"
#include "support/sandbox.h"
#include "support/wrap.h"
#include "util/fd.h"
#include "util/lock.h"
#include "watch/mailbox.h"
#include "watch/monitor.h"
#include "watch/subscription.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define END PORTWATCH_EVENT_END

/* --- requests: what the monitor thread does for the test */

struct question {
	struct request request;
	struct subscription_setup setup;
	struct subscription *subscription;
	int result;
	size_t number;
	bool own_thread;
};

static void serve_start(struct request *request, struct subscription_table *table, int error)
{
	struct question *question = container_of(request, struct question, request);

	question->own_thread = mailbox_is_own_thread();
	question->result = error;
	if (table)
		question->result =
			subscription_new(&question->subscription, table, &question->setup);
}

static void serve_end(struct request *request, struct subscription_table *table, int error)
{
	(void)table, (void)error;
	subscription_free(container_of(request, struct question, request)->subscription);
}

static void serve_count(struct request *request, struct subscription_table *table, int error)
{
	struct question *question = container_of(request, struct question, request);

	(void)table, (void)error;
	question->number = scope_count(question->subscription->scope);
}

static void serve_workers(struct request *request, struct subscription_table *table, int error)
{
	struct question *question = container_of(request, struct question, request);

	question->result = error;
	for (struct list *link = table ? table->namespaces->list.next : NULL;
	     link && link != &table->namespaces->list; link = link->next)
		question->number++;
}

static void call(struct question *question,
                 void (*serve)(struct request *request, struct subscription_table *table,
                               int error))
{
	question->request = (struct request){.serve = serve};
	library_lock();
	mailbox_call(&question->request);
	library_unlock();
}

static size_t count_workers(void)
{
	struct question question = {.number = 0};

	call(&question, serve_workers);
	ck_assert_int_eq(question.result, 0);
	return question.number;
}

/* --- a watched tree */

struct watched {
	struct subscription *subscription;
	struct outbox *outbox;
	struct portwatch_event event; /* the last one that was awaited */
};

static void wake(struct outbox *outbox, void *data)
{
	(void)data;
	/* The test looks by itself. */
	outbox->woken = false;
}

static bool is_decided(void *data)
{
	const struct watched *watched = data;
	bool decided;

	library_lock();
	decided = watched->outbox->decided;
	library_unlock();
	return decided;
}

/* Returns the result of the start. */
static int try_watch(struct watched *watched, pid_t pid, uint64_t time, bool notifier)
{
	struct question question = {.setup = {
					    .pid = pid,
					    .start_time = time,
					    .options = {.kinds = OPEN | CLOSE | END,
	                                                .addresses = PORTWATCH_ADDRESSES_ALL,
	                                                .interval = notifier ? 0 : 10,
	                                                .members = 1000,
	                                                .ports = 1000,
	                                                .helpers = 64,
	                                                .notifier = notifier},
				    }};

	watched->outbox = outbox_new(wake, NULL);
	ck_assert_ptr_nonnull(watched->outbox);
	watched->outbox->references++;
	question.setup.outbox = watched->outbox;
	call(&question, serve_start);
	ck_assert(question.own_thread);
	watched->subscription = question.subscription;
	if (question.result < 0) {
		watched->outbox->references--;
		return question.result;
	}
	ck_assert(wait_until(is_decided, watched));
	return watched->outbox->result;
}

static void watch(struct watched *watched, pid_t pid, bool notifier)
{
	ck_assert_int_eq(try_watch(watched, pid, process_start_time(pid), notifier), 0);
}

static void end(struct watched *watched)
{
	struct question question = {.subscription = watched->subscription};
	bool last;

	if (watched->subscription)
		call(&question, serve_end);
	library_lock();
	last = outbox_unref(watched->outbox);
	library_unlock();
	ck_assert(last);
	outbox_free(watched->outbox);
}

static bool take(void *data)
{
	struct watched *watched = data;
	bool taken;

	library_lock();
	taken = outbox_take(watched->outbox, &watched->event);
	library_unlock();
	return taken;
}

static void expect(struct watched *watched, enum portwatch_event_kind kind, pid_t pid,
                   uint16_t port)
{
	ck_assert_msg(wait_until(take, watched), "no event %d", (int)kind);
	ck_assert_int_eq(watched->event.kind, kind);
	ck_assert_uint_eq(watched->event.listener.port, port);
	ck_assert_int_eq(watched->event.pid, pid);
}

static size_t count_members(const struct watched *watched)
{
	struct question question = {.subscription = watched->subscription};

	call(&question, serve_count);
	return question.number;
}

/* --- the thread */

static unsigned int room;

static void forked(void)
{
	fd_close_all();
	mailbox_forget();
}

static void enter(void)
{
	library_lock();
	ck_assert_int_eq(mailbox_enter(monitor_thread), 0);
	library_unlock();
}

/* Nothing remains of the monitor. */
static void leave(void)
{
	library_lock();
	mailbox_leave();
	library_unlock();
	ck_assert_int_eq(mailbox_fd(), -1);
	ck_assert_uint_eq(fd_room(), room);
}

static void setup(void)
{
	wrap_reset();
	ck_assert_int_eq(library_prepare(forked), 0);
	room = fd_room();
}

START_TEST(it_runs_while_it_is_needed)
{
	for (int i = 0; i < 3; i++) {
		enter();
		ck_assert_uint_eq(count_workers(), 0);
		leave();
	}
}
END_TEST

/* The request is answered with the reason, and the next one finds a monitor. */
START_TEST(one_that_cannot_be_made_is_tried_again)
{
	static const struct {
		const char *call;
		int error;
	} failures[] = {{"epoll_create1", EMFILE}, {"epoll_ctl", ENOSPC}, {"calloc", ENOMEM}};
	struct watched watched;
	int result;

	wrap_fail(failures[_i].call, WRAP_ANYWHERE, 1, 1, failures[_i].error);
	enter();
	ck_assert_int_eq(try_watch(&watched, getpid(), process_start_time(getpid()), false),
	                 -failures[_i].error);
	ck_assert_uint_eq(wrap_struck(), 1);
	/* The monitor may answer the next request together with the first one. */
	do {
		end(&watched);
		result = try_watch(&watched, getpid(), process_start_time(getpid()), false);
	} while (result == -failures[_i].error);
	ck_assert_int_eq(result, 0);
	ck_assert_uint_eq(wrap_struck(), 1);
	end(&watched);
	leave();
}
END_TEST

START_TEST(a_process_that_is_gone_cannot_be_watched)
{
	struct fixture server = fixture_start(0);
	uint64_t time = process_start_time(server.pid);
	struct watched watched;

	enter();
	ck_assert_int_eq(try_watch(&watched, server.pid, time + 1, false), -ESRCH);
	end(&watched);
	fixture_end(&server);
	ck_assert_int_eq(try_watch(&watched, server.pid, time, false), -ESRCH);
	end(&watched);
	leave();
}
END_TEST

/* --- what it reports: with a notifier, where there is one, and without */

START_TEST(ports_of_the_tree_are_reported)
{
	struct fixture server = fixture_start(0), child;
	struct fixture_socket first = fixture_listen(&server, "127.0.0.1", 0), second, third;
	pid_t pid = server.pid;
	struct watched watched;

	enter();
	watch(&watched, server.pid, _i);
	/* One that was open before the start. */
	ck_assert_uint_eq(watched.outbox->initial, 1);
	expect(&watched, OPEN, pid, first.port);
	ck_assert(watched.event.initial);
	second = fixture_listen(&server, "::1", 0);
	expect(&watched, OPEN, pid, second.port);
	ck_assert(!watched.event.initial);
	fixture_close(&server, first);
	expect(&watched, CLOSE, pid, first.port);
	/* A new member, which exits with its port. */
	child = fixture_fork(&server);
	third = fixture_listen(&child, "127.0.0.1", 0);
	expect(&watched, OPEN, child.pid, third.port);
	fixture_end(&child);
	expect(&watched, CLOSE, child.pid, third.port);
	fixture_end(&server);
	expect(&watched, CLOSE, pid, second.port);
	expect(&watched, END, pid, 0);
	ck_assert(!take(&watched));
	/* Without a member, no namespace is read. */
	ck_assert_uint_eq(count_workers(), 0);
	end(&watched);
	leave();
}
END_TEST

START_TEST(a_member_may_live_in_a_namespace_of_its_own)
{
	struct fixture server = fixture_start(0), child = fixture_start(SANDBOX_NETNS), later;
	struct fixture_socket socket;
	struct watched watched;

	enter();
	/* Both are children of this process. */
	watch(&watched, getpid(), _i);
	ck_assert_uint_eq(count_workers(), 2);
	/* The helper is a child of this process, too, and is no member. */
	ck_assert_uint_eq(count_members(&watched), 3);
	socket = fixture_listen(&child, "127.0.0.1", 0);
	expect(&watched, OPEN, child.pid, socket.port);
	ck_assert_uint_eq(count_members(&watched), 3);
	/* A member that comes later has a namespace of its own, too. */
	later = fixture_start(SANDBOX_NETNS);
	fixture_listen(&later, "127.0.0.1", 9000);
	expect(&watched, OPEN, later.pid, 9000);
	ck_assert_uint_eq(count_workers(), 3);
	fixture_end(&later);
	expect(&watched, CLOSE, later.pid, 9000);
	fixture_end(&child);
	expect(&watched, CLOSE, child.pid, socket.port);
	fixture_end(&server);
	end(&watched);
	leave();
}
END_TEST

START_TEST(subscriptions_are_independent)
{
	struct fixture servers[2] = {fixture_start(0), fixture_start(0)};
	struct watched watched[2], third;
	struct fixture_socket socket;
	pid_t pid = servers[1].pid;

	enter();
	for (int i = 0; i < 2; i++)
		watch(&watched[i], servers[i].pid, _i);
	/* They share the worker of the namespace. */
	ck_assert_uint_eq(count_workers(), 1);
	socket = fixture_listen(&servers[1], "127.0.0.1", 0);
	expect(&watched[1], OPEN, pid, socket.port);
	ck_assert(!take(&watched[0]));
	/* One of them ends, and another one begins. */
	end(&watched[0]);
	watch(&third, pid, _i);
	expect(&third, OPEN, pid, socket.port);
	fixture_close(&servers[1], socket);
	expect(&watched[1], CLOSE, pid, socket.port);
	expect(&third, CLOSE, pid, socket.port);
	end(&watched[1]);
	end(&third);
	for (int i = 0; i < 2; i++)
		fixture_end(&servers[i]);
	leave();
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("monitor");
	TCase *thread = tcase_create("thread"), *reports = tcase_create("reports");

	tcase_add_checked_fixture(thread, setup, NULL);
	tcase_add_test(thread, it_runs_while_it_is_needed);
	tcase_add_loop_test(thread, one_that_cannot_be_made_is_tried_again, 0, 3);
	tcase_add_test(thread, a_process_that_is_gone_cannot_be_watched);
	suite_add_tcase(suite, thread);
	tcase_add_checked_fixture(reports, setup, NULL);
	tcase_add_loop_test(reports, ports_of_the_tree_are_reported, 0, 2);
	tcase_add_loop_test(reports, a_member_may_live_in_a_namespace_of_its_own, 0, 2);
	tcase_add_loop_test(reports, subscriptions_are_independent, 0, 2);
	suite_add_tcase(suite, reports);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
