/* SPDX-License-Identifier: MIT */
/* test_reader_child.c - the library's side of the pipes to a helper or to nsenter
 *
 * The test has the child's ends of the pipes, and answers as the child. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/bare_reader.h"
#include "support/check_main.h"
#include "support/loopback.h"
#include "support/reading.h"
#include "support/sandbox.h"
#include "support/skip.h"
#include "table/reader_child.h"
#include "table/step.h"
#include "util/fd.h"

static const struct reader_ops ops = {
	.request = reader_link_request,
	.process = reader_link_process,
	.close = reader_link_close,
};

#define ROW(port, inode)                                                                           \
	"   0: 0100007F:" port " 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0"    \
	"        0 " inode " 1 0000000000000000 100 0 0 10 0\n"
#define TEXT ROW("0050", "1") ROW("0051", "2")

static struct reader *it;
static int ends[2]; /* of the child: it reads requests and writes answers */
static unsigned int room;

static void open_link(enum portwatch_table table)
{
	room = fd_room();
	it = bare_reader_new(&ops, table);
	it->netns = (struct netns_id){5, 4711};
	it->link.exit_step = STEP_ANSWER;
	ck_assert_int_eq(reader_link_open(it, ends), 0);
	ck_assert_int_eq(reader_fd(it), it->link.responses);
}

static void setup(void)
{
	/* A thread of the library has blocked SIGPIPE. */
	signal(SIGPIPE, SIG_IGN);
	open_link(PORTWATCH_TABLE_PROCFS);
}

static void close_end(int i)
{
	if (ends[i] >= 0)
		fd_close(ends[i]);
	ends[i] = -1;
}

static void close_link(void)
{
	close_end(0);
	close_end(1);
	bare_reader_free(it);
	ck_assert_uint_eq(fd_room(), room);
}

static void teardown(void)
{
	close_link();
}

/* --- the child */

static void say(const void *bytes, size_t size)
{
	ck_assert_int_eq(write(ends[1], bytes, size), (ssize_t)size);
}

static void say_frame(enum frame_kind kind, uint32_t sequence, uint32_t argument, const void *bytes,
                      size_t size)
{
	struct frame frame = {kind, sequence, argument, (uint32_t)size};
	char header[FRAME_HEADER_MAX];

	say(header, frame_format(header, &frame));
	if (size > 0)
		say(bytes, size);
}

static void say_text(enum frame_kind kind, uint32_t sequence, uint32_t argument, const char *text)
{
	say_frame(kind, sequence, argument, text, strlen(text));
}

static void say_hello(const char *note)
{
	say_text(FRAME_HELLO, 0, FRAME_VERSION, note);
}

static void say_table(uint32_t sequence, const char *text)
{
	say_text(FRAME_DATA, sequence, TABLE_TEXT_INET, text);
	say_text(FRAME_END, sequence, 0, "");
}

/* Returns the next request that the child receives. */
static struct frame_request hear(void)
{
	struct frame_request request;
	char line[FRAME_REQUEST_MAX];
	size_t size = 0;

	do {
		ck_assert_uint_lt(size, sizeof(line));
		ck_assert_int_eq(read(ends[0], &line[size], 1), 1);
	} while (line[size++] != '\n');
	ck_assert_int_eq(frame_parse_request(line, size - 1, &request), 0);
	return request;
}

/* --- the library */

/* Requests a table and returns the number of the request. */
static uint32_t request(void)
{
	struct frame_request heard;

	ck_assert_int_eq(reader_request(it), READER_PENDING);
	heard = hear();
	ck_assert_uint_eq(heard.sequence, it->sequence);
	ck_assert_uint_eq(heard.table, it->form);
	return heard.sequence;
}

static void expect_broken(const char *step, int error)
{
	ck_assert_int_eq(reader_process(it), READER_BROKEN);
	ck_assert_str_eq(reader_failure(it).step, step);
	ck_assert_int_eq(reader_failure(it).error, error);
	/* It stays so. */
	ck_assert_int_eq(reader_process(it), READER_BROKEN);
	ck_assert_int_eq(reader_request(it), READER_BROKEN);
	ck_assert_int_eq(reader_failure(it).error, error);
}

static void expect_two_rows(void)
{
	ck_assert_int_eq(reader_process(it), READER_COMPLETE);
	ck_assert_uint_eq(reader_snapshot(it)->count, 2);
	ck_assert_uint_eq(reader_snapshot(it)->rows[0].listener.port, 0x50);
	ck_assert_uint_eq(reader_snapshot(it)->rows[1].listener.port, 0x51);
}

START_TEST(a_table_arrives)
{
	say_hello("17 5 4711 0");
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	for (int i = 0; i < 3; i++) {
		uint64_t received = reader_received(it);
		uint32_t sequence = request();

		ck_assert_int_eq(reader_process(it), READER_PENDING);
		say_table(sequence, TEXT);
		expect_two_rows();
		ck_assert_uint_gt(reader_received(it), received + sizeof(TEXT));
		ck_assert_int_eq(reader_process(it), READER_PENDING);
	}
	ck_assert_uint_eq(reader_cookie(it), 17);
	ck_assert_uint_eq(reader_rows(it), 6);
	ck_assert_int_eq(reader_table(it), PORTWATCH_TABLE_PROCFS);
}
END_TEST

/* The pieces and the frames are cut by the pipe. */
START_TEST(an_answer_arrives_byte_by_byte)
{
	uint32_t sequence = request();
	char bytes[4096];
	int pipe[2], parent = ends[1];
	ssize_t size;

	ck_assert_int_eq(pipe2(pipe, O_CLOEXEC), 0);
	ends[1] = pipe[1];
	say_hello("17 5 4711 0");
	say_text(FRAME_DATA, sequence, TABLE_TEXT_INET, ROW("0050", "1"));
	say_text(FRAME_DATA, sequence, TABLE_TEXT_INET, ROW("0051", "2"));
	say_text(FRAME_END, sequence, 0, "");
	ends[1] = parent;
	size = read(pipe[0], bytes, sizeof(bytes));
	for (ssize_t i = 0; i < size - 1; i++) {
		say(&bytes[i], 1);
		ck_assert_int_eq(reader_process(it), READER_PENDING);
	}
	say(&bytes[size - 1], 1);
	expect_two_rows();
	close(pipe[0]);
	close(pipe[1]);
}
END_TEST

START_TEST(answers_to_earlier_requests_are_skipped)
{
	uint32_t earlier = request(), present = request();

	say_hello("");
	say_table(earlier, ROW("0040", "3"));
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	/* Neither is a later number an answer. */
	say_table(present + 1, ROW("0040", "3"));
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	say_table(present, TEXT);
	expect_two_rows();
	say_table(present, ROW("0040", "3"));
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	ck_assert_uint_eq(reader_snapshot(it)->count, 2);
}
END_TEST

/* The answer counts although the child has exited. */
START_TEST(the_end_of_the_stream_comes_after_the_answer)
{
	uint32_t sequence = request();

	say_hello("");
	say_table(sequence, TEXT);
	close_end(1);
	expect_two_rows();
	expect_broken(STEP_ANSWER, EPIPE);
}
END_TEST

START_TEST(an_answer_without_its_end_is_none)
{
	uint32_t sequence = request();

	say_hello("");
	say_text(FRAME_DATA, sequence, TABLE_TEXT_INET, TEXT);
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	close_end(1);
	expect_broken(STEP_ANSWER, EPIPE);
}
END_TEST

/* --- the namespace */

START_TEST(the_namespace_is_compared)
{
	static const struct {
		const char *note;
		bool right;
	} notes[] = {
		{"", true},           {"17 5 4711 0", true},  {"17 0 0 0", true},
		{"17 6 4711", false}, {"17 5 4712 0", false},
	};

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		say_hello(notes[i].note);
		if (notes[i].right)
			ck_assert_int_eq(reader_process(it), READER_PENDING);
		else
			expect_broken(STEP_REACH_NETNS, ESTALE);
		close_link();
		open_link(PORTWATCH_TABLE_PROCFS);
	}
}
END_TEST

/* The script behind nsenter cannot report its namespace, so the library reads it from /proc. */
START_TEST(the_namespace_of_the_process_is_compared)
{
	it->link.process = procfs_open_own(getpid());
	ck_assert_int_ge(it->link.process, 0);
	if (_i == 0)
		ck_assert_int_eq(procfs_netns(it->link.process, &it->netns), 0);
	say_hello("0 1 0");
	if (_i == 0)
		ck_assert_int_eq(reader_process(it), READER_PENDING);
	else
		expect_broken(STEP_REACH_NETNS, ESTALE);
}
END_TEST

/* --- failures */

START_TEST(violations_of_the_protocol)
{
	switch (_i) {
	case 0:
		say("nonsense\n", 9);
		break;
	case 1:
		say_text(FRAME_HELLO, 0, FRAME_VERSION + 1, "");
		break;
	case 2:
		say_hello("");
		say_hello("");
		break;
	case 3:
		say_hello("one two");
		break;
	case 4:
		say_table(request(), TEXT);
		break;
	default:
		say_text(FRAME_CLOSED, 0, 0, "");
		break;
	}
	expect_broken(STEP_PROTOCOL, EPROTO);
}
END_TEST

START_TEST(the_child_names_the_step)
{
	static const struct {
		const char *text;
		uint32_t error;
		enum reader_state state;
		const char *step;
		int expected;
	} cases[] = {
		{STEP_READ_TEXT, EIO, READER_BROKEN, STEP_READ_TEXT, EIO},
		{STEP_READ_TEXT, EAGAIN, READER_RETRY, STEP_READ_TEXT, EAGAIN},
		{STEP_OPEN_TEXT, ENOMEM, READER_BROKEN, STEP_OPEN_TEXT, ENOMEM},
		{"make %s of it", EIO, READER_BROKEN, STEP_ANSWER, EIO},
		{"", 4096, READER_BROKEN, STEP_ANSWER, EPROTO},
		{STEP_READ_TEXT, UINT32_MAX, READER_BROKEN, STEP_READ_TEXT, EPROTO},
	};
	uint32_t sequence = request();

	say_hello("");
	say_text(FRAME_DATA, sequence, TABLE_TEXT_INET, TEXT);
	say_text(FRAME_END, sequence, cases[_i].error, cases[_i].text);
	ck_assert_int_eq(reader_process(it), cases[_i].state);
	ck_assert_ptr_eq(reader_failure(it).step, cases[_i].step);
	ck_assert_int_eq(reader_failure(it).error, cases[_i].expected);
	if (cases[_i].state == READER_BROKEN) {
		ck_assert_int_eq(reader_request(it), READER_BROKEN);
		return;
	}
	/* The child still serves. */
	say_table(request(), TEXT);
	expect_two_rows();
}
END_TEST

START_TEST(a_child_that_cannot_start_reports_why)
{
	if (_i == 0)
		request();
	say_text(FRAME_END, 0, EPERM, STEP_SETNS);
	close_end(1);
	expect_broken(STEP_SETNS, EPERM);
}
END_TEST

/* The request finds the pipe closed, and the reason in the other pipe. */
START_TEST(a_request_finds_the_reason)
{
	if (_i == 0)
		say_text(FRAME_END, 0, EACCES, STEP_SETNS);
	close_end(0);
	close_end(1);
	ck_assert_int_eq(reader_request(it), READER_BROKEN);
	ck_assert_ptr_eq(reader_failure(it).step, _i == 0 ? STEP_SETNS : STEP_ANSWER);
	ck_assert_int_eq(reader_failure(it).error, _i == 0 ? EACCES : EPIPE);
}
END_TEST

START_TEST(a_child_that_does_not_read_is_given_up)
{
	enum reader_state state;

	say_hello("");
	do
		state = reader_request(it);
	while (state == READER_PENDING);
	ck_assert_int_eq(state, READER_BROKEN);
	ck_assert_ptr_eq(reader_failure(it).step, STEP_ASK);
	ck_assert_int_eq(reader_failure(it).error, ETIMEDOUT);
}
END_TEST

/* Bytes are shown as the reason for the exit of nsenter. */
START_TEST(nsenter_complains)
{
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{NULL, EPIPE},
		{"", EPIPE},
		{"nsenter: cannot open: Permission denied\n", EACCES},
		{"nsenter: reassociate failed: Operation not permitted\n", EPERM},
		{"nsenter: something else\n", EPIPE},
	};
	int complaints[2];

	it->link.exit_step = STEP_NSENTER_RUN;
	if (cases[_i].text) {
		ck_assert_int_eq(fd_pipe(complaints), 0);
		ck_assert_int_eq(fcntl(complaints[0], F_SETFL, O_NONBLOCK), 0);
		it->link.complaints = complaints[0];
		ck_assert_int_ge(write(complaints[1], cases[_i].text, strlen(cases[_i].text)), 0);
		fd_close(complaints[1]);
	}
	close_end(1);
	expect_broken(STEP_NSENTER_RUN, cases[_i].error);
}
END_TEST

/* After its hello the child reports in frames, and the library ignores its standard error. */
START_TEST(complaints_count_until_the_hello)
{
	int complaints[2];

	ck_assert_int_eq(fd_pipe(complaints), 0);
	it->link.complaints = complaints[0];
	it->link.exit_step = STEP_NSENTER_RUN;
	ck_assert_int_gt(write(complaints[1], "Operation not permitted", 23), 0);
	say_hello("");
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	ck_assert_int_eq(it->link.complaints, -1);
	fd_close(complaints[1]);
	close_end(1);
	expect_broken(STEP_ANSWER, EPIPE);
}
END_TEST

/* --- dumps */

/* Sends the datagram in pieces of this size. */
static void say_datagram(uint32_t sequence, const struct table_bytes *table, size_t i, size_t most)
{
	struct frame frame = {FRAME_DATA, sequence, table->pieces[i].tag,
	                      (uint32_t)table->pieces[i].size};
	char header[FRAME_HEADER_MAX];

	say(header, frame_format(header, &frame));
	for (size_t at = 0; at < table->pieces[i].size; at += most) {
		size_t left = table->pieces[i].size - at;

		say(table->pieces[i].bytes + at, left < most ? left : most);
		ck_assert_int_eq(reader_process(it), READER_PENDING);
	}
}

START_TEST(datagrams_are_parsed_as_a_whole)
{
	static const size_t sizes[] = {1, 7, 100, TABLE_SOURCE_BUFFER};
	struct table_bytes table;
	uint16_t port;
	int fd;

	close_link();
	sandbox_enter();
	ck_assert_int_eq(loopback_up(), 0);
	fd = listen_on_loopback(AF_INET, &port);
	open_link(PORTWATCH_TABLE_AUTO);
	say_hello("");
	for (size_t size = 0; size < sizeof(sizes) / sizeof(sizes[0]); size++) {
		uint32_t sequence = request();

		ck_assert_int_eq(it->form, PORTWATCH_TABLE_DIAG);
		table_bytes_read(&table, PORTWATCH_TABLE_DIAG, sequence, false);
		for (size_t i = 0; i < table.count; i++)
			say_datagram(sequence, &table, i, sizes[size]);
		say_text(FRAME_END, sequence, 0, "");
		ck_assert_int_eq(reader_process(it), READER_COMPLETE);
		ck_assert_uint_eq(reader_snapshot(it)->count, 1);
		ck_assert_uint_eq(reader_snapshot(it)->rows[0].listener.port, port);
		table_bytes_free(&table);
	}
	close(fd);
}
END_TEST

/* The rest of the answer is skipped. */
START_TEST(an_invalid_dump_ends_with_the_answer)
{
	static unsigned char large[TABLE_SOURCE_BUFFER + 1];
	struct table_bytes table;
	uint32_t sequence;

	close_link();
	sandbox_enter();
	open_link(PORTWATCH_TABLE_DIAG);
	say_hello("");
	sequence = request();
	switch (_i) {
	case 0:
		say_frame(FRAME_DATA, sequence, TABLE_DIAG, large, sizeof(large));
		break;
	case 1:
		say_text(FRAME_DATA, sequence, TABLE_DIAG, "nonsense");
		break;
	default:
		say_text(FRAME_DATA, sequence, TABLE_TEXT_INET, TEXT);
		break;
	}
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	/* A valid dump follows. */
	table_bytes_read(&table, PORTWATCH_TABLE_DIAG, sequence, false);
	for (size_t i = 0; i < table.count; i++)
		say_datagram(sequence, &table, i, TABLE_SOURCE_BUFFER);
	table_bytes_free(&table);
	say_text(FRAME_END, sequence, 0, "");
	expect_broken(STEP_READ_DIAG, EPROTO);
}
END_TEST

START_TEST(a_dump_without_its_own_end)
{
	close_link();
	open_link(PORTWATCH_TABLE_DIAG);
	say_hello("");
	say_text(FRAME_END, request(), 0, "");
	expect_broken(STEP_PROTOCOL, EPROTO);
}
END_TEST

/* The kernel refuses dumps in the child's namespace. */
START_TEST(the_text_follows_a_refused_dump)
{
	uint32_t sequence;

	close_link();
	open_link(PORTWATCH_TABLE_AUTO);
	say_hello("");
	sequence = request();
	say_text(FRAME_END, sequence, ENOENT, STEP_OPEN_DIAG);
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	ck_assert_uint_eq(hear().table, PORTWATCH_TABLE_PROCFS);
	say_table(it->sequence, TEXT);
	expect_two_rows();
	ck_assert_ptr_eq(reader_table_failure(it).step, STEP_OPEN_DIAG);
	ck_assert_int_eq(reader_table_failure(it).error, ENOENT);
}
END_TEST

/* --- closed sockets */

START_TEST(closed_sockets_are_reported_without_a_request)
{
	it->reports = true;
	say_hello("17 5 4711 0");
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	ck_assert_int_eq(reader_reports_closed(it), 1);
	ck_assert(!reader_take_closed(it));
	say_text(FRAME_CLOSED, 0, 0, "");
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	ck_assert(reader_take_closed(it));
	ck_assert(!reader_take_closed(it));
	/* With an answer come the numbers of other sockets. */
	say_text(FRAME_CLOSED, request(), 3, "");
	say_table(it->sequence, TEXT);
	expect_two_rows();
	ck_assert(!reader_take_closed(it));
	ck_assert_int_eq(reader_reports_closed(it), 1);
	/* They cost too much. */
	say_text(FRAME_CLOSED, request(), UINT32_MAX, "");
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	ck_assert_int_eq(reader_reports_closed(it), -EBUSY);
}
END_TEST

START_TEST(a_child_without_reports_of_closes_reports_why)
{
	static const struct {
		const char *note;
		int expected;
	} notes[] = {
		{"0 0 0 1", -EPERM},
		{"0 0 0 4096", -EPROTO},
		{"0 0 0", 1},
	};

	it->reports = true;
	say_hello(notes[_i].note);
	ck_assert_int_eq(reader_process(it), READER_PENDING);
	ck_assert_int_eq(reader_reports_closed(it), notes[_i].expected);
}
END_TEST

/* --- real children */

/* A namespace may be entered by its descriptor instead of a process; the caller keeps the
 * descriptor. */
START_TEST(setns_by_descriptor)
{
	struct reading reading;
	uint16_t port;
	int fd, netns;

	sandbox_enter();
	ck_assert_int_eq(loopback_up(), 0);
	fd = listen_on_loopback(AF_INET, &port);
	netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(netns, 0);
	reading_aim(&reading, getpid());
	reading.target.pid = 0;
	reading.target.descriptor = netns;
	room = fd_room();
	ck_assert_int_eq(reading_open(&reading, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO), 0);
	ck_assert_uint_eq(reading_table(&reading)->count, 1);
	ck_assert_uint_eq(reader_snapshot(reading.reader)->rows[0].listener.port, port);
	ck_assert_int_gt(reader_pid(reading.reader), 0);
	ck_assert_int_ge(fcntl(netns, F_GETFD), 0);
	reading_drop(&reading);
	/* The descriptor of the process is the child's. */
	ck_assert_uint_eq(fd_room(), room - (reading.child.pidfd >= 0));
	reading_end(&reading);
	close(netns);
	close(fd);
}
END_TEST

/* A user who may not enter, as nsenter(1) itself says. */
static void enter_as_nobody(void *data)
{
	struct reading reading;

	(void)data;
	reading_aim(&reading, getpid());
	if (!reading.target.nsenter)
		_exit(SKIP_STATUS);
	ck_assert_int_eq(reading_open(&reading, PORTWATCH_READER_NSENTER, PORTWATCH_TABLE_AUTO), 0);
	ck_assert_int_eq(reading_take(&reading), READER_BROKEN);
	ck_assert_ptr_eq(reader_failure(reading.reader).step, STEP_NSENTER_RUN);
	ck_assert_int_eq(reader_failure(reading.reader).error, EPERM);
	reading_end(&reading);
}

START_TEST(nsenter_without_permission)
{
	if (geteuid() == 0)
		sandbox_run_as_nobody(enter_as_nobody, NULL);
	else
		enter_as_nobody(NULL);
}
END_TEST

static TCase *make_failures(void)
{
	TCase *failures = tcase_create("failures");

	tcase_add_checked_fixture(failures, setup, teardown);
	tcase_add_loop_test(failures, violations_of_the_protocol, 0, 6);
	tcase_add_loop_test(failures, the_child_names_the_step, 0, 6);
	tcase_add_loop_test(failures, a_child_that_cannot_start_reports_why, 0, 2);
	tcase_add_loop_test(failures, a_request_finds_the_reason, 0, 2);
	tcase_add_test(failures, a_child_that_does_not_read_is_given_up);
	tcase_add_loop_test(failures, nsenter_complains, 0, 5);
	tcase_add_test(failures, complaints_count_until_the_hello);
	return failures;
}

static Suite *make(void)
{
	Suite *suite = suite_create("reader_child");
	TCase *answers = tcase_create("answers"), *netns = tcase_create("netns");
	TCase *dumps = tcase_create("dumps"), *closes = tcase_create("closes");
	TCase *children = tcase_create("children");

	tcase_add_checked_fixture(answers, setup, teardown);
	tcase_add_test(answers, a_table_arrives);
	tcase_add_test(answers, an_answer_arrives_byte_by_byte);
	tcase_add_test(answers, answers_to_earlier_requests_are_skipped);
	tcase_add_test(answers, the_end_of_the_stream_comes_after_the_answer);
	tcase_add_test(answers, an_answer_without_its_end_is_none);
	suite_add_tcase(suite, answers);
	tcase_add_checked_fixture(netns, setup, teardown);
	tcase_add_test(netns, the_namespace_is_compared);
	tcase_add_loop_test(netns, the_namespace_of_the_process_is_compared, 0, 2);
	suite_add_tcase(suite, netns);
	suite_add_tcase(suite, make_failures());
	tcase_add_checked_fixture(dumps, setup, teardown);
	tcase_add_test(dumps, datagrams_are_parsed_as_a_whole);
	tcase_add_loop_test(dumps, an_invalid_dump_ends_with_the_answer, 0, 3);
	tcase_add_test(dumps, a_dump_without_its_own_end);
	tcase_add_test(dumps, the_text_follows_a_refused_dump);
	suite_add_tcase(suite, dumps);
	tcase_add_checked_fixture(closes, setup, teardown);
	tcase_add_test(closes, closed_sockets_are_reported_without_a_request);
	tcase_add_loop_test(closes, a_child_without_reports_of_closes_reports_why, 0, 3);
	suite_add_tcase(suite, closes);
	tcase_add_test(children, setns_by_descriptor);
	tcase_add_test(children, nsenter_without_permission);
	suite_add_tcase(suite, children);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
