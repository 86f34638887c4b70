/* SPDX-License-Identifier: MIT */
/* test_cmd_listing.c - the table of open ports */
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../cmd/listing.h"
#include "support/check_main.h"

#define OWN 4026531840

static struct listing listing;
static const struct format_fields *rows[16];
static struct listing_columns columns;
static struct format_style style = {.own_netns = OWN};
static char line[FORMAT_LINE_MAX];

static struct format_fields make(uint64_t id, const char *address, unsigned int port)
{
	return (struct format_fields){
		.kind = PORTWATCH_EVENT_OPEN,
		.id = id,
		.family = strchr(address, ':') ? AF_INET6 : AF_INET,
		.address = address,
		.port = port,
		.pid = 42,
		.process = "server",
		.command = "server -x",
		.owners = 1,
		.netns = OWN,
	};
}

static void take(struct format_fields fields)
{
	ck_assert_int_eq(listing_take(&listing, &fields), 0);
}

static void sort(void)
{
	listing_sort(&listing, rows);
	listing_measure(rows, listing.count, &style, &columns);
}

static const char *show(size_t i, size_t width)
{
	ck_assert_uint_eq(listing_line(rows[i], &columns, &style, width, line), strlen(line));
	return line;
}

static const char *show_header(size_t width)
{
	ck_assert_uint_eq(listing_header(&columns, width, line), strlen(line));
	return line;
}

static void teardown(void)
{
	listing_free(&listing);
	style = (struct format_style){.own_netns = OWN};
}

START_TEST(rows_are_sorted_and_columns_are_even)
{
	take(make(1, "::", 8000));
	take(make(2, "127.0.0.1", 8000));
	take(make(3, "0.0.0.0", 80));
	take(make(4, "0.0.0.0", 8000));
	sort();
	ck_assert_str_eq(show_header(0), "ADDRESS         PID  PROCESS  COMMAND");
	ck_assert_str_eq(show(0, 0), "0.0.0.0:80       42  server   server -x");
	ck_assert_str_eq(show(1, 0), "0.0.0.0:8000     42  server   server -x");
	ck_assert_str_eq(show(2, 0), "127.0.0.1:8000   42  server   server -x");
	ck_assert_str_eq(show(3, 0), "[::]:8000        42  server   server -x");
}
END_TEST

START_TEST(events_change_the_rows)
{
	struct format_fields fields = make(2, "::1", 80);

	take(make(2, "::1", 80));
	take(make(1, "::1", 79));
	take(make(3, "::1", 81));
	fields.kind = PORTWATCH_EVENT_OWNER;
	fields.pid = 43;
	fields.process = "child";
	fields.command = "";
	ck_assert_str_eq(listing_command(&listing, &fields), "");
	take(fields);
	/* an event of an unknown port */
	fields.id = 9;
	take(fields);
	fields.kind = PORTWATCH_EVENT_CLOSE;
	take(fields);
	fields.kind = PORTWATCH_EVENT_END;
	fields.id = 0;
	take(fields);
	fields = make(3, "::1", 81);
	ck_assert_str_eq(listing_command(&listing, &fields), "server -x");
	fields.kind = PORTWATCH_EVENT_CLOSE;
	take(fields);
	sort();
	ck_assert_uint_eq(listing.count, 2);
	ck_assert_str_eq(show(0, 0), "[::1]:79   42  server   server -x");
	ck_assert_str_eq(show(1, 0), "[::1]:80   43  child    -");
	ck_assert_int_eq(rows[1]->kind, PORTWATCH_EVENT_OPEN);
}
END_TEST

START_TEST(unusual_values_are_shown)
{
	struct format_fields fields = make(1, "127.0.0.1", 80);

	fields.owners = 6;
	take(fields);
	fields = make(2, "127.0.0.1", 81);
	fields.pid = 0;
	fields.process = fields.command = "";
	fields.netns = 0;
	take(fields);
	fields = make(3, "127.0.0.1", 82);
	fields.netns = 4026532000;
	take(fields);
	sort();
	ck_assert_str_eq(show_header(0),
	                 "ADDRESS       PID  PROCESS            NETNS       COMMAND");
	ck_assert_str_eq(show(0, 0), "127.0.0.1:80   42  server (6 owners)  -           server -x");
	ck_assert_str_eq(show(1, 0), "127.0.0.1:81    -  -                  ?           -");
	ck_assert_str_eq(show(2, 0), "127.0.0.1:82   42  server             4026532000  server -x");
}
END_TEST

START_TEST(untrusted_bytes_are_escaped)
{
	struct format_fields fields = make(1, "127.0.0.1", 80);

	fields.process = "a\nb";
	fields.command = "\033[2J\\ \xc3\xa9 \xff";
	take(fields);
	sort();
	ck_assert_str_eq(show(0, 0), "127.0.0.1:80   42  a\\x0ab   \\x1b[2J\\x5c \\xc3\\xa9 \\xff");
	style.utf8 = true;
	ck_assert_str_eq(show(0, 0), "127.0.0.1:80   42  a\\x0ab   \\x1b[2J\\x5c \xc3\xa9 \\xff");
}
END_TEST

START_TEST(a_narrow_terminal_cuts_all_but_the_address)
{
	struct format_fields fields = make(1, "127.0.0.1", 80);

	fields.command = "\001\001";
	take(fields);
	sort();
	ck_assert_str_eq(show(0, 20), "127.0.0.1:80   42  s");
	ck_assert_str_eq(show(0, 19), "127.0.0.1:80   42");
	ck_assert_str_eq(show(0, 5), "127.0.0.1:80");
	ck_assert_str_eq(show_header(3), "ADDRESS");
	/* An escape sequence is printed completely or not at all. */
	ck_assert_str_eq(show(0, 35), "127.0.0.1:80   42  server   \\x01");
	ck_assert_str_eq(show(0, 36), "127.0.0.1:80   42  server   \\x01\\x01");
}
END_TEST

START_TEST(colour_is_in_the_address_alone)
{
	take(make(1, "127.0.0.1", 80));
	sort();
	style.colour = true;
	ck_assert_str_eq(show(0, 20), "\033[32m127.0.0.1:80\033[0m   42  s");
}
END_TEST

START_TEST(long_words_leave_room_for_the_newline)
{
	struct format_fields fields = make(1, "127.0.0.1", 80);
	char name[4 * FORMAT_LINE_MAX];

	memset(name, '\001', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	fields.process = fields.command = name;
	take(fields);
	sort();
	style.colour = true;
	ck_assert_uint_lt(strlen(show(0, 0)), FORMAT_LINE_MAX - 1);
	ck_assert_uint_lt(columns.process, 100);
}
END_TEST

START_TEST(characters_count_not_bytes)
{
	struct format_fields fields = make(1, "127.0.0.1", 80);

	/* Without such a locale the width of characters is unknown. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return;
	style.utf8 = true;
	fields.process = "serv\xc3\xa9r\xe4\xb8\xad";
	take(fields);
	take(make(2, "127.0.0.1", 81));
	sort();
	ck_assert_str_eq(show(0, 0), "127.0.0.1:80   42  serv\xc3\xa9r\xe4\xb8\xad  server -x");
	ck_assert_str_eq(show(1, 0), "127.0.0.1:81   42  server    server -x");
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cmd_listing");
	TCase *tcase = tcase_create("listing");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, rows_are_sorted_and_columns_are_even);
	tcase_add_test(tcase, events_change_the_rows);
	tcase_add_test(tcase, unusual_values_are_shown);
	tcase_add_test(tcase, untrusted_bytes_are_escaped);
	tcase_add_test(tcase, a_narrow_terminal_cuts_all_but_the_address);
	tcase_add_test(tcase, colour_is_in_the_address_alone);
	tcase_add_test(tcase, long_words_leave_room_for_the_newline);
	tcase_add_test(tcase, characters_count_not_bytes);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
