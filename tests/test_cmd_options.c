/* SPDX-License-Identifier: MIT */
/* test_cmd_options.c - the command line of pwatch */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../cmd/format.h"
#include "../cmd/options.h"
#include "support/check_main.h"

static struct options options;
static char error[OPTIONS_ERROR_MAX];
static char *words[16];

static void free_options(void)
{
	options_free(&options);
}

/* Parses words that are separated by blanks; "@" stands for an empty word. */
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
	ck_assert_int_eq(options.fd, -1);
	ck_assert_int_eq(options.wait, 0);
	ck_assert_uint_eq(options.timeout, 0);
	ck_assert_uint_eq(options.ports.count, 0);
	ck_assert_ptr_null(options.format);
	ck_assert_ptr_null(options.exec);
	ck_assert_int_eq(options.colour, OPTIONS_COLOUR_AUTO);
	ck_assert_ptr_null(options.command);
	ck_assert_uint_eq(options.pid_count, 1);
	ck_assert_int_eq(options.pids[0], 1234);
}
END_TEST

static void check_all_set(void)
{
	ck_assert_int_eq(options.json, 1);
	ck_assert_uint_eq(options.settle, 500);
	ck_assert_uint_eq(options.events,
	                  PORTWATCH_EVENT_CLOSE | PORTWATCH_EVENT_END | PORTWATCH_EVENT_OWNER);
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
	ck_assert_int_eq(parse("--json --settle=0.5 --events=close,end,owner --interval=0.25 "
	                       "--addresses all "
	                       "--scope=netns --output=file --no-notify --stats --verbose 7"),
	                 0);
	check_all_set();
	ck_assert_int_eq(parse("-j --settle=.5 -e close,end,owner -i.25 -Aall -s netns -o file "
	                       "--no-notify --stats -v "
	                       "7"),
	                 0);
	check_all_set();
}
END_TEST

START_TEST(options_of_the_output)
{
	ck_assert_int_eq(parse("--wait=3000 -t 1.5 --format={port} --fd=7 1"), 0);
	ck_assert_int_eq(options.wait, 1);
	ck_assert_uint_eq(options.wait_port, 3000);
	ck_assert_uint_eq(options.timeout, 1500);
	ck_assert_str_eq(options.format, "{port}");
	ck_assert_int_eq(options.fd, 7);
	ck_assert_int_eq(parse("--color=always 1"), 0);
	ck_assert_int_eq(options.colour, OPTIONS_COLOUR_ALWAYS);
	ck_assert_int_eq(parse("--once --processes 1"), 0);
	ck_assert_int_eq(options.once, 1);
	ck_assert_int_eq(options.processes, 1);
	ck_assert_int_eq(parse("-1 1"), 0);
	ck_assert_int_eq(options.once, 1);
	/* --wait takes a value only in the same word. */
	ck_assert_int_eq(parse("--ports=80,90-99 --wait 3000"), 0);
	ck_assert_int_eq(options.wait, 1);
	ck_assert_uint_eq(options.wait_port, 0);
	ck_assert_int_eq(options.pids[0], 3000);
	ck_assert(values_has_port(&options.ports, 95) && !values_has_port(&options.ports, 100));
}
END_TEST

START_TEST(a_first_operand_that_is_no_number_is_a_command)
{
	ck_assert_int_eq(parse("-j npm run dev -j 12 --frobnicate"), 0);
	ck_assert_ptr_eq(options.command, &words[2]);
	ck_assert_str_eq(options.command[3], "-j");
	ck_assert_uint_eq(options.pid_count, 0);
	ck_assert_int_eq(parse("7z"), 0);
	ck_assert_str_eq(options.command[0], "7z");
}
END_TEST

START_TEST(process_ids_are_also_options)
{
	ck_assert_int_eq(parse("-p 5,6 --pid=7 8 -p5"), 0);
	ck_assert_uint_eq(options.pid_count, 4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(options.pids[i], 5 + i);
}
END_TEST

/* The table has the choices in the order of the enumerations. */
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
	/* after an option, the word is the option's value */
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
	{"", "nothing to watch; give a process ID or a command; pwatch --help shows more"},
	{"--", "nothing to watch; give a process ID or a command; pwatch --help shows more"},
	{"@", "'' is not a process ID; give a number, or -- before a command"},
	{"0", "'0' is not a process ID; give a number, or -- before a command"},
	{"1,2", "'1,2' is not a process ID; give a number, or -- before a command"},
	{"99999999999", "'99999999999' is not a process ID; give a number, or -- before a command"},
	{"1 -- ls", "give either process IDs or a command, not both"},
	{"-p 1 -- ls", "give either process IDs or a command, not both"},
	{"1 ls", "'ls' is not a process ID; give either process IDs or a command"},
	{"-p 1,x", "option --pid: '1,x' is not allowed; allowed: process IDs, separated by commas"},
	{"-p @", "option --pid: '' is not allowed; allowed: process IDs, separated by commas"},
	{"--wait=0 1", "option --wait: '0' is not allowed; allowed: a port from 1 to 65535"},
	{"--wait= 1", "option --wait: '' is not allowed; allowed: a port from 1 to 65535"},
	{"-t 0 1", "option --timeout: '0' is not allowed; allowed: 0.001 to 86400 seconds"},
	{"--fd=-1 1",
         "option --fd: '-1' is not allowed; allowed: the number of an open descriptor"},
	{"--ports=80,0 1", "option --ports: '80,0' is not allowed; allowed: ports and ranges of "
                           "ports, such as 80,3000-3999"},
	{"--color=blue 1",
         "option --color: 'blue' is not allowed; allowed: auto, always and never"},
	{"--format={prt} 1", "option --format: '{prt}' is not allowed; allowed: " FORMAT_ALLOWED},
	{"--settle=0 1", "option --settle: '0' is not allowed; allowed: 0.001 to 86400 seconds"},
	{"-1 --settle=1 1", "options --once and --settle contradict each other"},
	{"--exec= 1", "option --exec: '' is not allowed; allowed: a shell command"},
	{"--wait --exec=x 1", "options --wait and --exec contradict each other"},
	{"-1 -e open 1", "options --once and --events contradict each other"},
	{"-j --processes 1", "options --json and --processes contradict each other"},
	{"-1 --wait 1", "options --once and --wait contradict each other"},
	{"-qv 1", "options --quiet and --verbose contradict each other"},
	{"--format=x -j 1", "options --json and --format contradict each other"},
	{"-o x --fd=1 1", "options --output and --fd contradict each other"},
	{"--check --once 1", "options --check and --once contradict each other"},
	{"--wait=1 --ports=1 1", "options --wait=PORT and --ports contradict each other"},
	{"-1 -- ls", "option --once is for process IDs, not for a command"},
	{"--live ls", "option --live is for process IDs, not for a command"},
	{"--check -- ls", "option --check is for one process ID, or none"},
	{"--check 1 2", "option --check is for one process ID, or none"},
	{"-Z 1", "unknown option '-Z'; pwatch --help lists the options"},
	{"-jZ 1", "unknown option '-Z'; pwatch --help lists the options"},
	{"--frob 1", "unknown option '--frob'; pwatch --help lists the options"},
	{"--= 1", "unknown option '--='; pwatch --help lists the options"},
	{"--ver 1", "ambiguous option '--ver'; it could be --verbose, --version"},
	{"--f=x 1", "ambiguous option '--f=x'; it could be --format, --fd"},
	{"--json=x 1", "'--json=x': this option takes no value"},
	{"1 -o",
         "option --output needs a value; allowed: the name of a file, or - for standard output"},
	{"1 --reader",
         "option --reader needs a value; allowed: auto, local, setns, nsenter and procfs"},
	{"-e opne 1", "option --events: 'opne' is not allowed; allowed: a list of open, close, "
                      "end and owner, such as open,close"},
	{"-i 0 1", "option --interval: '0' is not allowed; allowed: 0.001 to 86400 seconds"},
	{"-A most 1", "option --addresses: 'most' is not allowed; allowed: default, loopback and "
                      "all"},
	{"-s @ 1", "option --scope: '' is not allowed; allowed: tree and netns"},
	{"--table=text 1", "option --table: 'text' is not allowed; allowed: auto, diag and procfs"},
	{"-o @ 1", "option --output: '' is not allowed; allowed: the name of a file, or - for "
                   "standard output"},
};

START_TEST(refusals_name_option_value_and_what_is_allowed)
{
	ck_assert_int_eq(parse(refused[_i].line), -EINVAL);
	ck_assert_str_eq(error, refused[_i].message);
}
END_TEST

/* The option words from which all contradicting pairs are made. */
static const char *const words_of_options[] = {
	"--pid=1",   "--once",       "--wait=1",        "--timeout=1",  "--events=open",
	"--ports=1", "--settle=1",   "--addresses=all", "--scope=tree", "--processes",
	"--json",    "--format=x",   "--color=auto",    "--output=x",   "--fd=1",
	"--exec=x",  "--interval=1", "--reader=auto",   "--table=auto", "--no-notify",
	"--live",    "--check",      "--stats",         "--quiet",      "--verbose"};

static const char *const pairs[] = {
	"live once",     "live wait",        "live events",  "live settle",  "live json",
	"live format",   "live output",      "live fd",      "live exec",    "live check",
	"live verbose",  "once wait",        "once timeout", "once events",  "once settle",
	"once check",    "wait events",      "wait settle",  "wait exec",    "wait processes",
	"wait color",    "wait check",       "wait ports",   "json format",  "json processes",
	"json color",    "format processes", "format color", "output fd",    "quiet verbose",
	"check timeout", "check events",     "check ports",  "check settle", "check processes",
	"check format",  "check color",      "check exec",   "check stats"};

/* Returns whether a pair has both names, in any order. */
static bool has_pair(const char *one, const char *other)
{
	char pair[2][64];
	int first = (int)strcspn(one + 2, "="), second = (int)strcspn(other + 2, "=");

	snprintf(pair[0], sizeof(pair[0]), "%.*s %.*s", first, one + 2, second, other + 2);
	snprintf(pair[1], sizeof(pair[1]), "%.*s %.*s", second, other + 2, first, one + 2);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (strcmp(pairs[i], pair[0]) == 0 || strcmp(pairs[i], pair[1]) == 0)
			return true;
	return false;
}

START_TEST(contradictions_are_refused)
{
	const size_t count = sizeof(words_of_options) / sizeof(words_of_options[0]);
	char line[80];

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++) {
			const char *one = words_of_options[i], *other = words_of_options[j];
			bool refused_pair = i != j && has_pair(one, other);

			snprintf(line, sizeof(line), "%s %s 1", one, other);
			ck_assert_msg(parse(line) == (refused_pair ? -EINVAL : 0), "%s: %s", line,
			              error);
			free_options();
		}
	}
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
	static const char *const names[] = {
		"pid",       "live",      "once",   "wait",     "timeout", "events", "ports",
		"addresses", "scope",     "json",   "format",   "color",   "output", "fd",
		"exec",      "processes", "settle", "interval", "reader",  "table",  "no-notify",
		"check",     "stats",     "quiet",  "verbose",  "help",    "version"};
	char help[OPTIONS_HELP_MAX], name[32];
	const char *line, *end;

	ck_assert_uint_eq(options_help(help), strlen(help));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), " --%s", names[i]);
		ck_assert_msg(strstr(help, name), "%s", name);
	}
	for (line = help; (end = strchr(line, '\n')); line = end + 1)
		ck_assert_msg(end - line <= 80, "too wide: %.*s", (int)(end - line), line);
	ck_assert_ptr_nonnull(strstr(help, "127 COMMAND not found."));
	/* The examples are at the end. */
	line = strstr(help, "\nExamples:\n");
	ck_assert_ptr_nonnull(line);
	for (int i = 0; i < 5; i++)
		ck_assert_ptr_nonnull(line = strchr(line, '\n') + 1);
	ck_assert_str_eq(line, "");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cmd_options");
	TCase *tcase = tcase_create("options");

	tcase_add_checked_fixture(tcase, NULL, free_options);
	tcase_add_test(tcase, defaults);
	tcase_add_test(tcase, long_and_short_names_are_the_same);
	tcase_add_test(tcase, options_of_the_output);
	tcase_add_test(tcase, a_first_operand_that_is_no_number_is_a_command);
	tcase_add_test(tcase, process_ids_are_also_options);
	tcase_add_test(tcase, choices_are_those_of_the_library);
	tcase_add_test(tcase, options_and_pids_mix_and_pids_count_once);
	tcase_add_test(tcase, all_after_two_dashes_is_the_command);
	tcase_add_test(tcase, help_and_version_win_over_what_follows);
	tcase_add_test(tcase, check_takes_one_pid_or_none);
	tcase_add_loop_test(tcase, refusals_name_option_value_and_what_is_allowed, 0,
	                    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tcase, contradictions_are_refused);
	tcase_add_test(tcase, a_long_value_leaves_room_for_what_is_allowed);
	tcase_add_test(tcase, help_lists_every_option);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
