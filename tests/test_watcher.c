/* SPDX-License-Identifier: MIT */
/* test_watcher.c - the life cycle of a watcher, with a monitor of the test's own
 *
 * This monitor serves the mailbox, decides starts as the test says, and reports ports on request.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/watcher.h"
#include "proc/procfs.h"
#include "support/check_main.h"
#include "support/process_list.h"
#include "support/puppet.h"
#include "util/fd.h"
#include "util/lock.h"
#include "watch/mailbox.h"
#include "watch/monitor.h"
#include "watch/subscription.h"

/* --- the monitor */

enum { UNDECIDED = 1 };

static struct subscription_setup started; /* the arguments of the last start */
static int refusal;                       /* of subscription_new() */
static int decision;                      /* of the start: UNDECIDED, 0 or a negative errno */
static unsigned int ports;                /* open at the start */
static int made, freed;                   /* subscriptions, atomic */
static bool fresh;                        /* one was made, and the start is not decided */

int __wrap_subscription_new(struct subscription **subscription, struct subscription_table *table,
                            const struct subscription_setup *setup);
void __wrap_subscription_free(struct subscription *subscription);
void *__wrap_monitor_thread(void *data);

int __wrap_subscription_new(struct subscription **subscription, struct subscription_table *table,
                            const struct subscription_setup *setup)
{
	(void)table;
	if (refusal < 0)
		return refusal;
	*subscription = calloc(1, sizeof(**subscription));
	(*subscription)->outbox = setup->outbox;
	started = *setup;
	fresh = true;
	__atomic_add_fetch(&made, 1, __ATOMIC_SEQ_CST);
	return 0;
}

void __wrap_subscription_free(struct subscription *subscription)
{
	/* The watcher may be gone. */
	fresh = false;
	outbox_release(subscription->outbox);
	free(subscription);
	__atomic_add_fetch(&freed, 1, __ATOMIC_SEQ_CST);
}

static void open_port(struct outbox *outbox, uint16_t port)
{
	struct portwatch_event event = {
		.kind = PORTWATCH_EVENT_OPEN,
		.listener = {.family = AF_INET, .port = port, .inode = port},
		.pid = 10,
	};

	ck_assert_ptr_nonnull(outbox_open(outbox, 1, &event));
}

static void decide(void)
{
	struct outbox *outbox = started.outbox;

	if (!fresh || decision == UNDECIDED)
		return;
	fresh = false;
	for (unsigned int i = 0; i < ports; i++)
		open_port(outbox, (uint16_t)(80 + i));
	outbox_decide(outbox, decision);
}

void *__wrap_monitor_thread(void *data)
{
	/* The mailbox passes the table on, and nobody here looks at it. */
	struct subscription_table *table = (struct subscription_table *)(void *)&started;
	eventfd_t value;

	while (mailbox_is_needed()) {
		eventfd_read(mailbox_fd(), &value);
		mailbox_serve(table, 0);
		decide();
	}
	return data;
}

static void serve_port(struct subscription *subscription, void *data)
{
	open_port(subscription->outbox, *(uint16_t *)data);
}

/* Runs a function in the monitor thread. */
static int ask(struct portwatch *watcher,
               void (*serve)(struct subscription *subscription, void *data), void *data)
{
	int cancel = library_enter(), result = watcher_ask(watcher, serve, data);

	library_leave(cancel);
	return result;
}

static void report(struct portwatch *watcher, uint16_t port)
{
	ck_assert_int_eq(ask(watcher, serve_port, &port), 0);
}

/* --- the host */

static struct portwatch *it;
static int events; /* atomic */
static pthread_t called_in;
static void (*in_callback)(struct portwatch *watcher);
static sem_t entered, go_on;
static unsigned int room;

static void callback(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	ck_assert_ptr_eq(data, &events);
	ck_assert_int_eq(portwatch_event_get_kind(event), PORTWATCH_EVENT_OPEN);
	called_in = pthread_self();
	__atomic_add_fetch(&events, 1, __ATOMIC_SEQ_CST);
	if (in_callback)
		in_callback(watcher);
}

static void setup(void)
{
	refusal = decision = 0;
	ports = 0;
	made = freed = events = 0;
	in_callback = NULL;
	fresh = false;
	sem_init(&entered, 0, 0);
	sem_init(&go_on, 0, 0);
	ck_assert_int_eq(portwatch_new(&it, getpid(), callback, &events), 0);
	room = fd_room();
}

/* Nothing of the library is left. */
static void teardown(void)
{
	portwatch_free(it);
	ck_assert_int_eq(mailbox_fd(), -1);
	ck_assert_int_eq(made, freed);
	ck_assert_uint_eq(fd_room(), room);
}

static void dispatches(void)
{
	ck_assert_int_eq(portwatch_set_delivery(it, PORTWATCH_DELIVERY_DISPATCH), 0);
}

static void await(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		ck_assert_int_eq(errno, EINTR);
}

static bool is_made(void *data)
{
	(void)data;
	return __atomic_load_n(&made, __ATOMIC_SEQ_CST) > 0;
}

static bool has_events(void *data)
{
	return __atomic_load_n(&events, __ATOMIC_SEQ_CST) >= *(int *)data;
}

/* --- new */

START_TEST(a_process_is_identified)
{
	struct portwatch *other = NULL;
	int status, pidfd;
	pid_t pid = fork();

	if (pid == 0)
		_exit(pause());
	ck_assert_int_eq(portwatch_new(&other, pid, callback, &events), 0);
	ck_assert_int_eq(portwatch_get_pid(other), pid);
	ck_assert_uint_eq(other->start_time, process_start_time(pid));
	portwatch_free(other);
	other = NULL;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	ck_assert_int_eq(portwatch_new_pidfd(&other, pidfd, callback, &events), 0);
	ck_assert_int_eq(portwatch_get_pid(other), pid);
	ck_assert_uint_eq(other->start_time, process_start_time(pid));
	portwatch_free(other);
	other = NULL;
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	/* A zombie has exited, too. */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(portwatch_new(&other, pid, callback, &events), -ESRCH);
		ck_assert_int_eq(portwatch_new_pidfd(&other, pidfd, callback, &events), -ESRCH);
		waitpid(pid, &status, 0);
	}
	close(pidfd);
	/* The library's own descriptors take the lowest number. */
	ck_assert_int_eq(portwatch_new_pidfd(&other, pidfd, callback, &events), -EBADF);
	ck_assert_int_eq(portwatch_new_pidfd(&other, 999999, callback, &events), -EBADF);
	pidfd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(portwatch_new_pidfd(&other, pidfd, callback, &events), -EINVAL);
	close(pidfd);
	ck_assert_ptr_null(other);
}
END_TEST

START_TEST(the_environment_asks_for_messages)
{
	unsetenv("PORTWATCH_DEBUG");
	ck_assert_int_eq(watcher_log_level(PORTWATCH_LOG_ERROR), PORTWATCH_LOG_ERROR);
	setenv("PORTWATCH_DEBUG", "", 1);
	ck_assert_int_eq(watcher_log_level(PORTWATCH_LOG_ERROR), PORTWATCH_LOG_ERROR);
	setenv("PORTWATCH_DEBUG", "1", 1);
	ck_assert_int_eq(watcher_log_level(PORTWATCH_LOG_ERROR), PORTWATCH_LOG_DEBUG);
	unsetenv("PORTWATCH_DEBUG");
}
END_TEST

/* --- start and stop */

START_TEST(a_start_passes_the_options_on)
{
	ck_assert_int_eq(portwatch_set_interval(it, 123), 0);
	ck_assert_int_eq(portwatch_set_scope(it, PORTWATCH_SCOPE_NETNS), 0);
	ck_assert_int_eq(portwatch_start(it), 0);
	ck_assert_int_eq(started.pid, getpid());
	ck_assert_uint_eq(started.start_time, process_start_time(getpid()));
	ck_assert_uint_eq(started.options.interval, 123);
	ck_assert_int_eq(started.options.scope, PORTWATCH_SCOPE_NETNS);
	ck_assert_ptr_eq(started.outbox, it->outbox);
	ck_assert_ptr_eq(started.log.watcher, it);
	ck_assert_int_ge(mailbox_fd(), 0);
	ck_assert_int_eq(portwatch_start(it), -EALREADY);
	ck_assert_int_eq(portwatch_stop(it), 0);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(mailbox_fd(), -1);
	/* Once only. */
	ck_assert_int_eq(portwatch_stop(it), 0);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(portwatch_start(it), -EALREADY);
	ck_assert_int_eq(made, 1);
}
END_TEST

START_TEST(a_start_that_fails_leaves_nothing_behind)
{
	if (_i)
		refusal = -ENOMEM;
	else
		decision = -EACCES;
	ck_assert_int_eq(portwatch_start(it), _i ? -ENOMEM : -EACCES);
	ck_assert_int_eq(freed, made);
	/* That of the watcher itself. */
	ck_assert_uint_eq(it->outbox->references, 1);
	ck_assert_int_eq(mailbox_fd(), -1);
	ck_assert_int_eq(portwatch_start(it), -EALREADY);
	ck_assert_int_eq(ask(it, serve_port, NULL), -ENOTCONN);
	ck_assert_int_eq(events, 0);
}
END_TEST

START_TEST(a_watcher_may_be_stopped_before_its_start)
{
	ck_assert_int_eq(portwatch_stop(it), 0);
	ck_assert_int_eq(portwatch_start(it), -EALREADY);
	ck_assert_int_eq(made, 0);
}
END_TEST

static void *start(void *result)
{
	*(int *)result = portwatch_start(it);
	return NULL;
}

/* Another thread does not wait for the decision. */
START_TEST(a_start_is_interrupted)
{
	pthread_t thread;
	int result;

	decision = UNDECIDED;
	ck_assert_int_eq(pthread_create(&thread, NULL, start, &result), 0);
	ck_assert(wait_until(is_made, NULL));
	if (_i) {
		portwatch_free(it);
		it = NULL;
	} else {
		ck_assert_int_eq(portwatch_stop(it), 0);
	}
	pthread_join(thread, NULL);
	ck_assert_int_eq(result, -ECANCELED);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(mailbox_fd(), -1);
}
END_TEST

/* The monitor thread exists as long as one watcher needs it. */
START_TEST(watchers_share_the_monitor)
{
	struct portwatch *other;

	ck_assert_int_eq(portwatch_new(&other, getpid(), callback, &events), 0);
	ck_assert_int_eq(portwatch_start(it), 0);
	ck_assert_int_eq(portwatch_start(other), 0);
	ck_assert_int_eq(made, 2);
	ck_assert_int_eq(portwatch_stop(it), 0);
	ck_assert_int_ge(mailbox_fd(), 0);
	ck_assert_int_eq(freed, 1);
	portwatch_free(other);
	ck_assert_int_eq(mailbox_fd(), -1);
	ck_assert_int_eq(freed, 2);
}
END_TEST

/* --- questions to the monitor */

static int asked_result;

static void ask_the_library(struct subscription *subscription, void *data)
{
	(void)subscription;
	*(pthread_t *)data = pthread_self();
	asked_result = portwatch_stop(it);
}

START_TEST(a_question_is_answered_by_the_monitor)
{
	pthread_t thread = pthread_self();

	ck_assert_int_eq(ask(it, ask_the_library, &thread), -ENOTCONN);
	ck_assert_int_eq(portwatch_start(it), 0);
	ck_assert_int_eq(ask(it, ask_the_library, &thread), 0);
	ck_assert(!pthread_equal(thread, pthread_self()));
	/* The monitor would wait for itself. */
	ck_assert_int_eq(asked_result, -EDEADLK);
	ck_assert_int_eq(freed, 0);
	ck_assert_int_eq(portwatch_stop(it), 0);
	ck_assert_int_eq(ask(it, ask_the_library, &thread), -ENOTCONN);
}
END_TEST

/* --- events */

START_TEST(open_ports_are_delivered_by_the_start)
{
	int all = 4;

	ports = 3;
	ck_assert_int_eq(portwatch_start(it), 0);
	ck_assert_int_eq(events, 3);
	ck_assert(pthread_equal(called_in, pthread_self()));
	report(it, 8080);
	ck_assert(wait_until(has_events, &all));
	ck_assert_int_eq(portwatch_stop(it), 0);
	ck_assert(!pthread_equal(called_in, pthread_self()));
}
END_TEST

static void stop_it(struct portwatch *watcher)
{
	ck_assert_int_eq(portwatch_stop(watcher), 0);
}

static void free_it(struct portwatch *watcher)
{
	portwatch_free(watcher);
	it = NULL;
}

START_TEST(a_callback_may_end_its_watcher)
{
	ports = 3;
	in_callback = _i ? free_it : stop_it;
	portwatch_start(it);
	ck_assert_int_eq(events, 1);
	ck_assert_int_eq(freed, 1);
	ck_assert_int_eq(mailbox_fd(), -1);
}
END_TEST

START_TEST(a_host_may_dispatch)
{
	struct pollfd ready = {.events = POLLIN};

	ck_assert_int_eq(portwatch_get_fd(it), -EINVAL);
	ck_assert_int_eq(portwatch_dispatch(it), -EINVAL);
	dispatches();
	ck_assert_int_eq(portwatch_get_fd(it), -ENOTCONN);
	ck_assert_int_eq(portwatch_dispatch(it), -ENOTCONN);
	ports = 2;
	ck_assert_int_eq(portwatch_start(it), 0);
	ck_assert_int_eq(events, 0);
	ready.fd = portwatch_get_fd(it);
	ck_assert_int_gt(ready.fd, 2);
	ck_assert_int_eq(poll(&ready, 1, 0), 1);
	ck_assert_int_eq(portwatch_dispatch(it), 2);
	ck_assert_int_eq(poll(&ready, 1, 0), 0);
	ck_assert_int_eq(portwatch_dispatch(it), 0);
	report(it, 8080);
	ck_assert_int_eq(poll(&ready, 1, 0), 1);
	/* The host has the descriptor until the watcher is freed. */
	ck_assert_int_eq(portwatch_stop(it), 0);
	ck_assert_int_eq(portwatch_get_fd(it), ready.fd);
	ck_assert_int_eq(portwatch_dispatch(it), 0);
	ck_assert_int_eq(events, 2);
}
END_TEST

static void dispatch_again(struct portwatch *watcher)
{
	ck_assert_int_eq(portwatch_dispatch(watcher), -EDEADLK);
}

START_TEST(a_callback_may_not_dispatch)
{
	dispatches();
	ports = 2;
	in_callback = dispatch_again;
	ck_assert_int_eq(portwatch_start(it), 0);
	ck_assert_int_eq(portwatch_dispatch(it), 2);
}
END_TEST

static void wait_in_callback(struct portwatch *watcher)
{
	(void)watcher;
	sem_post(&entered);
	await(&go_on);
}

static void *dispatch(void *data)
{
	*(int *)data = portwatch_dispatch(it);
	return NULL;
}

static void serve_nothing(struct subscription *subscription, void *data)
{
	(void)subscription, (void)data;
}

static bool is_stopped(void *data)
{
	int cancel = library_enter();
	bool stopped = it->state == WATCHER_STOPPED;

	(void)data;
	library_leave(cancel);
	return stopped;
}

static void *stop(void *data)
{
	*(int *)data = portwatch_stop(it);
	/* No callback runs any more. */
	ck_assert_int_eq(sem_trywait(&entered), 0);
	return NULL;
}

/* A stop waits for the callback of another thread, and no callback follows. */
START_TEST(a_stop_waits_for_the_callback)
{
	int dispatched = -1, stopped = -1;
	pthread_t threads[2];

	dispatches();
	ports = 2;
	in_callback = wait_in_callback;
	ck_assert_int_eq(portwatch_start(it), 0);
	ck_assert_int_eq(pthread_create(&threads[0], NULL, dispatch, &dispatched), 0);
	await(&entered);
	ck_assert_int_eq(portwatch_dispatch(it), -EBUSY);
	ck_assert_int_eq(pthread_create(&threads[1], NULL, stop, &stopped), 0);
	ck_assert(wait_until(is_stopped, NULL));
	/* The subscription is still there. */
	ck_assert_int_eq(ask(it, serve_nothing, NULL), 0);
	ck_assert_int_eq(freed, 0);
	sem_post(&entered);
	sem_post(&go_on);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(stopped, 0);
	ck_assert_int_eq(dispatched, 1);
	ck_assert_int_eq(events, 1);
	ck_assert_int_eq(freed, 1);
}
END_TEST

/* --- the child of a fork */

START_TEST(a_copy_is_inert)
{
	struct portwatch *other;
	int status, fd;
	pid_t pid;

	dispatches();
	ports = 1;
	ck_assert_int_eq(portwatch_start(it), 0);
	fd = portwatch_get_fd(it);
	pid = fork();
	if (pid == 0) {
		ck_assert(watcher_is_inert(it));
		ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
		ck_assert_int_eq(portwatch_start(it), -EALREADY);
		ck_assert_int_eq(portwatch_dispatch(it), 0);
		ck_assert_int_eq(portwatch_get_fd(it), -ENOTCONN);
		ck_assert_int_eq(portwatch_stop(it), 0);
		portwatch_free(it);
		/* A new watcher works in the child as well. */
		made = freed = 0;
		ck_assert_int_eq(portwatch_new(&other, getpid(), callback, &events), 0);
		ck_assert_int_eq(portwatch_start(other), 0);
		ck_assert_int_eq(events, 1);
		portwatch_free(other);
		ck_assert_int_eq(freed, 1);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert(!watcher_is_inert(it));
	ck_assert_int_eq(portwatch_dispatch(it), 1);
	ck_assert_int_eq(freed, 0);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("watcher");
	TCase *new = tcase_create("new"), *life = tcase_create("life");
	TCase *delivery = tcase_create("delivery");

	tcase_add_checked_fixture(new, setup, teardown);
	tcase_add_test(new, a_process_is_identified);
	tcase_add_test(new, the_environment_asks_for_messages);
	suite_add_tcase(suite, new);
	tcase_add_checked_fixture(life, setup, teardown);
	tcase_add_test(life, a_start_passes_the_options_on);
	tcase_add_loop_test(life, a_start_that_fails_leaves_nothing_behind, 0, 2);
	tcase_add_test(life, a_watcher_may_be_stopped_before_its_start);
	tcase_add_loop_test(life, a_start_is_interrupted, 0, 2);
	tcase_add_test(life, watchers_share_the_monitor);
	tcase_add_test(life, a_question_is_answered_by_the_monitor);
	tcase_add_test(life, a_copy_is_inert);
	suite_add_tcase(suite, life);
	tcase_add_checked_fixture(delivery, setup, teardown);
	tcase_add_test(delivery, open_ports_are_delivered_by_the_start);
	tcase_add_loop_test(delivery, a_callback_may_end_its_watcher, 0, 2);
	tcase_add_test(delivery, a_host_may_dispatch);
	tcase_add_test(delivery, a_callback_may_not_dispatch);
	tcase_add_test(delivery, a_stop_waits_for_the_callback);
	suite_add_tcase(suite, delivery);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
