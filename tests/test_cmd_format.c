/* SPDX-License-Identifier: MIT */
/* test_cmd_format.c - how events are printed */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "../cmd/format.h"
#include "support/check_main.h"

/* 2026-11-22 12:00:01.123456789 UTC */
#define MOMENT 1795348801123456789U

static char line[FORMAT_LINE_MAX];

static void set_timezone(void)
{
	setenv("TZ", "UTC-1", 1); /* an hour east */
	tzset();
}

static struct format_fields make_open(void)
{
	return (struct format_fields){
		.realtime = MOMENT,
		.kind = PORTWATCH_EVENT_OPEN,
		.id = 9,
		.family = AF_INET,
		.address = "127.0.0.1",
		.port = 8000,
		.pid = 4242,
		.process = "python3",
		.owners = 1,
		.netns = 4026531840,
		.inode = 12345,
	};
}

static struct format_fields make_end(void)
{
	return (struct format_fields){
		.realtime = MOMENT,
		.kind = PORTWATCH_EVENT_END,
		.address = "",
		.pid = 4242,
		.process = "",
	};
}

static const char *format_text(const struct format_fields *fields, bool colour)
{
	struct format_style style = {.colour = colour, .own_netns = 4026531840};

	ck_assert_uint_eq(format_line(fields, &style, line), strlen(line));
	return line;
}

static const char *format_json(const struct format_fields *fields)
{
	struct format_style style = {.json = true, .colour = true};

	ck_assert_uint_eq(format_line(fields, &style, line), strlen(line));
	return line;
}

START_TEST(text_of_ipv4)
{
	struct format_fields fields = make_open();

	ck_assert_str_eq(format_text(&fields, false),
	                 "13:00:01.123 open   127.0.0.1:8000         python3[4242]\n");
	fields.kind = PORTWATCH_EVENT_CLOSE;
	ck_assert_str_eq(format_text(&fields, false),
	                 "13:00:01.123 close  127.0.0.1:8000         python3[4242]\n");
	fields.kind = PORTWATCH_EVENT_OWNER;
	ck_assert_str_eq(format_text(&fields, false),
	                 "13:00:01.123 owner  127.0.0.1:8000         python3[4242]\n");
}
END_TEST

START_TEST(text_with_a_date)
{
	struct format_style style = {.date = true, .own_netns = 4026531840};
	struct format_fields fields = make_open();

	format_line(&fields, &style, line);
	ck_assert_str_eq(line, "2026-11-22 13:00:01.123 open   127.0.0.1:8000         "
	                       "python3[4242]\n");
}
END_TEST

START_TEST(text_of_ipv6_has_brackets)
{
	struct format_fields fields = make_open();

	fields.family = AF_INET6;
	fields.address = "::";
	ck_assert_str_eq(format_text(&fields, false),
	                 "13:00:01.123 open   [::]:8000              python3[4242]\n");
	/* An address that is wider than its column is not cut. */
	fields.address = "2001:db8:1111:2222:3333:4444:5555:6666";
	ck_assert_str_eq(format_text(&fields, false),
	                 "13:00:01.123 open   [2001:db8:1111:2222:3333:4444:5555:6666]:8000  "
	                 "python3[4242]\n");
}
END_TEST

START_TEST(text_shows_unusual_values)
{
	struct format_fields fields = make_open();

	fields.owners = 3;
	fields.netns = 4026532000;
	ck_assert_str_eq(format_text(&fields, false),
	                 "13:00:01.123 open   127.0.0.1:8000         python3[4242] (3 owners)"
	                 "  netns 4026532000\n");
	fields.pid = 0;
	fields.process = "";
	fields.owners = 0;
	ck_assert_str_eq(format_text(&fields, false),
	                 "13:00:01.123 open   127.0.0.1:8000         -  netns 4026532000\n");
	fields.pid = 7;
	fields.netns = 0;
	ck_assert_str_eq(format_text(&fields, false),
	                 "13:00:01.123 open   127.0.0.1:8000         ?[7]  netns ?\n");
}
END_TEST

START_TEST(text_of_the_end)
{
	struct format_fields fields = make_end();

	ck_assert_str_eq(format_text(&fields, false),
	                 "13:00:01.123 end    -                      tree of 4242\n");
}
END_TEST

START_TEST(colour_is_in_the_kind_alone)
{
	struct format_fields fields = make_open();

	ck_assert_str_eq(format_text(&fields, true),
	                 "13:00:01.123 \033[32mopen \033[0m  127.0.0.1:8000         "
	                 "python3[4242]\n");
	ck_assert_ptr_null(strchr(format_json(&fields), '\033'));
}
END_TEST

START_TEST(text_escapes_the_name)
{
	struct format_fields fields = make_open();

	fields.process = "\033[2J\nopen\\";
	ck_assert_str_eq(format_text(&fields, false), "13:00:01.123 open   127.0.0.1:8000         "
	                                              "\\x1b[2J\\x0aopen\\x5c[4242]\n");
}
END_TEST

START_TEST(command_lines_in_the_place_of_names)
{
	struct format_style style = {.processes = true, .own_netns = 4026531840};
	struct format_fields fields = make_open();

	fields.command = "python3 -m http.server\n";
	format_line(&fields, &style, line);
	ck_assert_str_eq(line, "13:00:01.123 open   127.0.0.1:8000         "
	                       "python3 -m http.server\\x0a[4242]\n");
	fields.command = "";
	format_line(&fields, &style, line);
	ck_assert_str_eq(line, "13:00:01.123 open   127.0.0.1:8000         python3[4242]\n");
}
END_TEST

START_TEST(json_has_all_keys_in_order)
{
	struct format_fields fields = make_open();

	ck_assert_str_eq(format_json(&fields),
	                 "{\"time\":\"2026-11-22T12:00:01.123456Z\",\"event\":\"open\","
	                 "\"address\":\"127.0.0.1\",\"port\":8000,\"family\":\"inet\","
	                 "\"pid\":4242,\"process\":\"python3\",\"owners\":1,"
	                 "\"netns\":4026531840,\"inode\":12345,\"initial\":false,\"id\":9}\n");
	fields.kind = PORTWATCH_EVENT_CLOSE;
	fields.family = AF_INET6;
	fields.address = "::1";
	fields.initial = true;
	ck_assert_str_eq(format_json(&fields),
	                 "{\"time\":\"2026-11-22T12:00:01.123456Z\",\"event\":\"close\","
	                 "\"address\":\"::1\",\"port\":8000,\"family\":\"inet6\","
	                 "\"pid\":4242,\"process\":\"python3\",\"owners\":1,"
	                 "\"netns\":4026531840,\"inode\":12345,\"initial\":true,\"id\":9}\n");
}
END_TEST

START_TEST(json_has_null_for_the_unknown)
{
	struct format_fields fields = make_end();

	ck_assert_str_eq(format_json(&fields),
	                 "{\"time\":\"2026-11-22T12:00:01.123456Z\",\"event\":\"end\","
	                 "\"address\":null,\"port\":null,\"family\":null,"
	                 "\"pid\":4242,\"process\":null,\"owners\":null,"
	                 "\"netns\":null,\"inode\":null,\"initial\":false,\"id\":null}\n");
}
END_TEST

START_TEST(json_escapes_the_name)
{
	struct format_fields fields = make_open();

	fields.process = "\"a\\\n\xff";
	ck_assert_ptr_nonnull(
		strstr(format_json(&fields), "\"process\":\"\\\"a\\\\\\u000a\\ufffd\",\"owners\""));
}
END_TEST

/* The kernel's names have at most 15 bytes. A longer name must not break the line. */
START_TEST(a_long_name_is_cut_and_the_line_stays_whole)
{
	char name[5000];
	struct format_fields fields = make_open();

	memset(name, '\n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	fields.process = name;
	format_json(&fields);
	ck_assert_ptr_nonnull(strstr(line, "\\u000a\",\"owners\":1,"));
	ck_assert_ptr_nonnull(strstr(line, "\"initial\":false,\"id\":9}\n"));
	format_text(&fields, false);
	ck_assert_ptr_nonnull(strstr(line, "\\x0a[4242]\n"));
}
END_TEST

static const char *format_own(const struct format_fields *fields, const char *format)
{
	struct format_style style = {.format = format};

	ck_assert(format_is_valid(format));
	ck_assert_uint_eq(format_line(fields, &style, line), strlen(line));
	return line;
}

START_TEST(a_user_format)
{
	struct format_fields fields = make_open();

	ck_assert_str_eq(format_own(&fields, "{address}:{port} {pid}\\t{process}"),
	                 "127.0.0.1:8000 4242\tpython3\n");
	ck_assert_str_eq(format_own(&fields, "{time} {event} {family} {owners} {netns} {inode} "
	                                     "{initial} {id}"),
	                 "2026-11-22T12:00:01.123456Z open inet 1 4026531840 12345 false 9\n");
	ck_assert_str_eq(format_own(&fields, "{{{port}}} 100% \\\\ \\n%s"),
	                 "{8000} 100% \\ \n%s\n");
	ck_assert_str_eq(format_own(&fields, ""), "\n");
	/* Unknown values. */
	fields = make_end();
	ck_assert_str_eq(format_own(&fields, "{event} {address} {port} {process} {inode}"),
	                 "end - - - -\n");
}
END_TEST

/* A process name cannot imitate other output, and a line always ends with a newline. */
START_TEST(a_user_format_is_escaped)
{
	struct format_fields fields = make_open();
	char name[FORMAT_NAME_MAX + 1], format[FORMAT_TEXT_MAX + 2] = "";

	fields.process = "a\nopen 22\033[2J";
	ck_assert_str_eq(format_own(&fields, "{process}"), "a\\x0aopen 22\\x1b[2J\n");
	memset(name, '\n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	fields.process = name;
	for (int i = 0; i < FORMAT_TEXT_MAX / 9; i++)
		strcat(format, "{process}");
	format_own(&fields, format);
	ck_assert_uint_lt(strlen(line), FORMAT_LINE_MAX);
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
	memset(format, 'x', sizeof(format) - 1);
	format[sizeof(format) - 1] = '\0';
	ck_assert(!format_is_valid(format));
	format[sizeof(format) - 2] = '\0';
	ck_assert(format_is_valid(format));
}
END_TEST

static const char *const bad_formats[] = {
	"{",   "}",       "{}",      "{prt}", "{port", "{Port}",   "{ports}", "{por}",    "{{}",
	"a}b", "{{port}", "{port }", "\\x",   "\\",    "{port}\\", "{\\n}",   "{port\n}", "\\e[0m"};

START_TEST(bad_forms_are_refused)
{
	ck_assert(!format_is_valid(bad_formats[_i]));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cmd_format");
	TCase *tcase = tcase_create("format");

	tcase_add_checked_fixture(tcase, set_timezone, NULL);
	tcase_add_test(tcase, text_of_ipv4);
	tcase_add_test(tcase, text_with_a_date);
	tcase_add_test(tcase, text_of_ipv6_has_brackets);
	tcase_add_test(tcase, text_shows_unusual_values);
	tcase_add_test(tcase, text_of_the_end);
	tcase_add_test(tcase, colour_is_in_the_kind_alone);
	tcase_add_test(tcase, text_escapes_the_name);
	tcase_add_test(tcase, command_lines_in_the_place_of_names);
	tcase_add_test(tcase, json_has_all_keys_in_order);
	tcase_add_test(tcase, json_has_null_for_the_unknown);
	tcase_add_test(tcase, json_escapes_the_name);
	tcase_add_test(tcase, a_long_name_is_cut_and_the_line_stays_whole);
	tcase_add_test(tcase, a_user_format);
	tcase_add_test(tcase, a_user_format_is_escaped);
	tcase_add_loop_test(tcase, bad_forms_are_refused, 0,
	                    (int)(sizeof(bad_formats) / sizeof(bad_formats[0])));
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
