/* SPDX-License-Identifier: MIT */
/* test_process_message.c - messages of the process connector, made by hand */
#include <errno.h>
#include <string.h>

#include "notify/process_message.h"
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

/* A thread that begins is no fork, one that ends no exit. The thread that calls exec is the process
 * from then on. */
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
	/* The kernel's own threads have no parent with a number. */
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

	/* Either half, whatever the byte order. */
	for (size_t i = 0; i < 4; i++) {
		spoil(NLMSG_HDRLEN + offsetof(struct cn_msg, id.idx) + i, 7);
		spoil(NLMSG_HDRLEN + offsetof(struct cn_msg, id.val) + i, 7);
	}
	/* Lengths that promise more or less than there is. */
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

static Suite *make_suite(void)
{
	Suite *suite = suite_create("process_message");
	TCase *parse = tcase_create("parse"), *ask = tcase_create("ask");

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
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
