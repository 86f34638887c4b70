/* SPDX-License-Identifier: MIT */
/* test_cmd_options.c - the command line of pwatch */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../cmd/options.h"
#include "support/check_main.h"

static struct options options;
static char error[OPTIONS_ERROR_MAX];
static char *words[16];

static void free_options(void)
{
	options_free(&options);
}

/* Parses words separated by blanks; "@" stands for an empty one. */
static int parse(const char *line)
{
	static char copy[256];
	char *position = NULL;
	int count = 0;

	snprintf(copy, sizeof(copy), "pwatch %s", line);
	for (char *word = strtok_r(copy, " ", &position); word && count < 15;
	     word = strtok_r(NULL, " ", &position))
		words[count++] = strcmp(word, "@") == 0 ? word + 1 : word;
	words[count] = NULL;
	options_free(&options);
	return options_parse(&options, count, words, error);
}

START_TEST(defaults)
{
	ck_assert_int_eq(parse("1234"), 0);
	ck_assert_int_eq(options.action, OPTIONS_WATCH);
	ck_assert_int_eq(options.json, 0);
	ck_assert_int_eq(options.once, 0);
	ck_assert_uint_eq(options.events, PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE);
	ck_assert_uint_eq(options.interval, 0);
	ck_assert_int_eq(options.addresses, PORTWATCH_ADDRESSES_DEFAULT);
	ck_assert_int_eq(options.scope, PORTWATCH_SCOPE_TREE);
	ck_assert_int_eq(options.reader, PORTWATCH_READER_AUTO);
	ck_assert_int_eq(options.table, PORTWATCH_TABLE_AUTO);
	ck_assert_int_eq(options.log_level, PORTWATCH_LOG_WARNING);
	ck_assert_int_eq(options.notify, 1);
	ck_assert_int_eq(options.stats, 0);
	ck_assert_ptr_null(options.output);
	ck_assert_ptr_null(options.command);
	ck_assert_uint_eq(options.pid_count, 1);
	ck_assert_int_eq(options.pids[0], 1234);
}
END_TEST

static void check_all_set(void)
{
	ck_assert_int_eq(options.json, 1);
	ck_assert_int_eq(options.once, 1);
	ck_assert_uint_eq(options.events, PORTWATCH_EVENT_CLOSE | PORTWATCH_EVENT_END);
	ck_assert_uint_eq(options.interval, 250);
	ck_assert_int_eq(options.addresses, PORTWATCH_ADDRESSES_ALL);
	ck_assert_int_eq(options.scope, PORTWATCH_SCOPE_NETNS);
	ck_assert_str_eq(options.output, "file");
	ck_assert_int_eq(options.notify, 0);
	ck_assert_int_eq(options.stats, 1);
	ck_assert_int_eq(options.log_level, PORTWATCH_LOG_INFO);
	ck_assert_int_eq(options.pids[0], 7);
}

START_TEST(long_and_short_names_are_the_same)
{
	ck_assert_int_eq(parse("--json --once --events=close,end --interval=0.25 --addresses all "
	                       "--scope=netns --output=file --no-notify --stats --verbose 7"),
	                 0);
	check_all_set();
	ck_assert_int_eq(
		parse("-j1 -e close,end -i.25 -Aall -s netns -o file --no-notify --stats -v "
	              "7"),
		0);
	check_all_set();
}
END_TEST

/* The table names the choices in the order of the enumerations. */
START_TEST(choices_are_those_of_the_library)
{
	static const char *const addresses[] = {"default", "loopback", "all"};
	char line[64];
	const char *name;
	int count = 0;

	for (int i = 0; (name = portwatch_reader_name((enum portwatch_reader)i)); i++, count++) {
		snprintf(line, sizeof(line), "--reader=%s 1", name);
		ck_assert_int_eq(parse(line), 0);
		ck_assert_int_eq(options.reader, i);
	}
	ck_assert_int_eq(count, 5);
	for (int i = 0; (name = portwatch_table_name((enum portwatch_table)i)); i++, count++) {
		snprintf(line, sizeof(line), "--table=%s 1", name);
		ck_assert_int_eq(parse(line), 0);
		ck_assert_int_eq(options.table, i);
	}
	ck_assert_int_eq(count, 8);
	for (int i = 0; i < 3; i++) {
		snprintf(line, sizeof(line), "--addresses=%s 1", addresses[i]);
		ck_assert_int_eq(parse(line), 0);
		ck_assert_int_eq(options.addresses, i);
	}
}
END_TEST

START_TEST(options_and_pids_mix_and_pids_count_once)
{
	ck_assert_int_eq(parse("5 -j 6 5 05 -q"), 0);
	ck_assert_uint_eq(options.pid_count, 2);
	ck_assert_int_eq(options.pids[0], 5);
	ck_assert_int_eq(options.pids[1], 6);
	ck_assert_int_eq(options.json, 1);
	ck_assert_int_eq(options.log_level, PORTWATCH_LOG_ERROR);
}
END_TEST

START_TEST(all_after_two_dashes_is_the_command)
{
	ck_assert_int_eq(parse("-j -- ls -l -- 12"), 0);
	ck_assert_ptr_eq(options.command, &words[3]);
	ck_assert_str_eq(options.command[1], "-l");
	ck_assert_uint_eq(options.pid_count, 0);
	/* a number too */
	ck_assert_int_eq(parse("-- 1234"), 0);
	ck_assert_str_eq(options.command[0], "1234");
	/* as the value of an option they are none */
	ck_assert_int_eq(parse("-o -- 12"), 0);
	ck_assert_str_eq(options.output, "--");
	ck_assert_uint_eq(options.pid_count, 1);
}
END_TEST

START_TEST(help_and_version_win_over_what_follows)
{
	ck_assert_int_eq(parse("-h --frobnicate"), 0);
	ck_assert_int_eq(options.action, OPTIONS_HELP);
	ck_assert_int_eq(parse("--version"), 0);
	ck_assert_int_eq(options.action, OPTIONS_VERSION);
}
END_TEST

START_TEST(check_takes_one_pid_or_none)
{
	ck_assert_int_eq(parse("--check"), 0);
	ck_assert_int_eq(options.action, OPTIONS_CHECK);
	ck_assert_uint_eq(options.pid_count, 0);
	ck_assert_int_eq(parse("--check -j 7"), 0);
	ck_assert_int_eq(options.action, OPTIONS_CHECK);
	ck_assert_int_eq(options.json, 1);
	ck_assert_int_eq(options.pids[0], 7);
	ck_assert_int_eq(parse("--check --help"), 0);
	ck_assert_int_eq(options.action, OPTIONS_HELP);
}
END_TEST

static const struct {
	const char *line;
	const char *message;
} refused[] = {
	{"", "nothing to watch; give a process ID, or -- and a command; pwatch --help says more"},
	{"--", "nothing to watch; give a process ID, or -- and a command; pwatch --help says more"},
	{"python3", "'python3' is not a process ID; give a number, or -- before a command"},
	{"@", "'' is not a process ID; give a number, or -- before a command"},
	{"1 -- ls", "give either process IDs or a command after --, not both"},
	{"-1 -- ls", "option --once is for process IDs, not for a command"},
	{"--check -- ls", "option --check is for one process ID, or none"},
	{"--check 1 2", "option --check is for one process ID, or none"},
	{"-Z 1", "unknown option '-Z'; pwatch --help lists the options"},
	{"-jZ 1", "unknown option '-Z'; pwatch --help lists the options"},
	{"--frob 1", "unknown or ambiguous option '--frob'; pwatch --help lists the options"},
	{"--ver 1", "unknown or ambiguous option '--ver'; pwatch --help lists the options"},
	{"--json=x 1", "'--json=x': this option takes no value"},
	{"1 -o", "option --output needs a value; allowed: the name of a file"},
	{"1 --reader",
         "option --reader needs a value; allowed: auto, local, setns, nsenter and procfs"},
	{"-e opne 1", "option --events: 'opne' is not allowed; allowed: a list of open, close and "
                      "end, such as open,close"},
	{"-i 0 1", "option --interval: '0' is not allowed; allowed: 0.001 to 86400 seconds"},
	{"-A most 1", "option --addresses: 'most' is not allowed; allowed: default, loopback and "
                      "all"},
	{"-s @ 1", "option --scope: '' is not allowed; allowed: tree and netns"},
	{"--table=text 1", "option --table: 'text' is not allowed; allowed: auto, diag and procfs"},
	{"-o @ 1", "option --output: '' is not allowed; allowed: the name of a file"},
};

START_TEST(refusals_name_option_value_and_what_is_allowed)
{
	ck_assert_int_eq(parse(refused[_i].line), -EINVAL);
	ck_assert_str_eq(error, refused[_i].message);
}
END_TEST

START_TEST(a_long_value_leaves_room_for_what_is_allowed)
{
	char line[220] = "--reader=";

	memset(line + strlen(line), 'x', sizeof(line) - strlen(line) - 1);
	ck_assert_int_eq(parse(line), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error, "procfs"));
}
END_TEST

START_TEST(help_lists_every_option)
{
	static const char *const names[] = {"json",      "events",      "once",   "interval",
	                                    "addresses", "scope",       "output", "reader",
	                                    "table",     "no-notify", "check",  "stats",
	                                    "quiet",     "verbose",     "help",   "version"};
	char help[OPTIONS_HELP_MAX], name[32];

	ck_assert_uint_eq(options_help(help), strlen(help));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), " --%s", names[i]);
		ck_assert_msg(strstr(help, name), "%s", name);
	}
	ck_assert_ptr_nonnull(strstr(help, "127 COMMAND not found.\n"));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cmd_options");
	TCase *tcase = tcase_create("options");

	tcase_add_checked_fixture(tcase, NULL, free_options);
	tcase_add_test(tcase, defaults);
	tcase_add_test(tcase, long_and_short_names_are_the_same);
	tcase_add_test(tcase, choices_are_those_of_the_library);
	tcase_add_test(tcase, options_and_pids_mix_and_pids_count_once);
	tcase_add_test(tcase, all_after_two_dashes_is_the_command);
	tcase_add_test(tcase, help_and_version_win_over_what_follows);
	tcase_add_test(tcase, check_takes_one_pid_or_none);
	tcase_add_loop_test(tcase, refusals_name_option_value_and_what_is_allowed, 0,
	                    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tcase, a_long_value_leaves_room_for_what_is_allowed);
	tcase_add_test(tcase, help_lists_every_option);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
