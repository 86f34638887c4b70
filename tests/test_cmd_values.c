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
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
