/* SPDX-License-Identifier: MIT */
/* test_reader.c - the four ways to read a table: the same results, and the refusals of each */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/caps.h"
#include "support/check_main.h"
#include "support/fake_proc.h"
#include "support/fixture.h"
#include "support/reading.h"
#include "support/skip.h"

struct way {
	enum portwatch_reader reader;
	enum portwatch_table table;
	const char *name;
};

static const struct way ways[] = {
	{PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO, "setns"},
	{PORTWATCH_READER_SETNS, PORTWATCH_TABLE_DIAG, "setns, diag"},
	{PORTWATCH_READER_SETNS, PORTWATCH_TABLE_PROCFS, "setns, procfs"},
	{PORTWATCH_READER_NSENTER, PORTWATCH_TABLE_AUTO, "nsenter"},
	{PORTWATCH_READER_PROCFS, PORTWATCH_TABLE_AUTO, "procfs"},
	{PORTWATCH_READER_LOCAL, PORTWATCH_TABLE_AUTO, "local"},
	{PORTWATCH_READER_LOCAL, PORTWATCH_TABLE_PROCFS, "local, procfs"},
};
#define WAYS ((int)(sizeof(ways) / sizeof(ways[0])))

/* nsenter can't enter the user namespace that an ordinary user's network namespace needs. */
static void skip_unless_possible(const struct way *way, const struct reading *reading)
{
	if (way->reader != PORTWATCH_READER_NSENTER)
		return;
	if (!reading->target.nsenter)
		test_skip("nsenter is not installed");
	if (!caps_effective(CAP_SYS_ADMIN))
		test_skip("nsenter takes CAP_SYS_ADMIN");
}

/* Starts a process to read. For the local reader, it is this process in a namespace of its own. */
static struct fixture start_fixture(const struct way *way)
{
	if (way->reader != PORTWATCH_READER_LOCAL)
		return fixture_start(SANDBOX_NETNS);
	sandbox_enter();
	return fixture_start(0);
}

static void start_reading(struct reading *reading, const struct way *way, pid_t pid)
{
	int error;

	reading_aim(reading, pid);
	skip_unless_possible(way, reading);
	error = reading_open(reading, way->reader, way->table);
	ck_assert_msg(error == 0, "%s: cannot %s: %s", way->name, reading->failure.step,
	              strerror(reading->failure.error));
}

/* Asserts that the table has exactly one correct row for the socket. */
static void assert_row(const struct snapshot *table, const char *text,
                       const struct fixture_socket *socket)
{
	struct listener wanted = {.inode = socket->inode, .port = socket->port};
	const struct snapshot_row *row;

	wanted.family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (strncmp(text, "::ffff:", 7) == 0) {
		wanted.family = AF_INET;
		text += 7;
	}
	ck_assert_int_eq(inet_pton(wanted.family, text, wanted.address), 1);
	row = snapshot_find(table, &wanted);
	ck_assert_msg(row != NULL, "%s port %u is missing", text, socket->port);
	ck_assert_uint_eq(row->listener.inode, socket->inode);
}

START_TEST(each_reader_sees_the_same_sockets)
{
	static const char *const addresses[] = {
		"127.0.0.1", "0.0.0.0", "127.0.0.2", "::1", "::", "::ffff:127.0.0.1",
	};
	enum { COUNT = sizeof(addresses) / sizeof(addresses[0]) };
	const struct way *way = &ways[_i];
	struct fixture_socket sockets[COUNT];
	struct fixture fixture = start_fixture(way);
	const struct snapshot *table;
	struct reading reading;

	start_reading(&reading, way, fixture.pid);
	ck_assert_uint_eq(reading_table(&reading)->count, 0);
	for (int i = 0; i < COUNT; i++)
		sockets[i] = fixture_listen(&fixture, addresses[i], 0);
	table = reading_table(&reading);
	ck_assert_uint_eq(table->count, COUNT);
	for (int i = 0; i < COUNT; i++)
		assert_row(table, addresses[i], &sockets[i]);
	for (int i = 0; i < COUNT; i++)
		fixture_close(&fixture, sockets[i]);
	ck_assert_uint_eq(reading_table(&reading)->count, 0);
	ck_assert_uint_eq(reader_rows(reading.reader), COUNT);
	ck_assert_uint_eq(reader_rejected(reading.reader), 0);
	reading_end(&reading);
	fixture_end(&fixture);
}
END_TEST

/* More sockets than fit into one read of the text, one datagram of the dump, or one read of the
 * pipe. */
START_TEST(many_sockets_are_all_seen)
{
	enum { MANY = 900 };
	const struct way *way = &ways[_i];
	struct fixture fixture = start_fixture(way);
	const struct snapshot *table;
	struct reading reading;

	for (int i = 0; i < MANY; i++)
		fixture_listen(&fixture, i % 2 ? "127.0.0.1" : "::1", 0);
	start_reading(&reading, way, fixture.pid);
	table = reading_table(&reading);
	ck_assert_uint_eq(table->count, MANY);
	ck_assert_uint_eq(reading_table(&reading)->count, MANY);
	reading_end(&reading);
	fixture_end(&fixture);
}
END_TEST

START_TEST(the_form_in_use_is_reported)
{
	const struct way *way = &ways[_i];
	struct fixture fixture = start_fixture(way);
	bool text = way->reader == PORTWATCH_READER_PROCFS ||
	            way->reader == PORTWATCH_READER_NSENTER || way->table == PORTWATCH_TABLE_PROCFS;
	struct reading reading;

	start_reading(&reading, way, fixture.pid);
	ck_assert_int_eq(reader_table(reading.reader), PORTWATCH_TABLE_AUTO);
	reading_table(&reading);
	ck_assert_int_eq(reader_table(reading.reader),
	                 text ? PORTWATCH_TABLE_PROCFS : PORTWATCH_TABLE_DIAG);
	ck_assert_ptr_null(reader_table_failure(reading.reader).step);
	reading_end(&reading);
	fixture_end(&fixture);
}
END_TEST

static void assert_refused(struct reading *reading, enum portwatch_reader kind,
                           enum portwatch_table table, int error)
{
	ck_assert_int_eq(reading_open(reading, kind, table), error);
	ck_assert_ptr_null(reading->reader);
	ck_assert_int_eq(reading->failure.error, -error);
	ck_assert_ptr_nonnull(reading->failure.step);
}

START_TEST(a_foreign_namespace_is_not_local)
{
	struct fixture fixture = fixture_start(SANDBOX_NETNS);
	struct reading reading;

	reading_aim(&reading, fixture.pid);
	assert_refused(&reading, PORTWATCH_READER_LOCAL, PORTWATCH_TABLE_AUTO, -EXDEV);
	reading_end(&reading);
	fixture_end(&fixture);
}
END_TEST

START_TEST(text_readers_refuse_a_dump)
{
	struct reading reading;

	reading_aim(&reading, getpid());
	assert_refused(&reading, PORTWATCH_READER_PROCFS, PORTWATCH_TABLE_DIAG, -ENOTSUP);
	assert_refused(&reading, PORTWATCH_READER_NSENTER, PORTWATCH_TABLE_DIAG, -ENOTSUP);
	reading_end(&reading);
}
END_TEST

START_TEST(an_unknown_kind_is_refused)
{
	struct reading reading;

	reading_aim(&reading, getpid());
	assert_refused(&reading, PORTWATCH_READER_AUTO, PORTWATCH_TABLE_AUTO, -EINVAL);
	reading_end(&reading);
}
END_TEST

/* The readers that read through a process. */
static const enum portwatch_reader by_process[] = {
	PORTWATCH_READER_SETNS,
	PORTWATCH_READER_NSENTER,
	PORTWATCH_READER_PROCFS,
};

START_TEST(a_process_that_has_moved_is_refused)
{
	struct fixture fixture = fixture_start(SANDBOX_NETNS);
	struct reading reading;

	reading_aim(&reading, fixture.pid);
	reading.target.nsenter = "/nonexistent";
	reading.target.netns.ino++;
	assert_refused(&reading, by_process[_i], PORTWATCH_TABLE_AUTO, -ESTALE);
	reading_end(&reading);
	fixture_end(&fixture);
}
END_TEST

/* Another process has the PID. */
START_TEST(a_process_of_another_time_is_refused)
{
	struct reading reading;

	reading_aim(&reading, getpid());
	reading.target.nsenter = "/nonexistent";
	reading.target.start_time++;
	assert_refused(&reading, by_process[_i], PORTWATCH_TABLE_AUTO, -ESRCH);
	reading_end(&reading);
}
END_TEST

START_TEST(nsenter_that_is_missing)
{
	struct reading reading;

	reading_aim(&reading, getpid());
	reading.target.nsenter = NULL;
	assert_refused(&reading, PORTWATCH_READER_NSENTER, PORTWATCH_TABLE_AUTO, -ENOENT);
	reading.target.nsenter = "nsenter";
	assert_refused(&reading, PORTWATCH_READER_NSENTER, PORTWATCH_TABLE_AUTO, -ENOENT);
	reading.target.nsenter = "/nonexistent/nsenter";
	ck_assert_int_eq(reading_open(&reading, PORTWATCH_READER_NSENTER, PORTWATCH_TABLE_AUTO), 0);
	ck_assert_int_eq(reading_take(&reading), READER_BROKEN);
	ck_assert_int_eq(reader_failure(reading.reader).error, ENOENT);
	ck_assert_str_eq(reader_failure(reading.reader).step, "execute nsenter");
	reading_end(&reading);
}
END_TEST

START_TEST(nsenter_that_fails)
{
	struct reading reading;

	reading_aim(&reading, getpid());
	reading.target.nsenter = "/bin/false";
	ck_assert_int_eq(reading_open(&reading, PORTWATCH_READER_NSENTER, PORTWATCH_TABLE_AUTO), 0);
	ck_assert_int_eq(reading_take(&reading), READER_BROKEN);
	ck_assert_str_eq(reader_failure(reading.reader).step,
	                 "enter the network namespace with nsenter");
	reading_end(&reading);
}
END_TEST

/* /proc/PID/net/tcp of a namespace that has ended still reads as an empty table. */
START_TEST(procfs_breaks_with_its_process)
{
	struct fixture fixture = fixture_start(SANDBOX_NETNS);
	struct reading reading;

	fixture_listen(&fixture, "127.0.0.1", 0);
	reading_start(&reading, fixture.pid, PORTWATCH_READER_PROCFS, PORTWATCH_TABLE_AUTO);
	ck_assert_uint_eq(reading_table(&reading)->count, 1);
	fixture_end(&fixture);
	ck_assert_int_eq(reading_take(&reading), READER_BROKEN);
	ck_assert_int_eq(reading_take(&reading), READER_BROKEN);
	reading_end(&reading);
}
END_TEST

/* The main thread of the process has exited, and the other threads continue. */
START_TEST(a_process_without_leader_is_read)
{
	struct fixture fixture = fixture_start(SANDBOX_NETNS);
	struct reading reading;

	fixture_exit_leader(&fixture);
	fixture_listen(&fixture, "127.0.0.1", 0);
	reading_aim(&reading, fixture.pid);
	if (by_process[_i] == PORTWATCH_READER_NSENTER)
		skip_unless_possible(&ways[3], &reading);
	ck_assert_int_eq(reading_open(&reading, by_process[_i], PORTWATCH_TABLE_AUTO), 0);
	ck_assert_uint_eq(reading_table(&reading)->count, 1);
	reading_end(&reading);
	fixture_end(&fixture);
}
END_TEST

/* --- a kernel that lists its sockets in another order than Linux, as gVisor does */

#define HEADING                                                                                    \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "      \
	"timeout inode\n"
/* A row of a port and an inode, each with four digits. */
#define SOCKET(port, state, inode)                                                                 \
	"   0: 0100007F:" port " 00000000:0000 " state                                             \
	" 00000000:00000000 00:00000000 00000000     0        0 " inode                            \
	" 1 0000000000000000 100 0 0 10 0\n"
#define SORTED HEADING SOCKET("0050", "0A", "4001") SOCKET("0051", "0A", "4002")
#define UNSORTED                                                                                   \
	HEADING SOCKET("0049", "07", "4000") SOCKET("0050", "0A", "4001")                          \
		SOCKET("0050", "01", "4003") SOCKET("0050", "01", "4004")                          \
			SOCKET("0051", "0A", "4002")

static struct fake_proc fake;

/* The namespace of all its processes has the text that is given. */
static void give_netns(pid_t pid)
{
	fake_proc_link(&fake, "../thread-self/net", "%d/net", (int)pid);
}

/* Makes a process in a /proc with tables of our own. Its real namespace can be entered. */
static void fake_process(struct reading *reading, const struct fixture *fixture)
{
	char link[64];

	fake_proc_setup(&fake, true);
	fake_proc_file(&fake, HEADING, "thread-self/net/tcp");
	fake_proc_file(&fake, HEADING, "thread-self/net/tcp6");
	fake_proc_link(&fake, "thread-self", "self");
	reading_aim(reading, fixture->pid);
	fake_proc_add(&fake, fixture->pid, 1, reading->target.start_time);
	give_netns(fixture->pid);
	snprintf(link, sizeof(link), "/proc/%d/ns/net", (int)fixture->pid);
	fake_proc_link(&fake, link, "%d/ns/net", (int)fixture->pid);
	reading->target.procfs = &fake.procfs;
	ck_assert_int_eq(procfs_netns_of(&fake.procfs, fixture->pid, &reading->target.netns), 0);
}

/* The child that runs nsenter is looked up, too: it gets one of the next PIDs, which begin anew at
 * 300 when the greatest was given out. */
static int open_with_next_pids(struct reading *reading, const struct way *way)
{
	pid_t pid = procfs_last_pid(&reading->procfs), greatest;
	char text[16];

	ck_assert_int_gt(procfs_read(reading->procfs.fd, "sys/kernel/pid_max", text, sizeof(text)),
	                 0);
	greatest = atoi(text) - 1;
	for (int i = 0; i < 1000; i++) {
		pid = pid < greatest ? pid + 1 : 300;
		give_netns(pid);
	}
	return reading_open(reading, way->reader, way->table);
}

static const struct way text_ways[] = {
	{PORTWATCH_READER_LOCAL, PORTWATCH_TABLE_PROCFS, "local"},
	{PORTWATCH_READER_SETNS, PORTWATCH_TABLE_PROCFS, "setns"},
	{PORTWATCH_READER_NSENTER, PORTWATCH_TABLE_PROCFS, "nsenter"},
	{PORTWATCH_READER_PROCFS, PORTWATCH_TABLE_PROCFS, "procfs"},
};

static void assert_both(struct reading *reading, const char *name)
{
	const struct snapshot *table = reading_table(reading);

	ck_assert_msg(table->count == 2 && table->rows[0].listener.inode == 4001 &&
	                      table->rows[1].listener.inode == 4002,
	              "%s: %zu listeners", name, table->count);
}

/* Independent of the first read's rows. */
START_TEST(listeners_can_be_anywhere_in_the_text)
{
	const struct way *way = &text_ways[_i];
	struct fixture fixture = fixture_start(SANDBOX_NETNS);
	struct reading reading;
	int error;

	fake_process(&reading, &fixture);
	skip_unless_possible(way, &reading);
	error = open_with_next_pids(&reading, way);
	/* Other processes have used up the PIDs meanwhile. */
	for (int i = 0; i < 10 && error == 0 && reader_failure(reading.reader).error == ESRCH;
	     i++) {
		reading_drop(&reading);
		waitpid(reading.child.pid, NULL, __WALL);
		error = open_with_next_pids(&reading, way);
	}
	ck_assert_msg(error == 0, "%s: cannot %s: %s", way->name, reading.failure.step,
	              strerror(reading.failure.error));
	ck_assert_uint_eq(reading_table(&reading)->count, 0);
	fake_proc_file(&fake, SORTED, "thread-self/net/tcp");
	assert_both(&reading, way->name);
	fake_proc_file(&fake, UNSORTED, "thread-self/net/tcp");
	assert_both(&reading, way->name);
	assert_both(&reading, way->name);
	reading_end(&reading);
	fake_proc_teardown(&fake);
	fixture_end(&fixture);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("reader");
	TCase *same = tcase_create("same");
	TCase *refusals = tcase_create("refusals");

	tcase_add_loop_test(same, each_reader_sees_the_same_sockets, 0, WAYS);
	tcase_add_loop_test(same, many_sockets_are_all_seen, 0, WAYS);
	tcase_add_loop_test(same, the_form_in_use_is_reported, 0, WAYS);
	tcase_add_loop_test(same, a_process_without_leader_is_read, 0, 3);
	suite_add_tcase(suite, same);
	tcase_add_loop_test(same, listeners_can_be_anywhere_in_the_text, 0,
	                    (int)(sizeof(text_ways) / sizeof(text_ways[0])));
	tcase_add_test(refusals, a_foreign_namespace_is_not_local);
	tcase_add_test(refusals, text_readers_refuse_a_dump);
	tcase_add_test(refusals, an_unknown_kind_is_refused);
	tcase_add_loop_test(refusals, a_process_that_has_moved_is_refused, 0, 3);
	tcase_add_loop_test(refusals, a_process_of_another_time_is_refused, 0, 3);
	tcase_add_test(refusals, nsenter_that_is_missing);
	tcase_add_test(refusals, nsenter_that_fails);
	tcase_add_test(refusals, procfs_breaks_with_its_process);
	suite_add_tcase(suite, refusals);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
