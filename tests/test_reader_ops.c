/* SPDX-License-Identifier: MIT */
/* test_reader_ops.c - what all kinds of readers share: the bytes of a table become a snapshot, and
 * failures become states */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/bare_reader.h"
#include "support/check_main.h"
#include "support/fixture.h"
#include "support/loopback.h"
#include "support/sandbox.h"
#include "table/closes.h"
#include "table/step.h"
#include "util/clock.h"
#include "util/fd.h"

#define HEADING                                                                                    \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "      \
	"timeout inode\n"
#define ROW(address, port, inode)                                                                  \
	"   0: " address ":" port " " address                                                      \
	":0000 0A 00000000:00000000 00:00000000 00000000     0        0 " inode                    \
	" 1 0000000000000000 100 0 0 10 0\n"
#define V4 "0100007F"
#define V6 "00000000000000000000000001000000"

/* --- bytes */

static struct table_collector collector;

static void setup_collector(void)
{
	memset(&collector, 0, sizeof(collector));
}

static void teardown_collector(void)
{
	table_collector_clear(&collector);
	ck_assert_uint_eq(collector.snapshot.count, 0);
}

static int feed(enum table_tag tag, const char *text)
{
	return table_collector_feed(&collector, tag, text, strlen(text));
}

static void expect_rows(size_t count, const uint16_t *ports)
{
	ck_assert_uint_eq(collector.snapshot.count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(collector.snapshot.rows[i].listener.port, ports[i]);
}

/* The rows are sorted, and those that are equal are one. */
START_TEST(both_texts_form_one_snapshot)
{
	const uint16_t ports[] = {0x50, 0x51, 0x40};

	table_collector_begin(&collector, PORTWATCH_TABLE_PROCFS, 1);
	ck_assert_int_eq(feed(TABLE_TEXT_INET, HEADING ROW(V4, "0051", "2") ROW(V4, "0050", "1")),
	                 0);
	ck_assert_int_eq(feed(TABLE_TEXT_INET, ROW(V4, "0050", "1") "   1: nonsense\n"), 0);
	ck_assert_int_eq(feed(TABLE_TEXT_INET6, HEADING ROW(V6, "0040", "3") "   1: 01"), 0);
	ck_assert_int_eq(table_collector_end(&collector), 0);
	expect_rows(3, ports);
	ck_assert_int_eq(collector.snapshot.rows[2].listener.family, AF_INET6);
	ck_assert_uint_eq(collector.rows, 4);
	/* A row that is cut counts as well. */
	ck_assert_uint_eq(collector.rejected, 2);
}
END_TEST

START_TEST(pieces_are_cut_anywhere)
{
	static const char text[] = HEADING ROW(V4, "0050", "1") ROW(V4, "0051", "2");
	const uint16_t ports[] = {0x50, 0x51};

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		table_collector_begin(&collector, PORTWATCH_TABLE_PROCFS, 1);
		ck_assert_int_eq(table_collector_feed(&collector, TABLE_TEXT_INET, text, cut), 0);
		ck_assert_int_eq(feed(TABLE_TEXT_INET, text + cut), 0);
		ck_assert_int_eq(table_collector_end(&collector), 0);
		expect_rows(2, ports);
	}
}
END_TEST

START_TEST(each_table_begins_empty)
{
	const uint16_t port = 0x51;

	table_collector_begin(&collector, PORTWATCH_TABLE_PROCFS, 1);
	/* A table that is not ended leaves nothing behind. */
	ck_assert_int_eq(feed(TABLE_TEXT_INET, HEADING ROW(V4, "0050", "1") "   1: 01"), 0);
	table_collector_begin(&collector, PORTWATCH_TABLE_PROCFS, 2);
	ck_assert_int_eq(feed(TABLE_TEXT_INET, HEADING ROW(V4, "0051", "2")), 0);
	ck_assert_int_eq(table_collector_end(&collector), 0);
	expect_rows(1, &port);
	ck_assert_uint_eq(collector.rows, 1);
	ck_assert_uint_eq(collector.rejected, 0);
	/* The numbers are those of all tables that were ended. */
	table_collector_begin(&collector, PORTWATCH_TABLE_PROCFS, 3);
	ck_assert_int_eq(feed(TABLE_TEXT_INET, HEADING ROW(V4, "0051", "2") "x\n"), 0);
	ck_assert_int_eq(table_collector_end(&collector), 0);
	ck_assert_uint_eq(collector.rows, 2);
	ck_assert_uint_eq(collector.rejected, 1);
}
END_TEST

START_TEST(pieces_of_another_form_are_refused)
{
	static const enum table_tag diag[] = {TABLE_DIAG, TABLE_DIAG_INET, TABLE_DIAG_INET6};
	static const enum table_tag text[] = {TABLE_TEXT_INET, TABLE_TEXT_INET6};

	for (int i = 0; i < 3; i++) {
		table_collector_begin(&collector, PORTWATCH_TABLE_PROCFS, 1);
		ck_assert_int_eq(feed(diag[i], "x"), -EPROTO);
	}
	for (int i = 0; i < 2; i++) {
		table_collector_begin(&collector, PORTWATCH_TABLE_DIAG, 1);
		ck_assert_int_eq(feed(text[i], HEADING), -EPROTO);
	}
	table_collector_begin(&collector, PORTWATCH_TABLE_PROCFS, 1);
	ck_assert_int_eq(feed((enum table_tag)0, HEADING), -EPROTO);
	ck_assert_int_eq(feed((enum table_tag)5, HEADING), -EPROTO);
}
END_TEST

START_TEST(a_table_has_a_greatest_size)
{
	static const char newlines[] = "\n\n\n\n";

	table_collector_begin(&collector, PORTWATCH_TABLE_PROCFS, 1);
	collector.bytes = TABLE_SOURCE_MAX - 4;
	ck_assert_int_eq(feed(TABLE_TEXT_INET, newlines), 0);
	ck_assert_int_eq(feed(TABLE_TEXT_INET6, "\n"), -E2BIG);
	table_collector_begin(&collector, PORTWATCH_TABLE_PROCFS, 2);
	ck_assert_int_eq(feed(TABLE_TEXT_INET6, "\n"), 0);
}
END_TEST

static int feed_piece(const struct table_bytes *table, size_t i)
{
	return table_collector_feed(&collector, table->pieces[i].tag, table->pieces[i].bytes,
	                            table->pieces[i].size);
}

/* A real dump of both families, or one of each. Each has its end. */
START_TEST(a_dump_counts_only_with_its_end)
{
	struct table_bytes table;
	uint16_t port;
	int fd;

	sandbox_enter();
	ck_assert_int_eq(loopback_up(), 0);
	fd = listen_on_loopback(AF_INET, &port);
	table_bytes_read(&table, PORTWATCH_TABLE_DIAG, 7, _i);
	ck_assert_uint_ge(table.count, 2);
	table_collector_begin(&collector, PORTWATCH_TABLE_DIAG, 7);
	for (size_t i = 0; i < table.count; i++)
		ck_assert_int_eq(feed_piece(&table, i), 0);
	ck_assert_int_eq(table_collector_end(&collector), 0);
	expect_rows(1, &port);
	ck_assert_uint_ne(collector.snapshot.rows[0].listener.cookie, 0);
	ck_assert_uint_eq(collector.rows, 1);
	/* Nothing may follow the end. */
	ck_assert_int_eq(feed_piece(&table, table.count - 1), -EPROTO);
	/* One piece is missing. */
	for (size_t missing = 0; missing < table.count; missing++) {
		table_collector_begin(&collector, PORTWATCH_TABLE_DIAG, 7);
		for (size_t i = 0; i < table.count; i++)
			ck_assert(i == missing || feed_piece(&table, i) == 0);
		if (missing == table.count - 1 ||
		    table.pieces[missing].tag != table.pieces[missing + 1].tag)
			ck_assert_int_eq(table_collector_end(&collector), -EPROTO);
	}
	/* The dump answers another request. */
	table_collector_begin(&collector, PORTWATCH_TABLE_DIAG, 8);
	ck_assert_int_eq(feed_piece(&table, 0), -EPROTO);
	table_bytes_free(&table);
	close(fd);
}
END_TEST

/* --- failures */

static struct reader *it;

static void close_nothing(struct reader *reader)
{
	table_source_close(&reader->source);
}

static const struct reader_ops closing_ops = {.close = close_nothing};

static void setup_reader(void)
{
	it = bare_reader_new(&closing_ops, PORTWATCH_TABLE_AUTO);
}

static void teardown_reader(void)
{
	bare_reader_free(it);
}

static void expect_failure(const char *step, int error)
{
	ck_assert_ptr_eq(it->failure.step, step);
	ck_assert_int_eq(it->failure.error, error);
}

START_TEST(a_failure_has_a_step)
{
	ck_assert_int_eq(reader_fail(it, STEP_SETNS, EPERM), -EPERM);
	expect_failure(STEP_SETNS, EPERM);
	ck_assert(!it->broken);
}
END_TEST

START_TEST(some_failures_pass)
{
	static const int transient[] = {EAGAIN, EINTR, ENOMEM, ENOBUFS, EBUSY};
	static const int permanent[] = {EPERM, EACCES, ENOENT, EPROTO, EIO, ESRCH, ETIMEDOUT};
	static const char *const opening[] = {STEP_OPEN_DIAG, STEP_OPEN_TEXT};

	for (size_t i = 0; i < sizeof(transient) / sizeof(transient[0]); i++) {
		ck_assert_int_eq(reader_give_up(it, STEP_READ_DIAG, transient[i]), READER_RETRY);
		expect_failure(STEP_READ_DIAG, transient[i]);
		ck_assert(!it->broken);
		/* A reader opens its tables only once. */
		for (size_t open = 0; open < 2; open++) {
			ck_assert_int_eq(reader_give_up(it, opening[open], transient[i]),
			                 READER_BROKEN);
			expect_failure(opening[open], transient[i]);
			ck_assert(it->broken);
			it->broken = false;
		}
	}
	for (size_t i = 0; i < sizeof(permanent) / sizeof(permanent[0]); i++) {
		it->broken = false;
		ck_assert_int_eq(reader_give_up(it, STEP_READ_DIAG, permanent[i]), READER_BROKEN);
		expect_failure(STEP_READ_DIAG, permanent[i]);
		ck_assert(it->broken);
	}
}
END_TEST

/* --- the process by which a namespace is read */

static struct procfs procfs;
static struct reader_target target;

static void aim(pid_t pid)
{
	struct process_stat stat;
	int process;

	ck_assert_int_eq(procfs_open(&procfs, "/proc"), 0);
	process = procfs_open_process(&procfs, pid);
	ck_assert_int_ge(process, 0);
	ck_assert_int_eq(procfs_read_stat(process, &stat), 0);
	ck_assert_int_eq(procfs_netns(process, &it->netns), 0);
	fd_close(process);
	target = (struct reader_target){
		.procfs = &procfs, .pid = pid, .start_time = stat.start_time, .netns = it->netns};
}

START_TEST(the_process_is_identified)
{
	struct fixture fixture = fixture_start(0);
	unsigned int room;
	int process;

	aim(fixture.pid);
	room = fd_room();
	process = reader_open_process(it, &target);
	ck_assert_int_gt(process, 2);
	ck_assert_ptr_null(it->failure.step);
	fd_close(process);
	/* Another process has the PID. */
	target.start_time++;
	ck_assert_int_eq(reader_open_process(it, &target), -ESRCH);
	expect_failure(STEP_FIND_PROCESS, ESRCH);
	target.start_time--;
	it->failure = (struct failure){NULL, 0};
	fixture_end(&fixture);
	ck_assert_int_eq(reader_open_process(it, &target), -ESRCH);
	expect_failure(STEP_FIND_PROCESS, ESRCH);
	ck_assert_uint_eq(fd_room(), room);
	procfs_close(&procfs);
}
END_TEST

START_TEST(its_namespace_is_compared)
{
	struct fixture fixture = fixture_start(SANDBOX_NETNS);
	int process, error;

	aim(fixture.pid);
	process = reader_open_process(it, &target);
	ck_assert_int_ge(process, 0);
	ck_assert_int_eq(reader_check_netns(it, process), 0);
	ck_assert_ptr_null(it->failure.step);
	fixture_unshare(&fixture);
	ck_assert_int_eq(reader_check_netns(it, process), -ESTALE);
	expect_failure(STEP_REACH_NETNS, ESTALE);
	fixture_end(&fixture);
	error = reader_check_netns(it, process);
	ck_assert_int_lt(error, 0);
	ck_assert_int_ne(error, -ESTALE);
	expect_failure(STEP_CHECK_NETNS, -error);
	fd_close(process);
	procfs_close(&procfs);
}
END_TEST

/* --- direct reads */

static int after_result;
static unsigned int after_calls;

static int after(struct reader *reader)
{
	after_calls++;
	return after_result < 0 ? reader_fail(reader, STEP_REACH_NETNS, -after_result) : 0;
}

static enum reader_state read_once(enum portwatch_table form)
{
	it->form = form;
	after_calls = 0;
	bare_reader_begin(it);
	return reader_read_source(it, after);
}

static const enum portwatch_table forms[] = {PORTWATCH_TABLE_DIAG, PORTWATCH_TABLE_PROCFS};

START_TEST(the_source_is_read)
{
	struct table_bytes probe;
	uint16_t port;
	int fd;

	sandbox_enter();
	ck_assert_int_eq(loopback_up(), 0);
	/* Skips where there is no such table. */
	table_bytes_read(&probe, forms[_i], 1, false);
	table_bytes_free(&probe);
	fd = listen_on_loopback(AF_INET, &port);
	aim(getpid());
	table_source_open_diag(&it->source);
	table_source_open_text(&it->source, procfs.fd, "thread-self");
	table_source_own(&it->source);
	after_result = 0;
	ck_assert_int_eq(read_once(forms[_i]), READER_COMPLETE);
	ck_assert_uint_eq(after_calls, 1);
	ck_assert_uint_eq(it->collector.snapshot.count, 1);
	ck_assert_uint_eq(it->collector.snapshot.rows[0].listener.port, port);
	ck_assert_uint_eq(reader_rows(it), 1);
	/* The table is not valid. */
	after_result = -ESTALE;
	ck_assert_int_eq(read_once(forms[_i]), READER_BROKEN);
	expect_failure(STEP_REACH_NETNS, ESTALE);
	ck_assert(it->broken);
	it->broken = false;
	after_result = -ENOMEM;
	ck_assert_int_eq(read_once(forms[_i]), READER_RETRY);
	ck_assert(!it->broken);
	/* Not all readers have something to check. */
	bare_reader_begin(it);
	ck_assert_int_eq(reader_read_source(it, NULL), READER_COMPLETE);
	procfs_close(&procfs);
	close(fd);
}
END_TEST

START_TEST(a_source_without_tables_fails)
{
	after_result = 0;
	ck_assert_int_eq(read_once(forms[_i]), READER_BROKEN);
	expect_failure(_i ? STEP_OPEN_TEXT : STEP_OPEN_DIAG, ENOENT);
	ck_assert_uint_eq(after_calls, 0);
}
END_TEST

/* --- reports of closed sockets */

/* The samples that cost one percent of a CPU during this time. */
#define SAMPLES_IN(time) ((time) / (100 * CLOSES_SAMPLE * CLOSES_COST))

START_TEST(reports_may_cost_one_percent)
{
	it->reports = true;
	reader_count_samples(it, 0);
	reader_count_samples(it, SAMPLES_IN(NSEC_PER_SEC));
	ck_assert_int_eq(reader_reports_closed(it), 1);
	/* Nothing was saved before. */
	reader_count_samples(it, SAMPLES_IN(2 * NSEC_PER_SEC));
	ck_assert_int_eq(reader_reports_closed(it), -EBUSY);
	/* An earlier excess is paid by time. */
	it->reports_error = 0;
	it->closes_until = clock_now(CLOCK_MONOTONIC) - NSEC_PER_SEC;
	reader_count_samples(it, SAMPLES_IN(NSEC_PER_SEC));
	ck_assert_int_eq(reader_reports_closed(it), 1);
}
END_TEST

START_TEST(many_reports_are_too_many)
{
	it->reports = true;
	if (_i) {
		reader_count_samples(it, UINT64_MAX);
	} else {
		/* Their price is a hundred seconds, which have not passed. */
		for (uint64_t i = 0; i < SAMPLES_IN(100 * NSEC_PER_SEC); i++)
			reader_count_samples(it, 1);
	}
	ck_assert_int_eq(reader_reports_closed(it), -EBUSY);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("reader_ops");
	TCase *bytes = tcase_create("bytes"), *failures = tcase_create("failures");
	TCase *reads = tcase_create("reads");

	tcase_add_checked_fixture(bytes, setup_collector, teardown_collector);
	tcase_add_test(bytes, both_texts_form_one_snapshot);
	tcase_add_test(bytes, pieces_are_cut_anywhere);
	tcase_add_test(bytes, each_table_begins_empty);
	tcase_add_test(bytes, pieces_of_another_form_are_refused);
	tcase_add_test(bytes, a_table_has_a_greatest_size);
	tcase_add_loop_test(bytes, a_dump_counts_only_with_its_end, 0, 2);
	suite_add_tcase(suite, bytes);
	tcase_add_checked_fixture(failures, setup_reader, teardown_reader);
	tcase_add_test(failures, a_failure_has_a_step);
	tcase_add_test(failures, some_failures_pass);
	tcase_add_test(failures, the_process_is_identified);
	tcase_add_test(failures, its_namespace_is_compared);
	suite_add_tcase(suite, failures);
	tcase_add_checked_fixture(reads, setup_reader, teardown_reader);
	tcase_add_loop_test(reads, the_source_is_read, 0, 2);
	tcase_add_loop_test(reads, a_source_without_tables_fails, 0, 2);
	tcase_add_test(reads, reports_may_cost_one_percent);
	tcase_add_loop_test(reads, many_reports_are_too_many, 0, 2);
	suite_add_tcase(suite, reads);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
