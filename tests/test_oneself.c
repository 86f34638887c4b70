/* SPDX-License-Identifier: MIT */
/* test_oneself.c - a process that watches itself: the library's own activity causes no events */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notify/notifier.h"
#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/process_list.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE

#define INTERVAL 1 /* ms */
#define READS 10   /* consecutive reads, which alone must not wake the watcher */

static uint64_t stat(struct collect *collect, enum portwatch_stat which)
{
	return portwatch_get_stat(collect->watcher, which);
}

static void watch_oneself(struct collect *collect, bool notifier)
{
	collect_new(collect, getpid());
	ck_assert_int_eq(portwatch_set_interval(collect->watcher, INTERVAL), 0);
	ck_assert_int_eq(portwatch_set_notifier(collect->watcher, notifier), 0);
	collect_start(collect);
}

static void wait_stat(struct collect *collect, enum portwatch_stat which, uint64_t figure)
{
	int left = COLLECT_PATIENCE * 1000;

	while (stat(collect, which) < figure && left-- > 0)
		poll(NULL, 0, 1);
	ck_assert_int_gt(left, 0);
}

/* --- other processes */

/* Counts the activity of all processes on this machine, because it wakes the watcher without any
 * event. */
static struct notifier *heard;
static uint64_t changes;

static void on_changed(void *data, const struct tcp_change *change)
{
	(void)data, (void)change;
	changes++;
}

static bool on_forked(void *data, pid_t parent, pid_t child)
{
	(void)data, (void)parent, (void)child;
	return false;
}

static bool on_process(void *data, pid_t pid)
{
	(void)data, (void)pid;
	return false;
}

static void on_followed(void *data, pid_t pid)
{
	(void)data, (void)pid;
}

static void on_lost(void *data, uint64_t records)
{
	(void)data, (void)records;
	changes += 1000;
}

static void hear_others(void)
{
	static const struct notifier_hooks hooks = {on_changed, on_forked,   on_process,
	                                            on_process, on_followed, on_lost};
	struct failure failure;

	ck_assert_int_eq(notifier_open(&heard, &hooks, NULL, NOTIFIER_ALL_WAYS, &failure), 0);
}

static uint64_t changes_of_others(void)
{
	while (notifier_drain(heard, 1024))
		continue;
	return changes;
}

/* The number of the kernel's records, of the watcher's wake-ups, and of the necessary wake-ups. */
struct activity {
	uint64_t reads, wakeups, records, tree_reads;
};

static struct activity activity(struct collect *collect)
{
	return (struct activity){
		.reads = stat(collect, PORTWATCH_STAT_READS),
		.wakeups = stat(collect, PORTWATCH_STAT_WAKEUPS),
		.records = stat(collect, PORTWATCH_STAT_NOTIFIER_RECORDS) + changes_of_others(),
		.tree_reads = stat(collect, PORTWATCH_STAT_TREE_READS),
	};
}

/* Other processes also listen and fork, which wakes the watcher. Still, in some period the watcher
 * wakes less often than it reads, unless the notifier reports the reads themselves. Without a
 * notifier, each fork on the machine is a reason to scan the tree. */
static bool is_quiet(const struct activity *before, const struct activity *after, bool notifier,
                     unsigned int wakeups_per_read)
{
	uint64_t reads = after->reads - before->reads, records = after->records - before->records;

	/* One more read may have begun, and the statistics were not all taken at the same moment.
	 */
	return records < reads && (!notifier || after->tree_reads - before->tree_reads < reads) &&
	       after->wakeups - before->wakeups <= (reads + 2) * wakeups_per_read + records;
}

static void expect_quiet(struct collect *collect, unsigned int wakeups_per_read)
{
	bool notifier =
		portwatch_get_notifier(collect->watcher, PORTWATCH_NOTICE_LISTEN, NULL, 0) > 0;
	int left = COLLECT_PATIENCE * 1000 / (INTERVAL * READS);
	struct activity before, after;

	hear_others();
	after = activity(collect);
	do {
		before = after;
		wait_stat(collect, PORTWATCH_STAT_READS, before.reads + READS);
		after = activity(collect);
	} while (!is_quiet(&before, &after, notifier, wakeups_per_read) && left-- > 0);
	ck_assert_msg(left >= 0, "never quiet: %llu wake-ups, %llu records in %llu reads",
	              (unsigned long long)(after.wakeups - before.wakeups),
	              (unsigned long long)(after.records - before.records),
	              (unsigned long long)(after.reads - before.reads));
	notifier_close(heard);
}

START_TEST(reads_are_not_heard)
{
	struct collect collect;

	watch_oneself(&collect, _i);
	expect_quiet(&collect, 1);
	ck_assert_uint_eq(collect_total(&collect), 0);
	collect_free(&collect);
}
END_TEST

/* The watcher also wakes for the helper's answers. */
START_TEST(a_helper_is_not_heard)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct collect collect;

	fixture_listen(&server, "127.0.0.1", 8000);
	watch_oneself(&collect, _i);
	ck_assert_uint_eq(stat(&collect, PORTWATCH_STAT_HELPERS), 1);
	/* Two namespaces: three wake-ups in two reads. */
	expect_quiet(&collect, 2);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

/* Helpers are children of the watched process, as are the test's processes, which are members. */
START_TEST(helpers_are_no_members)
{
	struct fixture server = fixture_start(SANDBOX_NETNS), more[3];
	const pid_t known[] = {server.pid, 0};
	struct collect collect;
	char joined[64];
	pid_t helper;

	fixture_listen(&server, "127.0.0.1", 8000);
	watch_oneself(&collect, _i);
	for (uint64_t i = 1; i <= 5; i++) {
		helper = process_other_child(known);
		ck_assert_int_gt(helper, 0);
		snprintf(joined, sizeof(joined), "joined: PID %d ", (int)helper);
		collect_sync(&collect, &server, 1);
		ck_assert_uint_eq(collect_count_messages(&collect, joined), 0);
		kill(helper, SIGKILL);
		wait_stat(&collect, PORTWATCH_STAT_HELPERS, i + 1);
	}
	for (size_t i = 0; i < 3; i++) {
		more[i] = fixture_start(SANDBOX_NETNS);
		fixture_listen(&more[i], "127.0.0.1", 8000);
		collect_wait_count(&collect, OPEN, NULL, 8000, i + 2);
	}
	collect_sync(&collect, &server, 3);
	/* Only the three processes have joined. */
	if (collect_count_messages(&collect, "joined: PID ") != 3)
		collect_show(&collect);
	ck_assert_uint_eq(collect_count_messages(&collect, "joined: PID "), 3);
	ck_assert_uint_eq(collect_count_messages(&collect, "left: PID "), 0);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, 8000), 0);
	for (size_t i = 0; i < 3; i++)
		fixture_end(&more[i]);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

static int listen_here(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

/* Helpers that are started while the port is open have a copy of it for a moment. */
START_TEST(its_own_ports_are_its_own)
{
	struct collect collect;
	struct collected event;
	struct fixture server;
	uint16_t port;
	int fd;

	watch_oneself(&collect, _i);
	fd = listen_here(&port);
	event = collect_wait(&collect, OPEN, "127.0.0.1", port);
	ck_assert_int_eq(event.pid, getpid());
	ck_assert_uint_eq(event.owners, 1);
	server = fixture_start(SANDBOX_NETNS);
	fixture_listen(&server, "127.0.0.1", 8000);
	collect_wait(&collect, OPEN, NULL, 8000);
	ck_assert_uint_eq(collect_count(&collect, OPEN, NULL, port), 1);
	ck_assert_uint_eq(collect_count(&collect, CLOSE, NULL, port), 0);
	close(fd);
	event = collect_wait(&collect, CLOSE, "127.0.0.1", port);
	ck_assert_int_eq(event.pid, getpid());
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("oneself");
	TCase *quiet = tcase_create("quiet"), *tree = tcase_create("tree");

	tcase_add_loop_test(quiet, reads_are_not_heard, 0, 2);
	tcase_add_loop_test(quiet, a_helper_is_not_heard, 0, 2);
	suite_add_tcase(suite, quiet);
	tcase_add_loop_test(tree, helpers_are_no_members, 0, 2);
	tcase_add_loop_test(tree, its_own_ports_are_its_own, 0, 2);
	suite_add_tcase(suite, tree);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
