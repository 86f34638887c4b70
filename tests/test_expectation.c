/* SPDX-License-Identifier: MIT */
/* test_expectation.c - listeners that the notifier has reported and no read has shown yet */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "support/check_main.h"
#include "util/clock.h"
#include "watch/expectation.h"

static struct expectations expected;
static struct snapshot known, table;
static unsigned int overdue;

static void setup(void)
{
	memset(&expected, 0, sizeof(expected));
	memset(&known, 0, sizeof(known));
	memset(&table, 0, sizeof(table));
	overdue = 0;
}

static void teardown(void)
{
	snapshot_clear(&known);
	snapshot_clear(&table);
}

static void ignore(void *data, enum snapshot_change change, const struct listener *listener)
{
	(void)data, (void)change, (void)listener;
}

static void report_change(bool listening, uint16_t port, uint64_t socket)
{
	struct tcp_change change = {
		.listening = listening,
		.family = AF_INET,
		.port = port,
		.address = {127, 0, 0, 1},
		.socket = socket,
		.pid = 42,
		.tid = 43,
	};

	expectations_change(&expected, &change);
}

static void show_socket(uint16_t port, uint64_t inode)
{
	struct listener listener = {
		.family = AF_INET,
		.port = port,
		.inode = inode,
		.address = {127, 0, 0, 1},
	};

	ck_assert_int_eq(snapshot_add(&table, &listener), 0);
	snapshot_seal(&table);
}

static void show(uint16_t port)
{
	show_socket(port, 1000 + port);
}

static void note_overdue(void *data, const struct expectation *expectation)
{
	ck_assert_ptr_eq(data, &expected);
	ck_assert_uint_eq(expectation->listener.port, 80);
	ck_assert_int_eq(expectation->pid, 42);
	ck_assert_int_eq(expectation->tid, 43);
	overdue++;
}

/* Returns the duration of a read and the pause after the read. */
static unsigned int milliseconds(void)
{
	uint64_t pause = expectations_read(&expected, &known, &table, note_overdue, &expected);

	snapshot_update(&known, &table, ignore, NULL);
	return (unsigned int)(pause / NSEC_PER_MSEC);
}

static void no_change(void *data, struct holder_set *set)
{
	(void)data, (void)set;
}

static void no_end(void *data, struct holder *holder)
{
	(void)data, (void)holder;
}

/* Reports that a process holds a socket. Returns whether any listener is still expected. */
static bool attribute(uint64_t inode, pid_t pid)
{
	struct holder_answer answer;
	struct holder_set set;
	struct holders holders;
	bool expects;

	holders_init(&holders, no_change, no_end, NULL);
	holder_set_init(&set);
	holder_answer_begin(&answer, &holders, pid, 1, false);
	holder_answer_holds(&answer, &set);
	ck_assert_int_eq(holder_answer_end(&answer, true), 0);
	expects = expectations_attribute(&expected, inode, &set);
	holder_set_clear(&holders, &set);
	holders_clear(&holders);
	return expects;
}

/* Reads without success as often as the library searches for an expected listener. */
static void read_in_vain(void)
{
	for (unsigned int pause = 1; pause <= 1024; pause *= 4)
		ck_assert_uint_eq(milliseconds(), pause);
	ck_assert_uint_eq(milliseconds(), 0);
}

START_TEST(without_expectations_no_read_is_due)
{
	ck_assert_uint_eq(milliseconds(), 0);
	report_change(false, 80, 1);
	ck_assert_uint_eq(milliseconds(), 0);
}
END_TEST

START_TEST(reads_again_at_longer_and_longer_pauses_and_gives_up)
{
	report_change(true, 80, 1);
	show(81);
	ck_assert_uint_eq(milliseconds(), 1);
	ck_assert_uint_eq(milliseconds(), 4);
	ck_assert_uint_eq(milliseconds(), 16);
	ck_assert_uint_eq(overdue, 0);
	ck_assert_uint_eq(milliseconds(), 64);
	ck_assert_uint_eq(overdue, 1);
	ck_assert_uint_eq(milliseconds(), 256);
	ck_assert_uint_eq(milliseconds(), 1024);
	ck_assert_uint_eq(expected.count, 1);
	ck_assert_uint_eq(milliseconds(), 0);
	ck_assert_uint_eq(expected.count, 0);
	ck_assert_uint_eq(overdue, 1);
}
END_TEST

/* SO_REUSEPORT: the row of another socket is not the one that was reported. */
START_TEST(a_known_row_does_not_meet_the_expectation)
{
	show_socket(80, 1);
	ck_assert_uint_eq(milliseconds(), 0);
	report_change(true, 80, 1);
	read_in_vain();
	ck_assert_uint_eq(overdue, 1);
}
END_TEST

/* One of the rows is new, but the new row may belong to another socket: that of an outsider. */
START_TEST(a_shared_port_is_read_for_as_often)
{
	show_socket(80, 1);
	ck_assert_uint_eq(milliseconds(), 0);
	report_change(true, 80, 1);
	show_socket(80, 2);
	read_in_vain();
	ck_assert_uint_eq(overdue, 0);
}
END_TEST

START_TEST(a_row_that_is_missing_for_a_moment_is_known)
{
	show_socket(80, 1);
	ck_assert_uint_eq(milliseconds(), 0);
	snapshot_reset(&table);
	ck_assert_uint_eq(milliseconds(), 0);
	report_change(true, 80, 1);
	show_socket(80, 1);
	ck_assert_uint_eq(milliseconds(), 1);
}
END_TEST

START_TEST(is_met_when_the_process_holds_the_only_row)
{
	report_change(true, 80, 1);
	ck_assert_uint_eq(milliseconds(), 1);
	show(79);
	show(80);
	ck_assert_uint_eq(milliseconds(), 4);
	ck_assert(attribute(1079, 42));
	ck_assert(!attribute(1080, 42));
	ck_assert_uint_eq(milliseconds(), 0);
	ck_assert_uint_eq(overdue, 0);
}
END_TEST

/* Another process has begun to listen on the port since the last read, which may be hours ago. */
START_TEST(is_not_met_by_the_row_of_another_process)
{
	report_change(true, 80, 1);
	show_socket(80, 1);
	ck_assert_uint_eq(milliseconds(), 1);
	ck_assert(attribute(1, 41));
	show_socket(80, 2);
	ck_assert_uint_eq(milliseconds(), 4);
	ck_assert(attribute(2, 42));
	ck_assert_uint_eq(milliseconds(), 16);
	ck_assert_uint_eq(overdue, 0);
}
END_TEST

START_TEST(a_loss_is_read_for_as_often)
{
	expectations_lost(&expected);
	show(80);
	ck_assert_uint_eq(milliseconds(), 1);
	ck_assert(attribute(1080, 42));
	for (unsigned int pause = 4; pause <= 1024; pause *= 4)
		ck_assert_uint_eq(milliseconds(), pause);
	ck_assert_uint_eq(milliseconds(), 0);
}
END_TEST

START_TEST(is_withdrawn_by_a_close)
{
	report_change(true, 80, 1);
	report_change(true, 81, 2);
	report_change(false, 80, 1);
	ck_assert_uint_eq(expected.count, 1);
	show(81);
	ck_assert_uint_eq(milliseconds(), 1);
	ck_assert(!attribute(1081, 42));
}
END_TEST

START_TEST(an_unknown_port_is_read_for_as_often)
{
	report_change(true, 0, 1);
	show(80);
	read_in_vain();
	ck_assert_uint_eq(overdue, 0);
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
		.pid = 42,
	};

	expectations_change(&expected, &change);
	show(80);
	ck_assert_uint_eq(milliseconds(), 1);
	ck_assert(!attribute(1080, 42));
}
END_TEST

START_TEST(another_address_does_not_meet_the_expectation)
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
	ck_assert(attribute(1080, 42));
}
END_TEST

START_TEST(more_than_fit_are_read_for_all_the_same)
{
	for (unsigned int i = 0; i < EXPECTATIONS_MAX + 1; i++)
		report_change(true, (uint16_t)(1 + i), 1 + i);
	for (unsigned int i = 0; i < EXPECTATIONS_MAX; i++)
		show((uint16_t)(1 + i));
	read_in_vain();
	ck_assert(!expected.overflow);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("expectation");
	TCase *all = tcase_create("expectation");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, without_expectations_no_read_is_due);
	tcase_add_test(all, reads_again_at_longer_and_longer_pauses_and_gives_up);
	tcase_add_test(all, a_known_row_does_not_meet_the_expectation);
	tcase_add_test(all, a_shared_port_is_read_for_as_often);
	tcase_add_test(all, a_row_that_is_missing_for_a_moment_is_known);
	tcase_add_test(all, is_met_when_the_process_holds_the_only_row);
	tcase_add_test(all, is_not_met_by_the_row_of_another_process);
	tcase_add_test(all, a_loss_is_read_for_as_often);
	tcase_add_test(all, is_withdrawn_by_a_close);
	tcase_add_test(all, an_unknown_port_is_read_for_as_often);
	tcase_add_test(all, mapped_addresses_are_met_as_ipv4);
	tcase_add_test(all, another_address_does_not_meet_the_expectation);
	tcase_add_test(all, more_than_fit_are_read_for_all_the_same);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
