/* SPDX-License-Identifier: MIT */
/* test_expectation.c - listeners that the notifier has told of and no read has shown yet */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "support/check_main.h"
#include "util/clock.h"
#include "watch/expectation.h"

static struct expectations expected;
static struct snapshot table;

static void setup(void)
{
	memset(&expected, 0, sizeof(expected));
	memset(&table, 0, sizeof(table));
}

static void teardown(void)
{
	snapshot_clear(&table);
}

static void tell(bool listening, uint16_t port, uint64_t socket)
{
	struct tcp_change change = {
		.listening = listening,
		.family = AF_INET,
		.port = port,
		.address = {127, 0, 0, 1},
		.socket = socket,
	};

	expectations_change(&expected, &change);
}

static void show(uint16_t port)
{
	struct listener listener = {
		.family = AF_INET,
		.port = port,
		.inode = 1000 + port,
		.address = {127, 0, 0, 1},
	};

	ck_assert_int_eq(snapshot_add(&table, &listener), 0);
	snapshot_seal(&table);
}

static unsigned int milliseconds(void)
{
	return (unsigned int)(expectations_read(&expected, &table) / NSEC_PER_MSEC);
}

START_TEST(nothing_expected_means_no_further_read)
{
	ck_assert_uint_eq(milliseconds(), 0);
	tell(false, 80, 1);
	ck_assert_uint_eq(milliseconds(), 0);
}
END_TEST

START_TEST(reads_again_after_1_4_16_milliseconds_and_gives_up)
{
	tell(true, 80, 1);
	show(81);
	ck_assert_uint_eq(milliseconds(), 1);
	ck_assert_uint_eq(milliseconds(), 4);
	ck_assert_uint_eq(milliseconds(), 16);
	ck_assert_uint_eq(milliseconds(), 0);
	ck_assert_uint_eq(expected.count, 0);
}
END_TEST

START_TEST(is_met_when_the_table_shows_it)
{
	tell(true, 80, 1);
	ck_assert_uint_eq(milliseconds(), 1);
	show(79);
	show(80);
	ck_assert_uint_eq(milliseconds(), 0);
}
END_TEST

START_TEST(is_withdrawn_by_a_close)
{
	tell(true, 80, 1);
	tell(true, 81, 2);
	tell(false, 80, 1);
	ck_assert_uint_eq(expected.count, 1);
	show(81);
	ck_assert_uint_eq(milliseconds(), 0);
}
END_TEST

START_TEST(an_unknown_port_is_read_for_as_often)
{
	tell(true, 0, 1);
	show(80);
	ck_assert_uint_eq(milliseconds(), 1);
	ck_assert_uint_eq(milliseconds(), 4);
	ck_assert_uint_eq(milliseconds(), 16);
	ck_assert_uint_eq(milliseconds(), 0);
}
END_TEST

START_TEST(mapped_addresses_are_met_as_ipv4)
{
	struct tcp_change change = {
		.listening = true,
		.family = AF_INET6,
		.port = 80,
		.address = {[10] = 0xff, 0xff, 127, 0, 0, 1},
		.socket = 1,
	};

	expectations_change(&expected, &change);
	show(80);
	ck_assert_uint_eq(milliseconds(), 0);
}
END_TEST

START_TEST(another_address_does_not_meet_it)
{
	struct tcp_change change = {
		.listening = true,
		.family = AF_INET,
		.port = 80,
		.socket = 1,
	};

	expectations_change(&expected, &change);
	show(80);
	ck_assert_uint_eq(milliseconds(), 1);
}
END_TEST

START_TEST(more_than_fit_are_read_for_all_the_same)
{
	for (unsigned int i = 0; i < EXPECTATIONS_MAX + 1; i++)
		tell(true, (uint16_t)(1 + i), 1 + i);
	for (unsigned int i = 0; i < EXPECTATIONS_MAX; i++)
		show((uint16_t)(1 + i));
	ck_assert_uint_eq(milliseconds(), 1);
	ck_assert_uint_eq(milliseconds(), 4);
	ck_assert_uint_eq(milliseconds(), 16);
	ck_assert_uint_eq(milliseconds(), 0);
	ck_assert(!expected.overflow);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("expectation");
	TCase *all = tcase_create("expectation");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, nothing_expected_means_no_further_read);
	tcase_add_test(all, reads_again_after_1_4_16_milliseconds_and_gives_up);
	tcase_add_test(all, is_met_when_the_table_shows_it);
	tcase_add_test(all, is_withdrawn_by_a_close);
	tcase_add_test(all, an_unknown_port_is_read_for_as_often);
	tcase_add_test(all, mapped_addresses_are_met_as_ipv4);
	tcase_add_test(all, another_address_does_not_meet_it);
	tcase_add_test(all, more_than_fit_are_read_for_all_the_same);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
