/* SPDX-License-Identifier: MIT */
/* test_connector.c - messages of the process connector, made by hand */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "notify/connector.h"
#include "support/check_main.h"
#include "support/process_message.h"

static uint8_t bytes[PROCESS_MESSAGE_MAX];
static struct process_event event;

START_TEST(the_three_kinds)
{
	size_t size = message_fork(bytes, 100, 200);

	ck_assert_int_eq(process_message_parse(bytes, size, &event), 1);
	ck_assert_int_eq(event.what, PROCESS_FORK);
	ck_assert_int_eq(event.pid, 100);
	ck_assert_int_eq(event.child, 200);
	ck_assert_uint_eq(event.time, MESSAGE_TIME);
	size = message_about(bytes, PROCESS_EXEC, 300, 300);
	ck_assert_int_eq(process_message_parse(bytes, size, &event), 1);
	ck_assert_int_eq(event.what, PROCESS_EXEC);
	ck_assert_int_eq(event.pid, 300);
	ck_assert_int_eq(event.child, 0);
	size = message_about(bytes, PROCESS_EXIT, 400, 400);
	ck_assert_int_eq(process_message_parse(bytes, size, &event), 1);
	ck_assert_int_eq(event.what, PROCESS_EXIT);
	ck_assert_int_eq(event.pid, 400);
}
END_TEST

/* The start of a thread is not a fork, and the exit of a thread is not an exit. A thread that calls
 * exec becomes the process. */
START_TEST(threads)
{
	struct process_record record = {.what = PROCESS_FORK, .tid = 1, .pid = 1};

	record.child_tid = 3;
	record.child_pid = 2;
	ck_assert_int_eq(process_message_parse(bytes, message_make(bytes, &record), &event), 0);
	ck_assert_int_eq(
		process_message_parse(bytes, message_about(bytes, PROCESS_EXIT, 3, 2), &event), 0);
	ck_assert_int_eq(
		process_message_parse(bytes, message_about(bytes, PROCESS_EXEC, 3, 2), &event), 1);
	ck_assert_int_eq(event.pid, 2);
}
END_TEST

START_TEST(other_kinds)
{
	static const uint32_t kinds[] = {0, 4, 0x40, 0x80, 0x100, 0x200, 0x40000000, 0x80000001, 3};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		ck_assert_int_eq(
			process_message_parse(bytes, message_about(bytes, kinds[i], 5, 5), &event),
			0);
}
END_TEST

START_TEST(numbers_that_are_none)
{
	ck_assert_int_eq(
		process_message_parse(bytes, message_about(bytes, PROCESS_EXEC, 0, 0), &event),
		-EBADMSG);
	ck_assert_int_eq(
		process_message_parse(
			bytes, message_about(bytes, PROCESS_EXIT, UINT32_MAX, UINT32_MAX), &event),
		-EBADMSG);
	ck_assert_int_eq(process_message_parse(bytes, message_fork(bytes, 7, 0), &event), -EBADMSG);
	ck_assert_int_eq(process_message_parse(bytes, message_fork(bytes, -1, 7), &event),
	                 -EBADMSG);
	/* The kernel's own threads have no parent with a PID. */
	ck_assert_int_eq(process_message_parse(bytes, message_fork(bytes, 0, 7), &event), 1);
}
END_TEST

START_TEST(cut_short)
{
	size_t size = message_fork(bytes, 100, 200);

	for (size_t cut = 0; cut < size; cut++)
		ck_assert_int_eq(process_message_parse(bytes, cut, &event), -EBADMSG);
}
END_TEST

static void spoil(size_t offset, uint8_t value)
{
	size_t size = message_fork(bytes, 100, 200);

	bytes[offset] = value;
	ck_assert_int_eq(process_message_parse(bytes, size, &event), -EBADMSG);
}

START_TEST(not_of_the_process_connector)
{
	uint8_t much[] = {0xff, 0xff};

	/* Changes either half, for either byte order. */
	for (size_t i = 0; i < 4; i++) {
		spoil(NLMSG_HDRLEN + offsetof(struct cn_msg, id.idx) + i, 7);
		spoil(NLMSG_HDRLEN + offsetof(struct cn_msg, id.val) + i, 7);
	}
	/* Lengths that are greater or less than the message. */
	for (size_t i = 0; i < 4; i++)
		spoil(offsetof(struct nlmsghdr, nlmsg_len) + i, much[0]);
	ck_assert_uint_eq(message_fork(bytes, 100, 200), PROCESS_RECORD + 40);
	memset(bytes + NLMSG_HDRLEN + offsetof(struct cn_msg, len), 0, 2);
	ck_assert_int_eq(process_message_parse(bytes, PROCESS_RECORD + 40, &event), -EBADMSG);
}
END_TEST

START_TEST(requests)
{
	struct nlmsghdr header;
	struct cn_msg connector;
	uint32_t body[2];
	size_t size = process_message_request(bytes, PROCESS_LISTEN, 0x80000003, 12);

	memcpy(&header, bytes, sizeof(header));
	memcpy(&connector, bytes + NLMSG_HDRLEN, sizeof(connector));
	memcpy(body, bytes + PROCESS_RECORD, sizeof(body));
	ck_assert_uint_eq(size, PROCESS_RECORD + 8);
	ck_assert_uint_eq(header.nlmsg_len, size);
	ck_assert_uint_eq(connector.id.idx, CN_IDX_PROC);
	ck_assert_uint_eq(connector.id.val, CN_VAL_PROC);
	ck_assert_uint_eq(connector.len, 8);
	ck_assert_uint_eq(body[0], 1);
	ck_assert_uint_eq(body[1], 0x80000003);
	ck_assert_uint_eq(process_message_request(bytes, PROCESS_IGNORE, PROCESS_ALL, 12),
	                  PROCESS_RECORD + 4);
}
END_TEST

START_TEST(acknowledgements)
{
	int error = -1;
	size_t size = message_ack(bytes, 12, 0);

	ck_assert(process_message_is_ack(bytes, size, 12, &error));
	ck_assert_int_eq(error, 0);
	ck_assert(!process_message_is_ack(bytes, size, 13, &error));
	ck_assert(!process_message_is_ack(bytes, size - 1, 12, &error));
	ck_assert_int_eq(process_message_parse(bytes, size, &event), 0);
	ck_assert(process_message_is_ack(bytes, message_ack(bytes, UINT32_MAX, EPERM), UINT32_MAX,
	                                 &error));
	ck_assert_int_eq(error, EPERM);
	ck_assert(process_message_is_ack(bytes, message_ack(bytes, 1, 1U << 31), 1, &error));
	ck_assert_int_eq(error, EPROTO);
	ck_assert(!process_message_is_ack(bytes, message_fork(bytes, 1, 2), UINT32_MAX, &error));
}
END_TEST

/* --- what the kernel makes of the filter: tested on a pair of sockets */

static struct process_filter filter;
static int ends[2];

static void setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
	process_filter_clear(&filter);
}

static void teardown(void)
{
	close(ends[0]);
	close(ends[1]);
}

static void attach(struct sock_filter *code, unsigned short length)
{
	struct sock_fprog program = {length, code};

	ck_assert_uint_le(length, PROCESS_FILTER_MAX);
	ck_assert_int_eq(
		setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
}

static void apply(void)
{
	struct sock_filter code[PROCESS_FILTER_MAX];

	attach(code, process_filter_make(&filter, code));
}

/* Returns whether a message of this size arrives completely. */
static bool passes(size_t size)
{
	uint8_t received[PROCESS_MESSAGE_MAX];
	ssize_t got;

	ck_assert_int_eq(send(ends[0], bytes, size, 0), (ssize_t)size);
	got = recv(ends[1], received, sizeof(received), MSG_DONTWAIT);
	if (got < 0)
		return false;
	ck_assert_uint_eq((size_t)got, size);
	ck_assert_mem_eq(received, bytes, size);
	return true;
}

static bool fork_passes(pid_t parent)
{
	return passes(message_fork(bytes, parent, 4194303));
}

static bool exec_passes(pid_t pid)
{
	return passes(message_about(bytes, PROCESS_EXEC, (uint32_t)pid, (uint32_t)pid));
}

static bool exit_passes(pid_t pid)
{
	return passes(message_about(bytes, PROCESS_EXIT, (uint32_t)pid, (uint32_t)pid));
}

START_TEST(followed_processes)
{
	/* Numbers that differ in one byte each, for either byte order. */
	static const pid_t pids[] = {0x01020304, 0x01020305, 1, 0x100, 0x10000, 0x1000000, 300};
	static const pid_t others[] = {0x01020303, 0x01020306, 2,         0xff,
	                               0x101,      0x01000001, 0x04030201};

	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++)
		process_filter_add(&filter, pids[i]);
	filter.mark = 0x7fffffff;
	apply();
	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
		ck_assert(fork_passes(pids[i]));
		ck_assert(exec_passes(pids[i]));
		ck_assert(exit_passes(pids[i]));
		ck_assert(!fork_passes(others[i]));
		ck_assert(!exec_passes(others[i]));
		ck_assert(!exit_passes(others[i]));
	}
}
END_TEST

START_TEST(forks_of_young_processes)
{
	process_filter_add(&filter, 70);
	filter.mark = 1000;
	apply();
	ck_assert(!fork_passes(999));
	ck_assert(!fork_passes(1000));
	ck_assert(fork_passes(1001));
	ck_assert(fork_passes(4194303));
	ck_assert(fork_passes(70));
	ck_assert(!exec_passes(1001));
	ck_assert(!exit_passes(1001));
}
END_TEST

START_TEST(forks_of_all)
{
	apply();
	ck_assert(fork_passes(1));
	ck_assert(fork_passes(4194303));
	ck_assert(!exec_passes(1));
	process_filter_add(&filter, 1);
	apply();
	ck_assert(fork_passes(2));
	ck_assert(exec_passes(1));
	ck_assert(!exec_passes(2));
}
END_TEST

START_TEST(threads_and_other_kinds)
{
	static const uint32_t kinds[] = {0, 4, 0x40, 0x80, 0x100, 0x200, 0x40000000, 3, 0x80000001};
	struct process_record record = {
		.what = PROCESS_FORK, .tid = 5, .pid = 5, .child_tid = 8, .child_pid = 5};

	process_filter_add(&filter, 5);
	for (int marked = 0; marked < 2; marked++) {
		filter.mark = marked ? 3 : 0;
		apply();
		ck_assert(!passes(message_make(bytes, &record)));
		ck_assert(!passes(message_about(bytes, PROCESS_EXIT, 6, 5)));
		/* A fork by a thread counts as its process's fork. */
		message_fork(bytes, 5, 9);
		ck_assert(passes(PROCESS_RECORD + sizeof(record)));
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			ck_assert(!passes(message_about(bytes, kinds[i], 5, 5)));
		ck_assert(!passes(message_ack(bytes, 1, 0)));
	}
}
END_TEST

START_TEST(the_filter_and_a_message_cut_short)
{
	size_t whole = message_about(bytes, PROCESS_EXEC, 5, 5);

	process_filter_add(&filter, 5);
	apply();
	ck_assert(passes(whole));
	for (size_t size = 1; size < PROCESS_RECORD + offsetof(struct process_record, child_tid);
	     size++)
		ck_assert(!passes(size));
}
END_TEST

START_TEST(acknowledgements_alone)
{
	struct sock_filter code[PROCESS_FILTER_MAX];

	attach(code, process_filter_make_ack(code));
	ck_assert(passes(message_ack(bytes, 1, 0)));
	ck_assert(!fork_passes(1));
	ck_assert(!exec_passes(1));
	ck_assert(!exit_passes(1));
}
END_TEST

/* Asserts that the ranges are ascending, separate, and no more than fit. */
static void check_ranges(void)
{
	ck_assert_uint_le(filter.count, PROCESS_FILTER_RANGES);
	for (size_t i = 0; i < filter.count; i++) {
		ck_assert_int_le(filter.ranges[i].first, filter.ranges[i].last);
		if (i > 0)
			ck_assert_int_lt(filter.ranges[i - 1].last + 1, filter.ranges[i].first);
	}
}

static bool in_ranges(pid_t pid)
{
	for (size_t i = 0; i < filter.count; i++)
		if (pid >= filter.ranges[i].first && pid <= filter.ranges[i].last)
			return true;
	return false;
}

START_TEST(ranges_grow_together)
{
	static const pid_t pids[] = {10, 12, 11, 13, 9, 20, 15, 14, 16, 18, 19, 17, 12, 9, 20};

	for (size_t i = 0; i < sizeof(pids) / sizeof(pids[0]); i++) {
		process_filter_add(&filter, pids[i]);
		check_ranges();
		ck_assert(in_ranges(pids[i]));
	}
	ck_assert_uint_eq(filter.count, 1);
	ck_assert_int_eq(filter.ranges[0].first, 9);
	ck_assert_int_eq(filter.ranges[0].last, 20);
}
END_TEST

/* The filter contains each added number, in any order. Ranges that are far apart stay separate. */
START_TEST(more_than_fit)
{
	pid_t pids[200];

	srand((unsigned)_i + 1);
	for (size_t i = 0; i < 200; i++) {
		pids[i] = rand() % 4194304 + 1;
		process_filter_add(&filter, pids[i]);
		check_ranges();
		for (size_t j = 0; j <= i; j++)
			ck_assert(in_ranges(pids[j]));
	}
	/* The last number may be in the gap that was closed to make room for the number. */
	ck_assert_uint_ge(filter.count, PROCESS_FILTER_RANGES - 1);
	filter.mark = 0x7fffffff;
	apply();
	for (size_t i = 0; i < 200; i++)
		ck_assert(fork_passes(pids[i]));
}
END_TEST

START_TEST(the_closest_ranges_are_merged)
{
	for (pid_t i = 0; i < PROCESS_FILTER_RANGES; i++)
		process_filter_add(&filter, 1000 * (i + 1));
	process_filter_add(&filter, 5005);
	check_ranges();
	ck_assert_uint_eq(filter.count, PROCESS_FILTER_RANGES);
	process_filter_add(&filter, 9999999);
	check_ranges();
	ck_assert(in_ranges(5002));
	ck_assert(!in_ranges(5006));
	ck_assert(!in_ranges(9999998));
	ck_assert(in_ranges(9999999));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("connector");
	TCase *parse = tcase_create("parse"), *ask = tcase_create("ask");
	TCase *program = tcase_create("program"), *ranges = tcase_create("ranges");

	tcase_add_test(parse, the_three_kinds);
	tcase_add_test(parse, threads);
	tcase_add_test(parse, other_kinds);
	tcase_add_test(parse, numbers_that_are_none);
	tcase_add_test(parse, cut_short);
	tcase_add_test(parse, not_of_the_process_connector);
	suite_add_tcase(suite, parse);
	tcase_add_test(ask, requests);
	tcase_add_test(ask, acknowledgements);
	suite_add_tcase(suite, ask);
	tcase_add_checked_fixture(program, setup, teardown);
	tcase_add_test(program, followed_processes);
	tcase_add_test(program, forks_of_young_processes);
	tcase_add_test(program, forks_of_all);
	tcase_add_test(program, threads_and_other_kinds);
	tcase_add_test(program, the_filter_and_a_message_cut_short);
	tcase_add_test(program, acknowledgements_alone);
	suite_add_tcase(suite, program);
	tcase_add_checked_fixture(ranges, setup, teardown);
	tcase_add_test(ranges, ranges_grow_together);
	tcase_add_loop_test(ranges, more_than_fit, 0, 20);
	tcase_add_test(ranges, the_closest_ranges_are_merged);
	suite_add_tcase(suite, ranges);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
