/* SPDX-License-Identifier: MIT */
/* test_names.c - the names of the values of the public enumerations */
#include <string.h>

#include "portwatch.h"
#include "support/check_main.h"

static const char *reader(int value)
{
	return portwatch_reader_name((enum portwatch_reader)value);
}

static const char *table(int value)
{
	return portwatch_table_name((enum portwatch_table)value);
}

static const char *notifier(int value)
{
	return portwatch_notifier_name((enum portwatch_notifier)value);
}

static const char *stat(int value)
{
	return portwatch_stat_name((enum portwatch_stat)value);
}

static const struct {
	const char *(*name)(int value);
	int last;
} enumerations[] = {
	{reader, PORTWATCH_READER_PROCFS},
	{table, PORTWATCH_TABLE_PROCFS},
	{notifier, PORTWATCH_NOTIFIER_DESTROY},
	{stat, PORTWATCH_STAT_WARNINGS_LEFT_OUT},
};
#define ENUMERATIONS ((int)(sizeof(enumerations) / sizeof(enumerations[0])))

START_TEST(names_are_those_of_the_command)
{
	ck_assert_str_eq(reader(PORTWATCH_READER_AUTO), "auto");
	ck_assert_str_eq(reader(PORTWATCH_READER_LOCAL), "local");
	ck_assert_str_eq(reader(PORTWATCH_READER_SETNS), "setns");
	ck_assert_str_eq(reader(PORTWATCH_READER_NSENTER), "nsenter");
	ck_assert_str_eq(reader(PORTWATCH_READER_PROCFS), "procfs");
	ck_assert_str_eq(table(PORTWATCH_TABLE_AUTO), "auto");
	ck_assert_str_eq(table(PORTWATCH_TABLE_DIAG), "diag");
	ck_assert_str_eq(table(PORTWATCH_TABLE_PROCFS), "procfs");
	ck_assert_str_eq(notifier(PORTWATCH_NOTIFIER_NONE), "polling");
	ck_assert_str_eq(notifier(PORTWATCH_NOTIFIER_BPF), "bpf");
	ck_assert_str_eq(notifier(PORTWATCH_NOTIFIER_TRACEPOINT), "tracepoint");
	ck_assert_str_eq(notifier(PORTWATCH_NOTIFIER_PERF), "perf");
	ck_assert_str_eq(notifier(PORTWATCH_NOTIFIER_CONNECTOR), "connector");
	ck_assert_str_eq(notifier(PORTWATCH_NOTIFIER_DESTROY), "destroy");
}
END_TEST

START_TEST(names_of_statistics)
{
	static const struct {
		enum portwatch_stat stat;
		const char *name;
	} names[] = {
		{PORTWATCH_STAT_READS, "reads"},
		{PORTWATCH_STAT_FAILED_READS, "failed reads"},
		{PORTWATCH_STAT_ROWS, "rows"},
		{PORTWATCH_STAT_EVENTS, "events"},
		{PORTWATCH_STAT_TREE_READS, "tree reads"},
		{PORTWATCH_STAT_HELPERS, "helpers started"},
		{PORTWATCH_STAT_RESTARTS, "readers restarted"},
		{PORTWATCH_STAT_CPU, "CPU time (ns)"},
		{PORTWATCH_STAT_MEMBERS, "members"},
		{PORTWATCH_STAT_SOCKETS_LEFT_OUT, "sockets left out"},
		{PORTWATCH_STAT_WARNINGS_LEFT_OUT, "warnings left out"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_str_eq(stat(names[i].stat), names[i].name);
}
END_TEST

/* A host lists the values of an enumeration: it ends at the first value without a name. */
START_TEST(each_value_has_a_name_of_its_own)
{
	for (int value = 0; value <= enumerations[_i].last; value++) {
		const char *name = enumerations[_i].name(value);

		ck_assert_ptr_nonnull(name);
		ck_assert_uint_gt(strlen(name), 0);
		for (int other = 0; other < value; other++)
			ck_assert_str_ne(name, enumerations[_i].name(other));
	}
}
END_TEST

START_TEST(other_values_have_none)
{
	static const int values[] = {1, 2, 1000, 0x7fffffff};
	int last = enumerations[_i].last;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		ck_assert_ptr_null(enumerations[_i].name(
			values[i] > 0x7fffffff - last ? values[i] : last + values[i]));
	ck_assert_ptr_null(enumerations[_i].name(-1));
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("names");
	TCase *all = tcase_create("names");

	tcase_add_test(all, names_are_those_of_the_command);
	tcase_add_test(all, names_of_statistics);
	tcase_add_loop_test(all, each_value_has_a_name_of_its_own, 0, ENUMERATIONS);
	tcase_add_loop_test(all, other_values_have_none, 0, ENUMERATIONS);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
