/* SPDX-License-Identifier: MIT */
/* test_log.c - messages to the log function of a watcher */
#include <errno.h>
#include <string.h>

#include "support/check_main.h"
#include "table/step.h"
#include "util/clock.h"
#include "watch/log.h"

#define WARNINGS_MAX 10

static struct log sink;
static unsigned int messages;
static char last[LOG_TEXT];

static void take(struct portwatch *watcher, enum portwatch_log_level level, const char *message,
                 void *user_data)
{
	(void)watcher;
	(void)level;
	(void)user_data;
	messages++;
	strcpy(last, message);
}

static void setup(void)
{
	sink = (struct log){
		.callback = take,
		.level = PORTWATCH_LOG_DEBUG,
		.warnings_max = WARNINGS_MAX,
	};
	messages = 0;
}

static void write_many(enum portwatch_log_level level, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		log_write(&sink, level, "namespace %u", i);
}

/* Advances the time of the log. */
static void pass(unsigned int seconds)
{
	sink.allowed -= seconds * NSEC_PER_SEC;
}

START_TEST(many_warnings_at_once_are_a_few)
{
	write_many(PORTWATCH_LOG_WARNING, 2000);
	/* On a slow machine each second allows further messages. */
	ck_assert_uint_ge(messages, WARNINGS_MAX);
	ck_assert_uint_lt(messages, 2000);
	ck_assert_ptr_null(strstr(last, "left out"));
}
END_TEST

START_TEST(each_watcher_has_its_own)
{
	struct log other = sink;

	write_many(PORTWATCH_LOG_WARNING, 2000);
	messages = 0;
	log_write(&other, PORTWATCH_LOG_WARNING, "mine");
	ck_assert_uint_eq(messages, 1);
}
END_TEST

START_TEST(the_next_warning_has_the_number_left_out)
{
	write_many(PORTWATCH_LOG_WARNING, WARNINGS_MAX);
	sink.left_out = 7;
	sink.left_out_ever = 7;
	pass(2);
	log_write(&sink, PORTWATCH_LOG_WARNING, "one");
	ck_assert_str_eq(last, "one (7 more warnings were left out before)");
	log_write(&sink, PORTWATCH_LOG_WARNING, "another");
	ck_assert_str_eq(last, "another");
	ck_assert_uint_eq(sink.left_out_ever, 7);
	write_many(PORTWATCH_LOG_WARNING, 2000);
	ck_assert_uint_gt(sink.left_out_ever, 1000);
}
END_TEST

START_TEST(after_a_while_the_allowance_is_whole_and_no_more)
{
	write_many(PORTWATCH_LOG_WARNING, WARNINGS_MAX);
	pass(1000000);
	messages = 0;
	write_many(PORTWATCH_LOG_WARNING, 2000);
	ck_assert_uint_ge(messages, WARNINGS_MAX);
	ck_assert_uint_lt(messages, 2000);
}
END_TEST

START_TEST(only_warnings_are_left_out)
{
	write_many(PORTWATCH_LOG_ERROR, 100);
	write_many(PORTWATCH_LOG_INFO, 100);
	write_many(PORTWATCH_LOG_DEBUG, 100);
	ck_assert_uint_eq(messages, 300);
}
END_TEST

START_TEST(unprintable_bytes_are_not_printed)
{
	log_write(&sink, PORTWATCH_LOG_INFO, "a\nb\x1b\xff");
	ck_assert_str_eq(last, "a?b??");
}
END_TEST

START_TEST(a_limit_is_called_by_its_name)
{
	struct failure files = {"do it", EMFILE}, processes = {STEP_START_CHILD, EAGAIN};
	struct failure interrupted = {STEP_READ_DIAG, EAGAIN};

	ck_assert_ptr_nonnull(strstr(log_remedy(&files), "RLIMIT_NOFILE"));
	ck_assert_ptr_nonnull(strstr(log_remedy(&processes), "RLIMIT_NPROC"));
	ck_assert_str_eq(log_remedy(&interrupted), "");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("log");
	TCase *all = tcase_create("log");

	tcase_add_checked_fixture(all, setup, NULL);
	tcase_add_test(all, many_warnings_at_once_are_a_few);
	tcase_add_test(all, each_watcher_has_its_own);
	tcase_add_test(all, the_next_warning_has_the_number_left_out);
	tcase_add_test(all, after_a_while_the_allowance_is_whole_and_no_more);
	tcase_add_test(all, only_warnings_are_left_out);
	tcase_add_test(all, unprintable_bytes_are_not_printed);
	tcase_add_test(all, a_limit_is_called_by_its_name);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
