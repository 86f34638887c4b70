/* SPDX-License-Identifier: MIT */
/* test_degrade.c - if the kernel refuses a mechanism, another one gives the same events, and the
 * refusal is logged once */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/process_list.h"
#include "support/remote.h"
#include "support/skip.h"
#include "support/wrap.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE

#define INTERVAL 2 /* ms: many reads in a short time */

/* --- the environment -----------------------------------------------------------------------------
 */

static const char *const tracefs[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing",
                                      "/sys/kernel/debug"};

static bool tracefs_is_there(void)
{
	return access("/sys/kernel/tracing/events", F_OK) == 0 ||
	       access("/sys/kernel/debug/tracing/events", F_OK) == 0;
}

/* Mounts tracefs in its usual place or hides it, for this process alone. */
static void arrange_tracefs(bool wanted)
{
	if (tracefs_is_there() == wanted)
		return;
	if (!sandbox_own_mounts())
		test_skip("cannot arrange mounts: %s", strerror(errno));
	if (wanted && mount("tracefs", tracefs[0], "tracefs", 0, "") < 0)
		test_skip("cannot mount tracefs: %s", strerror(errno));
	for (size_t i = 0; !wanted && i < sizeof(tracefs) / sizeof(tracefs[0]); i++)
		while (umount2(tracefs[i], MNT_DETACH) == 0)
			continue;
	if (tracefs_is_there() != wanted)
		test_skip("a user with more privileges has mounted tracefs");
}

/* Watches with the messages of `pwatch --verbose`. */
static void watch_verbosely(struct collect *collect, pid_t pid, bool notifier)
{
	collect_new(collect, pid);
	ck_assert_int_eq(portwatch_set_notifier(collect->watcher, notifier), 0);
	ck_assert_int_eq(portwatch_set_interval(collect->watcher, INTERVAL), 0);
	ck_assert_int_eq(portwatch_set_log(collect->watcher, PORTWATCH_LOG_INFO, collect_message),
	                 0);
	collect_start(collect);
}

static void assert_logged(struct collect *collect, const char *part, size_t times)
{
	size_t logged = collect_count_messages(collect, part);

	ck_assert_msg(logged == times, "'%s' was logged %zu times, not %zu", part, logged, times);
}

/* --- the same events -----------------------------------------------------------------------------
 */

/* Orders events. A socket has at most one event of each kind. */
static int compare(const void *left, const void *right)
{
	const struct collected *a = left, *b = right;

	if (a->inode != b->inode)
		return a->inode < b->inode ? -1 : 1;
	return (a->kind > b->kind) - (a->kind < b->kind);
}

/* Compares everything but the times and v6only, which the text of /proc/net doesn't have. */
static void assert_same(const struct collected *a, const struct collected *b)
{
	ck_assert_uint_eq(a->inode, b->inode);
	ck_assert_int_eq(a->kind, b->kind);
	ck_assert_int_eq(a->family, b->family);
	ck_assert_str_eq(a->address, b->address);
	ck_assert_uint_eq(a->port, b->port);
	ck_assert_int_eq(a->pid, b->pid);
	ck_assert_str_eq(a->process, b->process);
	/* If two processes hold the socket, the library may find the second one a moment after the
	 * event. */
	ck_assert_int_eq(a->owners > 0, b->owners > 0);
	ck_assert_uint_eq(a->netns, b->netns);
	ck_assert_uint_eq(a->cookie, b->cookie);
	ck_assert_int_eq(a->initial, b->initial);
	if (a->v6only >= 0 && b->v6only >= 0)
		ck_assert_int_eq(a->v6only, b->v6only);
}

static void assert_same_events(struct collect *collect, struct remote *undisturbed)
{
	ck_assert_uint_eq(collect->count, undisturbed->count);
	qsort(collect->events, collect->count, sizeof(*collect->events), compare);
	qsort(undisturbed->events, undisturbed->count, sizeof(*undisturbed->events), compare);
	for (size_t i = 0; i < collect->count; i++)
		assert_same(&collect->events[i], &undisturbed->events[i]);
}

static void await(struct collect *collect, struct remote *undisturbed,
                  enum portwatch_event_kind kind, uint16_t port)
{
	collect_wait(collect, kind, NULL, port);
	remote_wait(undisturbed, kind, NULL, port, 1);
}

static struct fixture_socket open_seen(const struct fixture *fixture, const char *address,
                                       struct collect *collect, struct remote *undisturbed)
{
	struct fixture_socket socket = fixture_listen(fixture, address, 0);

	await(collect, undisturbed, OPEN, socket.port);
	return socket;
}

static void close_seen(const struct fixture *fixture, struct fixture_socket socket,
                       struct collect *collect, struct remote *undisturbed)
{
	fixture_close(fixture, socket);
	await(collect, undisturbed, CLOSE, socket.port);
}

/* Opens and closes one port after another, so that both watchers see each of them. */
static void come_and_go(const struct fixture *server, struct collect *collect,
                        struct remote *undisturbed)
{
	static const char *const addresses[] = {"127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1", "::1",
	                                        "::"};
	size_t count = access("/proc/net/if_inet6", F_OK) == 0 ? 5 : 2;
	struct fixture child = fixture_fork(server), grandchild = fixture_fork(&child);
	struct fixture_socket socket = {0}, last;

	for (size_t i = 0; i < count; i++) {
		socket = open_seen(&child, addresses[i], collect, undisturbed);
		if (i % 2)
			close_seen(&child, socket, collect, undisturbed);
	}
	last = open_seen(&grandchild, "127.0.0.1", collect, undisturbed);
	fixture_end(&grandchild);
	await(collect, undisturbed, CLOSE, last.port);
	fixture_end(&child);
	await(collect, undisturbed, CLOSE, socket.port);
	for (int i = 0; i < 2; i++) {
		socket = open_seen(server, "127.0.0.1", collect, undisturbed);
		close_seen(server, socket, collect, undisturbed);
	}
}

/* --- refusals ------------------------------------------------------------------------------------
 */

static const int errors[] = {EPERM, ENOSYS, EACCES};
static const unsigned int places[] = {0, SANDBOX_NETNS};

/* A call, and the message if the call is refused. A blank at its end: the error follows. */
static const struct refusal {
	const char *call;
	const char *also;   /* another call; NULL: none */
	unsigned int times; /* 0: always */
	bool needs_notifier;
	const char *logged;
} refusals[] = {
	{"perf_event_open", NULL, 0, true,
         "no notifier for listen(2), polling instead: bpf: cannot open a perf event "
         "(perf_event_open): "},
	{"bpf", "fsopen", 0, true,
         "no notifier for listen(2), polling instead: bpf: cannot make a map of perf events "
         "(bpf): "},
	/* Other sockets aren't refused together with this one: one of them has the cookie of the
         * namespace. */
	{"socket", NULL, 1, false,
         "procfs table, because table diag: cannot open a sock_diag socket: "},
	/* The dump of both families is refused, and that of each family is not. */
	{"send", NULL, 1, false, "reader, diag table"},
	{"send", NULL, 0, false,
         "procfs table, because table diag: cannot dump the listening sockets (sock_diag): "},
};

#define AT_START 4 /* the first of the calls; the last call is refused later */

static void refuse(const struct refusal *refusal, int error, unsigned int place)
{
	enum wrap_where where = WRAP_ANYWHERE;

	if (!refusal->needs_notifier)
		where = place & SANDBOX_NETNS ? WRAP_CHILDREN : WRAP_HOST;
	wrap_fail(refusal->call, where, 1, refusal->times, error);
	if (refusal->also)
		wrap_fail(refusal->also, where, 1, refusal->times, error);
}

static void open_some(const struct fixture *server)
{
	fixture_listen(server, "127.0.0.1", 0);
	fixture_listen(server, "0.0.0.0", 0);
	if (access("/proc/net/if_inet6", F_OK) == 0)
		fixture_listen_with(server, "::", 0, LISTEN_V6ONLY);
}

START_TEST(the_next_mechanism_reports_the_same)
{
	const struct refusal *refusal = &refusals[_i % AT_START];
	int error = errors[_i / AT_START % 3];
	unsigned int place = places[_i / AT_START / 3];
	struct remote undisturbed;
	struct collect collect;
	struct fixture server;
	char logged[256];

	if (refusal->also && geteuid() == 0)
		arrange_tracefs(false);
	server = fixture_start(place);
	open_some(&server);
	remote_start(&undisturbed, server.pid, INTERVAL);
	if (refusal->needs_notifier && !undisturbed.notifier)
		test_skip("no notifier here that could be refused");
	wrap_reset();
	refuse(refusal, error, place);
	/* The first socket is then the table's, and not that of process events. */
	watch_verbosely(&collect, server.pid, refusal->needs_notifier);
	ck_assert_uint_eq(collect_total(&collect), undisturbed.count);
	come_and_go(&server, &collect, &undisturbed);
	ck_assert_uint_ge(wrap_struck(), 1);
	snprintf(logged, sizeof(logged), "%s%s", refusal->logged,
	         refusal->logged[strlen(refusal->logged) - 1] == ' ' ? strerror(error) : "");
	assert_logged(&collect, logged, 1);
	assert_logged(&collect, refusal->logged, 1);
	portwatch_stop(collect.watcher);
	assert_same_events(&collect, &undisturbed);
	collect_free(&collect);
	remote_end(&undisturbed);
	fixture_end(&server);
}
END_TEST

/* Without BPF the library uses the tracepoint, through the file system that is already mounted. */
START_TEST(a_mounted_tracefs_needs_no_mount_of_our_own)
{
	struct collect collect;
	struct fixture server;

	if (geteuid() != 0)
		test_skip("takes root, to read tracefs");
	arrange_tracefs(true);
	server = fixture_start(SANDBOX_NETNS);
	wrap_reset();
	wrap_fail("fsopen", WRAP_ANYWHERE, 1, 0, errors[_i]);
	wrap_fail("bpf", WRAP_ANYWHERE, 1, 0, errors[_i]);
	watch_verbosely(&collect, server.pid, true);
	if (portwatch_get_notifier(collect.watcher, PORTWATCH_NOTICE_LISTEN, NULL, 0) <= 0)
		test_skip("no notifier here");
	collect_sync(&collect, &server, 5);
	assert_logged(&collect, "no notifier", 0);
	assert_logged(&collect, "notifier: the kernel reports listen(2) at once", 1);
	ck_assert_uint_gt(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_NOTIFIER_RECORDS), 0);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* Imitates Linux before 5.5: the second call loads a program, the third one a program with the
 * older helper. */
START_TEST(a_helper_that_the_kernel_does_not_know)
{
	struct collect collect;
	struct fixture server = fixture_start(0);

	wrap_reset();
	wrap_fail("bpf", WRAP_ANYWHERE, 2, 1, EINVAL);
	watch_verbosely(&collect, server.pid, true);
	if (portwatch_get_notifier(collect.watcher, PORTWATCH_NOTICE_LISTEN, NULL, 0) !=
	    PORTWATCH_NOTIFIER_BPF)
		test_skip("no BPF here");
	ck_assert_uint_eq(wrap_struck(), 1);
	collect_sync(&collect, &server, 3);
	ck_assert_uint_gt(portwatch_get_stat(collect.watcher, PORTWATCH_STAT_READS), 0);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

static bool write_lockdown(const char *mode)
{
	FILE *file;

	if (mount("tmpfs", "/sys/kernel/security", "tmpfs", 0, "") < 0)
		return false;
	file = fopen("/sys/kernel/security/lockdown", "w");
	if (!file)
		return false;
	fprintf(file, "%s\n", mode);
	return fclose(file) == 0;
}

/* A kernel that forbids access to its memory returns EINVAL, and the library reports the true
 * reason. */
START_TEST(a_kernel_that_is_locked_down)
{
	static const struct {
		const char *mode, *reason;
	} modes[] = {
		{"none integrity [confidentiality]", "which is locked down (bpf): Operation not"},
		{"none [integrity] confidentiality", "load a program (bpf): Invalid argument"},
	};
	struct collect collect;
	struct fixture server;
	char reason[1024];

	if (geteuid() != 0 || !sandbox_own_mounts() || !write_lockdown(modes[_i].mode))
		test_skip("takes root, to arrange mounts");
	server = fixture_start(0);
	wrap_reset();
	wrap_fail("bpf", WRAP_ANYWHERE, 2, 0, EINVAL);
	watch_verbosely(&collect, server.pid, true);
	portwatch_get_notifier(collect.watcher, PORTWATCH_NOTICE_LISTEN, reason, sizeof(reason));
	if (strstr(reason, "make a map"))
		test_skip("no BPF here");
	ck_assert_msg(strstr(reason, modes[_i].reason), "%s", reason);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* The start of another watcher tries again. Watchers that have already logged the refusal do not
 * log it again. */
START_TEST(each_watcher_is_logged_once)
{
	struct fixture servers[3];
	struct collect collects[3];

	for (size_t i = 0; i < 3; i++)
		servers[i] = fixture_start(SANDBOX_NETNS);
	wrap_reset();
	wrap_fail("perf_event_open", WRAP_ANYWHERE, 1, 0, EPERM);
	for (size_t i = 0; i < 3; i++)
		watch_verbosely(&collects[i], servers[i].pid, true);
	for (size_t i = 0; i < 3; i++) {
		collect_sync(&collects[i], &servers[i], 3);
		assert_logged(&collects[i], "no notifier for listen(2)", 1);
		assert_logged(&collects[i], "read by", 1);
	}
	for (size_t i = 0; i < 3; i++) {
		collect_free(&collects[i]);
		fixture_end(&servers[i]);
	}
}
END_TEST

/* A failing attempt leaves the working mechanisms unchanged. */
START_TEST(working_mechanisms_continue_to_report)
{
	struct fixture servers[2];
	struct collect collects[2];
	int way;

	for (size_t i = 0; i < 2; i++)
		servers[i] = fixture_start(0);
	wrap_reset();
	wrap_fail("perf_event_open", WRAP_ANYWHERE, 1, 0, EPERM);
	watch_verbosely(&collects[0], servers[0].pid, true);
	way = portwatch_get_notifier(collects[0].watcher, PORTWATCH_NOTICE_PROCESS, NULL, 0);
	if (way == PORTWATCH_NOTIFIER_NONE)
		test_skip("no process connector here");
	wrap_fail("epoll_create1", WRAP_ANYWHERE, 1, 0, EMFILE);
	watch_verbosely(&collects[1], servers[1].pid, true);
	for (size_t i = 0; i < 2; i++) {
		collect_sync(&collects[i], &servers[i], 3);
		ck_assert_int_eq(portwatch_get_notifier(collects[i].watcher,
		                                        PORTWATCH_NOTICE_PROCESS, NULL, 0),
		                 way);
	}
	for (size_t i = 0; i < 2; i++) {
		collect_free(&collects[i]);
		fixture_end(&servers[i]);
	}
}
END_TEST

/* The kernel may later refuse what has worked: to the running reader, and to the next helper. */
static void kill_helper(const pid_t *known)
{
	pid_t helper = process_other_child(known);

	ck_assert_int_gt(helper, 0);
	kill(helper, SIGKILL);
}

START_TEST(a_table_that_is_refused_later)
{
	struct fixture server = fixture_start(places[_i]);
	struct fixture_socket kept = fixture_listen(&server, "127.0.0.1", 0);
	const struct refusal *refusal = &refusals[AT_START];
	const pid_t known[] = {server.pid, 0};
	struct collect collect;

	wrap_reset();
	watch_verbosely(&collect, server.pid, true);
	collect_sync(&collect, &server, 3);
	assert_logged(&collect, refusal->logged, 0);
	refuse(refusal, EACCES, places[_i]);
	collect_sync(&collect, &server, 5);
	assert_logged(&collect, refusal->logged, 1);
	if (places[_i]) {
		kill_helper(known);
		collect_wait_message(&collect, "is started again");
		collect_sync(&collect, &server, 5);
		assert_logged(&collect, refusal->logged, 1);
		wrap_clear(refusal->call);
		kill_helper(known);
		collect_sync(&collect, &server, 5);
		assert_logged(&collect, "setns reader, diag table", 2);
		assert_logged(&collect, "because", 1);
	}
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, kept.port), 1);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, kept.port), 0);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* Imitates LXCFS, whose file always has the same last PID, as if no process ever forked. */
static void cover_loadavg(void)
{
	char path[] = "./loadavg-XXXXXX";
	int file, error;

	/* An ordinary user may mount in a user namespace. */
	if (geteuid() != 0)
		sandbox_enter();
	if (!sandbox_own_mounts())
		test_skip("cannot arrange mounts: %s", strerror(errno));
	file = mkstemp(path);
	ck_assert_int_ge(file, 0);
	ck_assert_int_gt(dprintf(file, "0.00 0.00 0.00 1/99 %d\n", (int)getpid()), 0);
	close(file);
	error = mount(path, "/proc/loadavg", NULL, MS_BIND, NULL) < 0 ? errno : 0;
	unlink(path);
	if (error)
		test_skip("cannot mount on /proc/loadavg: %s", strerror(error));
}

START_TEST(a_loadavg_of_somebody_else_hides_no_child)
{
	struct fixture root, child;
	struct fixture_socket socket;
	struct collect collect;

	wrap_reset();
	cover_loadavg();
	root = fixture_start(0);
	collect_new(&collect, root.pid);
	ck_assert_int_eq(portwatch_set_notifier(collect.watcher, _i), 0);
	collect_start(&collect);
	for (int i = 0; i < 3; i++) {
		child = fixture_fork(&root);
		socket = fixture_listen(&child, "127.0.0.1", 0);
		ck_assert_int_eq(collect_wait(&collect, OPEN, NULL, socket.port).pid, child.pid);
		fixture_end(&child);
		collect_wait(&collect, CLOSE, NULL, socket.port);
	}
	collect_free(&collect);
	fixture_end(&root);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("degrade");
	TCase *refused = tcase_create("refused"), *logged = tcase_create("logged");

	tcase_add_loop_test(refused, the_next_mechanism_reports_the_same, 0, AT_START * 3 * 2);
	tcase_add_loop_test(refused, a_mounted_tracefs_needs_no_mount_of_our_own, 0, 3);
	tcase_add_loop_test(refused, a_loadavg_of_somebody_else_hides_no_child, 0, 2);
	tcase_add_test(refused, a_helper_that_the_kernel_does_not_know);
	tcase_add_loop_test(refused, a_kernel_that_is_locked_down, 0, 2);
	suite_add_tcase(suite, refused);
	tcase_add_test(logged, each_watcher_is_logged_once);
	tcase_add_test(logged, working_mechanisms_continue_to_report);
	tcase_add_loop_test(logged, a_table_that_is_refused_later, 0, 2);
	suite_add_tcase(suite, logged);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
