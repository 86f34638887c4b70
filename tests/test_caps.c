/* SPDX-License-Identifier: MIT */
/* test_caps.c - capabilities are raised for one purpose, lowered after it, and given up */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/caps.h"
#include "portwatch.h"
#include "support/check_main.h"
#include "support/skip.h"
#include "support/wrap.h"

static const cap_value_t useful[] = {CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH};
#define USEFUL ((int)(sizeof(useful) / sizeof(useful[0])))

/* CAP_PERFMON and CAP_BPF by their numbers, because some headers do not have them. */
static const cap_value_t also_used[] = {38, 39, CAP_NET_ADMIN, CAP_SETPCAP};
#define ALSO_USED ((int)(sizeof(also_used) / sizeof(also_used[0])))

static bool is_one_of(cap_value_t capability, const cap_value_t *set, int count)
{
	for (int i = 0; i < count; i++)
		if (set[i] == capability)
			return true;
	return false;
}

/* Returns all capabilities of the calling thread as text. The caller frees the text. */
static char *state(void)
{
	cap_t caps = cap_get_proc();
	char *text = cap_to_text(caps, NULL), *copy = strdup(text);

	cap_free(text);
	cap_free(caps);
	return copy;
}

static bool is_permitted(cap_value_t capability)
{
	cap_flag_value_t value = CAP_CLEAR;
	cap_t caps = cap_get_proc();

	cap_get_flag(caps, capability, CAP_PERMITTED, &value);
	cap_free(caps);
	return value == CAP_SET;
}

/* Starts as a program with file capabilities does: the capabilities are permitted but not
 * effective. */
static void start_like_a_file(void)
{
	cap_t caps = cap_get_proc();

	wrap_reset();
	for (int i = 0; i < USEFUL; i++)
		if (!is_permitted(useful[i]))
			test_skip("takes capabilities");
	cap_clear_flag(caps, CAP_EFFECTIVE);
	ck_assert_int_eq(cap_set_proc(caps), 0);
	cap_free(caps);
}

START_TEST(raised_capabilities_are_lowered)
{
	char *before, *after;
	caps_set taken;

	start_like_a_file();
	before = state();
	taken = caps_begin(CAPS_READ_PROCESS);
	ck_assert(caps_effective(CAP_SYS_PTRACE));
	ck_assert(caps_effective(CAP_DAC_READ_SEARCH));
	ck_assert(!caps_effective(CAP_SYS_ADMIN));
	caps_end(taken);
	after = state();
	ck_assert_str_eq(after, before);
	free(after);
	free(before);
}
END_TEST

/* Also if libcap has no memory, or a call is refused once. */
START_TEST(raised_capabilities_are_lowered_after_failures)
{
	static const char *const calls[] = {"cap_get_proc", "cap_set_flag", "cap_set_proc"};
	caps_set taken;

	start_like_a_file();
	taken = caps_begin(CAPS_READ_PROCESS);
	ck_assert_uint_ne(taken, 0);
	wrap_fail(calls[_i], WRAP_ANYWHERE, 1, 1, ENOMEM);
	(void)wrap_inside((caps_end(taken), 0));
	ck_assert_uint_eq(wrap_struck(), 1);
	ck_assert(!caps_effective(CAP_SYS_PTRACE));
	ck_assert(!caps_effective(CAP_DAC_READ_SEARCH));
}
END_TEST

START_TEST(capabilities_that_cannot_be_raised_are_unchanged)
{
	static const char *const calls[] = {"cap_get_proc", "cap_set_proc"};

	start_like_a_file();
	wrap_fail(calls[_i], WRAP_ANYWHERE, 1, 1, EPERM);
	ck_assert_uint_eq(wrap_inside(caps_begin(CAPS_READ_PROCESS)), 0);
	ck_assert_uint_eq(wrap_struck(), 1);
	ck_assert(!caps_effective(CAP_SYS_PTRACE));
}
END_TEST

/* Only the capabilities that the library uses remain permitted. None of them becomes effective. */
START_TEST(the_rest_is_given_up)
{
	start_like_a_file();
	ck_assert_int_eq(portwatch_limit_privileges(), 0);
	for (cap_value_t capability = 0; capability <= CAP_LAST_CAP; capability++) {
		bool kept = is_one_of(capability, useful, USEFUL) ||
		            is_one_of(capability, also_used, ALSO_USED);

		ck_assert_msg(kept || !is_permitted(capability), "%d is kept", (int)capability);
		ck_assert(!caps_effective(capability));
	}
	for (int i = 0; i < USEFUL; i++)
		ck_assert(is_permitted(useful[i]));
	/* A second call succeeds, as do all later ones. */
	ck_assert_int_eq(portwatch_limit_privileges(), 0);
}
END_TEST

/* CAP_SYS_PTRACE replaces all others. Without CAP_SYS_PTRACE no capability is given up permanently:
 * the kernel compares the capabilities of the other process with those that are effective here. */
START_TEST(capabilities_that_reading_needs_are_kept)
{
	static const cap_value_t own[] = {CAP_CHOWN, CAP_NET_BIND_SERVICE};
	cap_t caps = cap_init();
	char *before, *after;
	caps_set taken;

	start_like_a_file();
	ck_assert_int_eq(cap_set_flag(caps, CAP_PERMITTED, 2, own, CAP_SET), 0);
	ck_assert_int_eq(cap_set_flag(caps, CAP_EFFECTIVE, 2, own, CAP_SET), 0);
	if (cap_set_proc(caps) < 0)
		test_skip("takes capabilities");
	cap_free(caps);
	ck_assert_int_eq(portwatch_limit_privileges(), 0);
	before = state();
	for (int i = 0; i < 2; i++) {
		ck_assert(is_permitted(own[i]));
		ck_assert(!caps_effective(own[i]));
	}
	ck_assert_uint_eq(caps_begin(CAPS_NOTIFIER), 0);
	taken = caps_begin(CAPS_READ_PROCESS);
	ck_assert(caps_effective(own[0]) && caps_effective(own[1]));
	caps_end(taken);
	after = state();
	ck_assert_str_eq(after, before);
	free(after);
	free(before);
}
END_TEST

static const struct {
	const char *call;
	int error, result;
} failures[] = {
	{"cap_set_proc", EPERM, -EPERM},
	{"cap_get_proc", ENOMEM, -ENOMEM},
	{"cap_init", ENOMEM, -ENOMEM},
};
#define FAILURES ((int)(sizeof(failures) / sizeof(failures[0])))

/* After a failure, nothing has changed, and the caller gets the error. */
START_TEST(capabilities_that_cannot_be_given_up_are_reported)
{
	char *before, *after;

	wrap_reset();
	before = state();
	wrap_fail(failures[_i].call, WRAP_ANYWHERE, 1, 1, failures[_i].error);
	ck_assert_int_eq(wrap_inside(portwatch_limit_privileges()), failures[_i].result);
	ck_assert_uint_eq(wrap_struck(), 1);
	after = state();
	ck_assert_str_eq(after, before);
	free(after);
	free(before);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("caps");
	TCase *raise = tcase_create("raise"), *limit = tcase_create("limit");

	tcase_add_test(raise, raised_capabilities_are_lowered);
	tcase_add_loop_test(raise, raised_capabilities_are_lowered_after_failures, 0, 3);
	tcase_add_loop_test(raise, capabilities_that_cannot_be_raised_are_unchanged, 0, 2);
	suite_add_tcase(suite, raise);
	tcase_add_test(limit, the_rest_is_given_up);
	tcase_add_test(limit, capabilities_that_reading_needs_are_kept);
	tcase_add_loop_test(limit, capabilities_that_cannot_be_given_up_are_reported, 0, FAILURES);
	suite_add_tcase(suite, limit);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
