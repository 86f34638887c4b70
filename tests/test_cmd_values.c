/* SPDX-License-Identifier: MIT */
/* test_cmd_values.c - the values that options take */
#include "../cmd/values.h"
#include "support/check_main.h"

START_TEST(choices_are_whole_words)
{
	ck_assert_int_eq(values_choice("auto", "auto|diag|procfs"), 0);
	ck_assert_int_eq(values_choice("procfs", "auto|diag|procfs"), 2);
	ck_assert_int_eq(values_choice("proc", "auto|diag|procfs"), -1);
	ck_assert_int_eq(values_choice("procfsx", "auto|diag|procfs"), -1);
	ck_assert_int_eq(values_choice("auto|diag", "auto|diag|procfs"), -1);
	ck_assert_int_eq(values_choice("AUTO", "auto|diag|procfs"), -1);
	ck_assert_int_eq(values_choice("", "auto|diag|procfs"), -1);
}
END_TEST

START_TEST(lists_are_sets_of_choices)
{
	unsigned int bits = 0;

	ck_assert(values_list("end", "open|close|end", &bits));
	ck_assert_uint_eq(bits, 4);
	ck_assert(values_list("close,open,close", "open|close|end", &bits));
	ck_assert_uint_eq(bits, 3);
}
END_TEST

static const char *const bad_lists[] = {"",      ",",        "open,",      ",open", "open,,end",
                                        " open", "open end", "open;close", "opened"};

START_TEST(bad_lists_are_refused)
{
	unsigned int bits = 42;

	ck_assert(!values_list(bad_lists[_i], "open|close|end", &bits));
	ck_assert_uint_eq(bits, 42);
}
END_TEST

static const struct {
	const char *word;
	unsigned int milliseconds;
} good_seconds[] = {
	{"1", 1000},         {"0.5", 500},  {".25", 250},     {"2.", 2000},
	{"0.001", 1},        {"0.0001", 1}, {"1.0001", 1001}, {"0.010000000000000000000000", 10},
	{"86400", 86400000}, {"007", 7000},
};

START_TEST(seconds_become_milliseconds)
{
	unsigned int milliseconds = 0;

	ck_assert(values_seconds(good_seconds[_i].word, &milliseconds));
	ck_assert_uint_eq(milliseconds, good_seconds[_i].milliseconds);
}
END_TEST

static const char *const bad_seconds[] = {"",
                                          ".",
                                          "0",
                                          "0.0",
                                          "-1",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "1s",
                                          "1e3",
                                          "0x10",
                                          "1,5",
                                          "nan",
                                          "inf",
                                          "86400.001",
                                          "86401",
                                          "99999999999999999999",
                                          "1.2.3"};

START_TEST(bad_seconds_are_refused)
{
	unsigned int milliseconds = 42;

	ck_assert(!values_seconds(bad_seconds[_i], &milliseconds));
	ck_assert_uint_eq(milliseconds, 42);
}
END_TEST

START_TEST(pids_are_positive_numbers)
{
	pid_t pid = 0;

	ck_assert(values_pid("1", &pid));
	ck_assert_int_eq(pid, 1);
	ck_assert(values_pid("2147483647", &pid));
	ck_assert_int_eq(pid, 2147483647);
}
END_TEST

static const char *const bad_pids[] = {"",    "0",  "-1",   "+1",         " 1",
                                       "1 ",  "1x", "0x10", "2147483648", "18446744073709551617",
                                       "self"};

START_TEST(bad_pids_are_refused)
{
	pid_t pid = 42;

	ck_assert(!values_pid(bad_pids[_i], &pid));
	ck_assert_int_eq(pid, 42);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

START_TEST(ports_and_ranges)
{
	struct values_ports ports;

	ck_assert(values_ports("80,3000-3002,65535", &ports));
	ck_assert_uint_eq(ports.count, 3);
	ck_assert(values_has_port(&ports, 80) && values_has_port(&ports, 3000) &&
	          values_has_port(&ports, 3002) && values_has_port(&ports, 65535));
	ck_assert(!values_has_port(&ports, 79) && !values_has_port(&ports, 81) &&
	          !values_has_port(&ports, 3003) && !values_has_port(&ports, 0));
	ck_assert(values_ports("5-5", &ports) && values_has_port(&ports, 5));
	ports.count = 0;
	ck_assert(values_has_port(&ports, 1));
}
END_TEST

static const char *const bad_ports[] = {"", ",", "80,", ",80", "0", "65536", "80-", "-80", "90-80",
                                        "80-90-100", "http", "80 81", "80, 81", "0-10", "1-65536",
                                        "+80", "0x50", "80;81", "99999999999999999999",
                                        /* One more than there may be. */
                                        ("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,"
                                         "23,24,25,26,27,28,29,30,31,32,33")};

START_TEST(bad_ports_are_refused)
{
	struct values_ports ports = {.count = 42};

	ck_assert(!values_ports(bad_ports[_i], &ports));
	ck_assert_uint_eq(ports.count, 42);
}
END_TEST

START_TEST(numbers_have_a_limit)
{
	unsigned int number = 42;

	ck_assert(!values_number("", 9, &number) && !values_number("10", 9, &number) &&
	          !values_number("1x", 9, &number) && !values_number("-1", 9, &number));
	ck_assert_uint_eq(number, 42);
	ck_assert(values_number("9", 9, &number));
	ck_assert_uint_eq(number, 9);
	ck_assert(values_number("0", 9, &number));
	ck_assert_uint_eq(number, 0);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cmd_values");
	TCase *tcase = tcase_create("values");

	tcase_add_test(tcase, choices_are_whole_words);
	tcase_add_test(tcase, lists_are_sets_of_choices);
	tcase_add_loop_test(tcase, bad_lists_are_refused, 0, COUNT(bad_lists));
	tcase_add_loop_test(tcase, seconds_become_milliseconds, 0, COUNT(good_seconds));
	tcase_add_loop_test(tcase, bad_seconds_are_refused, 0, COUNT(bad_seconds));
	tcase_add_test(tcase, pids_are_positive_numbers);
	tcase_add_loop_test(tcase, bad_pids_are_refused, 0, COUNT(bad_pids));
	tcase_add_test(tcase, ports_and_ranges);
	tcase_add_loop_test(tcase, bad_ports_are_refused, 0,
	                    (int)(sizeof(bad_ports) / sizeof(bad_ports[0])));
	tcase_add_test(tcase, numbers_have_a_limit);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
