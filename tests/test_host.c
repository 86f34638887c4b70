/* SPDX-License-Identifier: MIT */
/* test_host.c - host programs that are difficult for a library */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/process_list.h"
#include "support/skip.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define END PORTWATCH_EVENT_END

/* Starts and ends helpers, sees a port open and close, and checks all visible effects of the
 * library. */
static void watch_once(const struct fixture *server, const char *who)
{
	struct fixture_socket socket;
	struct collect collect;

	collect_new(&collect, server->pid);
	collect_start(&collect);
	socket = fixture_listen(server, "127.0.0.1", 0);
	collect_wait(&collect, OPEN, NULL, socket.port);
	fixture_close(server, socket);
	collect_wait(&collect, PORTWATCH_EVENT_CLOSE, NULL, socket.port);
	ck_assert_msg(collect_count(&collect, END, NULL, 0) == 0, "%s", who);
	collect_free(&collect);
}

struct reaper {
	atomic_bool quit;
	atomic_int taken;
	pid_t expected;
};

static void *reap_everything(void *data)
{
	struct reaper *reaper = data;

	while (!atomic_load(&reaper->quit)) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid > 0 && pid != reaper->expected)
			atomic_fetch_add(&reaper->taken, 1);
		sched_yield();
	}
	return NULL;
}

START_TEST(a_host_that_waits_for_any_child_gets_none_of_ours)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct reaper reaper = {.expected = server.pid};
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, reap_everything, &reaper), 0);
	for (int i = 0; i < 20; i++)
		watch_once(&server, "reaper");
	atomic_store(&reaper.quit, true);
	pthread_join(thread, NULL);
	ck_assert_int_eq(atomic_load(&reaper.taken), 0);
	ck_assert_uint_eq(process_children(), 1);
	fixture_end(&server);
}
END_TEST

static atomic_int signals;

static void count_signal(int number)
{
	(void)number;
	atomic_fetch_add(&signals, 1);
}

START_TEST(a_host_hears_no_sigchld)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct sigaction action = {.sa_handler = count_signal}, after;

	ck_assert_int_eq(sigaction(SIGCHLD, &action, NULL), 0);
	for (int i = 0; i < 5; i++)
		watch_once(&server, "SIGCHLD handler");
	ck_assert_int_eq(atomic_load(&signals), 0);
	ck_assert_int_eq(sigaction(SIGCHLD, NULL, &after), 0);
	ck_assert_ptr_eq((void *)(uintptr_t)after.sa_handler, (void *)(uintptr_t)count_signal);
	fixture_end(&server);
}
END_TEST

START_TEST(a_host_may_ignore_sigchld)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);

	signal(SIGCHLD, SIG_IGN);
	watch_once(&server, "SIGCHLD ignored");
	ck_assert_uint_eq(process_children(), 1);
	signal(SIGCHLD, SIG_DFL);
	fixture_end(&server);
}
END_TEST

START_TEST(a_host_may_block_all_signals)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	sigset_t all, after;

	sigfillset(&all);
	ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
	watch_once(&server, "all blocked");
	ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
	ck_assert_int_eq(sigismember(&after, SIGTERM), 1);
	ck_assert_uint_eq(process_children(), 1);
	fixture_end(&server);
}
END_TEST

/* Sends signals. Threads of the host handle them all, because the library's threads block them. */
static void *storm(void *quit)
{
	while (!atomic_load((atomic_bool *)quit)) {
		kill(getpid(), SIGUSR1);
		sched_yield();
	}
	return NULL;
}

START_TEST(signals_interrupt_nothing)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	/* Without SA_RESTART. */
	struct sigaction action = {.sa_handler = count_signal};
	atomic_bool quit = false;
	pthread_t thread;

	ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, storm, &quit), 0);
	for (int i = 0; i < 5; i++)
		watch_once(&server, "signals");
	atomic_store(&quit, true);
	pthread_join(thread, NULL);
	ck_assert_int_gt(atomic_load(&signals), 0);
	fixture_end(&server);
}
END_TEST

static void *hammer(void *quit)
{
	unsigned int size = 1;

	while (!atomic_load((atomic_bool *)quit)) {
		char *memory = malloc(size = size * 7919 % 65521 + 1);

		if (memory)
			memory[size - 1] = 1;
		free(memory);
	}
	return NULL;
}

/* A helper that took a lock of the allocator would hang forever in half of the attempts. */
START_TEST(helpers_start_while_others_allocate)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	atomic_bool quit = false;
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &quit), 0);
	for (int i = 0; i < 30; i++)
		watch_once(&server, "hammer");
	atomic_store(&quit, true);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	fixture_end(&server);
}
END_TEST

START_TEST(standard_descriptors_may_be_closed)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	int saved = dup(STDERR_FILENO);

	ck_assert_int_gt(saved, 2);
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	watch_once(&server, "closed");
	/* The three numbers are free again, whatever has been opened meanwhile. */
	ck_assert_int_eq(dup(saved), 0);
	ck_assert_int_eq(dup(saved), 1);
	ck_assert_int_eq(dup(saved), 2);
	fixture_end(&server);
}
END_TEST

/* Checks the process-wide state. Another check covers the signal mask of a thread. */
START_TEST(a_watch_leaves_the_host_as_it_was)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	ino_t netns = sandbox_netns(0);
	mode_t mask = umask(0123);
	size_t descriptors;

	watch_once(&server, "the first, which may load what stays");
	descriptors = process_descriptors();
	for (int i = 0; i < 10; i++)
		watch_once(&server, "again");
	ck_assert_uint_eq(process_descriptors(), descriptors);
	ck_assert_uint_eq(process_children(), 1);
	ck_assert_uint_eq(sandbox_netns(0), netns);
	ck_assert_int_eq(umask(mask), 0123);
	fixture_end(&server);
}
END_TEST

/* --- a host that forks ------------------------------------------------------------------------ */

static int child_of_host(struct collect *inherited, const struct fixture *server)
{
	size_t before = inherited->count;
	struct portwatch *own;
	struct collect *collect = calloc(1, sizeof(*collect));

	if (portwatch_dispatch(inherited->watcher) > 0)
		return 2;
	portwatch_get_fd(inherited->watcher);
	portwatch_each_namespace(inherited->watcher, NULL, NULL);
	if (portwatch_stop(inherited->watcher) != 0)
		return 3;
	portwatch_free(inherited->watcher);
	if (inherited->count != before)
		return 4;
	collect_init(collect);
	if (portwatch_new(&own, server->pid, collect_event, collect) != 0 ||
	    portwatch_start(own) != 0)
		return 5;
	if (collect->count != 1)
		return 6;
	portwatch_free(own);
	return 0;
}

START_TEST(watchers_are_inert_in_a_forked_child)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct fixture_socket socket;
	struct collect collect;
	int status;
	pid_t pid;

	fixture_listen(&server, "127.0.0.1", 0);
	collect_watch(&collect, server.pid);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(child_of_host(&collect, &server));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x",
	              (unsigned int)status);
	/* The parent's watcher continues to work. */
	socket = fixture_listen(&server, "127.0.0.1", 0);
	collect_wait(&collect, OPEN, NULL, socket.port);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* --- another user's process ------------------------------------------------------------------- */

static void watch_another_user(void *data)
{
	const struct fixture *server = data;
	struct collect collect;

	collect_new(&collect, server->pid);
	ck_assert_int_eq(portwatch_start(collect.watcher), -EACCES);
	ck_assert_uint_eq(collect_count_messages(&collect, "descriptors cannot be read"), 1);
	collect_free(&collect);
	/* The namespace can be watched, and its ports have no known owner. */
	collect_new(&collect, server->pid);
	ck_assert_int_eq(portwatch_set_scope(collect.watcher, PORTWATCH_SCOPE_NETNS), 0);
	collect_start(&collect);
	ck_assert_int_eq(collect_wait(&collect, OPEN, NULL, 8000).pid, 0);
	collect_free(&collect);
}

/* The library knows our own namespace, whichever user the process in it has. */
static void watch_another_user_here(void *data)
{
	const struct fixture *server = data;
	struct collect collect;

	collect_new(&collect, server->pid);
	ck_assert_int_eq(portwatch_set_scope(collect.watcher, PORTWATCH_SCOPE_NETNS), 0);
	ck_assert_int_eq(portwatch_set_addresses(collect.watcher, PORTWATCH_ADDRESSES_ALL), 0);
	collect_start(&collect);
	ck_assert_uint_eq(collect_wait(&collect, OPEN, "127.77.1.1", 0).netns, sandbox_netns(0));
	collect_free(&collect);
}

START_TEST(our_own_namespace_is_always_known)
{
	struct fixture server = fixture_start(0);

	fixture_listen(&server, "127.77.1.1", 0);
	sandbox_run_as_nobody(watch_another_user_here, &server);
	fixture_end(&server);
}
END_TEST

START_TEST(without_privilege_the_owner_is_unknown)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);

	fixture_listen(&server, "127.0.0.1", 8000);
	sandbox_run_as_nobody(watch_another_user, &server);
	fixture_end(&server);
}
END_TEST

/* A member hides its descriptors, as setuid programs do, from a watcher with the same user. */
static void watch_a_hidden_member(void *unused)
{
	struct fixture root = fixture_start(0), child = fixture_fork(&root);
	struct fixture_socket hidden;
	struct collect collect;

	(void)unused;
	fixture_hide(&child);
	collect_watch(&collect, root.pid);
	hidden = fixture_listen(&child, "127.0.0.1", 0);
	/* The library logs the failure at once, and again when it has lasted. */
	collect_wait_message(&collect, "ports that only it holds are not attributed");
	collect_sync(&collect, &root, 4);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, hidden.port), 0);
	ck_assert_uint_eq(collect_count_messages(&collect, "cannot read the descriptors"), 2);
	collect_free(&collect);
	fixture_end(&child);
	fixture_end(&root);
}

START_TEST(a_hidden_member_is_logged_once)
{
	if (geteuid() == 0)
		sandbox_run_as_nobody(watch_a_hidden_member, NULL);
	else
		watch_a_hidden_member(NULL);
}
END_TEST

/* The process is dead but not reaped: its descriptors already belong to root. */
static void watch_a_zombie(void *unused)
{
	struct collect collect;
	siginfo_t status;
	pid_t pid = fork();

	(void)unused;
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	collect_new(&collect, pid);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &status, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(portwatch_start(collect.watcher), -ESRCH);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	collect_free(&collect);
}

START_TEST(a_zombie_has_exited)
{
	if (geteuid() == 0)
		sandbox_run_as_nobody(watch_a_zombie, NULL);
	else
		watch_a_zombie(NULL);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("host");
	TCase *hosts = tcase_create("hosts"), *users = tcase_create("users");

	tcase_add_test(hosts, a_host_that_waits_for_any_child_gets_none_of_ours);
	tcase_add_test(hosts, a_host_hears_no_sigchld);
	tcase_add_test(hosts, a_host_may_ignore_sigchld);
	tcase_add_test(hosts, a_host_may_block_all_signals);
	tcase_add_test(hosts, signals_interrupt_nothing);
	tcase_add_test(hosts, helpers_start_while_others_allocate);
	tcase_add_test(hosts, standard_descriptors_may_be_closed);
	tcase_add_test(hosts, a_watch_leaves_the_host_as_it_was);
	tcase_add_test(hosts, watchers_are_inert_in_a_forked_child);
	suite_add_tcase(suite, hosts);
	tcase_add_test(users, without_privilege_the_owner_is_unknown);
	tcase_add_test(users, our_own_namespace_is_always_known);
	tcase_add_test(users, a_hidden_member_is_logged_once);
	tcase_add_test(users, a_zombie_has_exited);
	suite_add_tcase(suite, users);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
