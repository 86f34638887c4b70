/* SPDX-License-Identifier: MIT */
/* test_cmd_text.c - untrusted bytes are made harmless */
#include <stdlib.h>
#include <string.h>

#include "../cmd/text.h"
#include "support/check_main.h"

static char buffer[256];

static const char *visible(const char *bytes, bool utf8)
{
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	text_add_visible(&text, bytes, utf8);
	ck_assert_uint_eq(text.length, strlen(buffer));
	return buffer;
}

static const char *json(const char *bytes)
{
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	text_add_json(&text, bytes);
	return buffer;
}

START_TEST(ordinary_names_are_kept)
{
	ck_assert_str_eq(visible("kworker/0:1-eve", false), "kworker/0:1-eve");
	ck_assert_str_eq(visible("a b'c\"d", false), "a b'c\"d");
	ck_assert_str_eq(visible("", true), "");
	ck_assert_str_eq(json("my server (1)"), "my server (1)");
}
END_TEST

START_TEST(controls_and_backslash_are_escaped_for_a_terminal)
{
	ck_assert_str_eq(visible("\033[31m", true), "\\x1b[31m");
	ck_assert_str_eq(visible("a\nb\tc\rd", true), "a\\x0ab\\x09c\\x0dd");
	ck_assert_str_eq(visible("\\x1b", true), "\\x5cx1b");
	ck_assert_str_eq(visible("\x7f", true), "\\x7f");
	/* U+009B begins an escape sequence in one character */
	ck_assert_str_eq(visible("\xc2\x9b", true), "\\xc2\\x9b");
}
END_TEST

START_TEST(utf8_passes_only_where_the_terminal_takes_it)
{
	ck_assert_str_eq(visible("s\xc3\xa9rveur", true), "s\xc3\xa9rveur");
	ck_assert_str_eq(visible("s\xc3\xa9rveur", false), "s\\xc3\\xa9rveur");
	ck_assert_str_eq(visible("\xf0\x9f\x90\x8d", true), "\xf0\x9f\x90\x8d");
}
END_TEST

START_TEST(invisible_and_reordering_characters_are_escaped)
{
	/* U+3164 HANGUL FILLER, U+2800 BRAILLE PATTERN BLANK */
	ck_assert_str_eq(visible("a\xe3\x85\xa4", true), "a\\xe3\\x85\\xa4");
	ck_assert_str_eq(visible("\xe2\xa0\x80", true), "\\xe2\\xa0\\x80");
	ck_assert_str_eq(visible("a\xe2\x80\xae"
	                         "b",
	                         true),
	                 "a\\xe2\\x80\\xae"
	                 "b");                                              /* U+202E */
	ck_assert_str_eq(visible("\xe2\x80\x8b", true), "\\xe2\\x80\\x8b"); /* U+200B */
	ck_assert_str_eq(visible("\xef\xbb\xbf", true), "\\xef\\xbb\\xbf"); /* U+FEFF */
	ck_assert_str_eq(visible("\xee\x80\x80", true), "\\xee\\x80\\x80"); /* U+E000 */
}
END_TEST

static const char *const invalid[] = {
	"\x80",             /* a continuation byte alone */
	"\xff",             /* never in UTF-8 */
	"\xc3",             /* cut short by the end */
	"\xc0\xaf",         /* overlong, two bytes */
	"\xe0\x80\xaf",     /* overlong, three */
	"\xed\xa0\x80",     /* a surrogate */
	"\xf4\x90\x80\x80", /* beyond U+10FFFF */
	"\xf0\x80\x80\x80", /* overlong, four */
	"\xe2\x82",         /* a name cut at 15 bytes */
};

START_TEST(invalid_utf8_is_escaped_byte_by_byte)
{
	size_t length = strlen(invalid[_i]);

	ck_assert_uint_eq(strlen(visible(invalid[_i], true)), 4 * length);
	ck_assert_uint_eq(strlen(json(invalid[_i])), 6 * length);
	for (size_t i = 0; i < length; i++)
		ck_assert_int_eq(strncmp(json(invalid[_i]) + 6 * i, "\\ufffd", 6), 0);
}
END_TEST

START_TEST(json_escapes_what_json_and_terminals_need)
{
	ck_assert_str_eq(json("a\"b\\c"), "a\\\"b\\\\c");
	ck_assert_str_eq(json("\n\033\x7f"), "\\u000a\\u001b\\u007f");
	ck_assert_str_eq(json("\xc2\x9b"), "\\u009b");
	ck_assert_str_eq(json("\xe2\x80\xa8"), "\\u2028");
	ck_assert_str_eq(json("s\xc3\xa9rveur"), "s\xc3\xa9rveur");
	/* a character outside of the first 65,536 becomes a pair */
	ck_assert_str_eq(json("\xf3\xa0\x80\x81"), "\\udb40\\udc01");
}
END_TEST

START_TEST(text_that_does_not_fit_is_left_out_as_a_whole)
{
	char small[8];
	struct text text;

	text_init(&text, small, sizeof(small));
	text_add(&text, "%s", "12345");
	text_add(&text, "%s", "678");
	ck_assert_str_eq(small, "12345");
	text_add_visible(&text, "\n", true);
	ck_assert_str_eq(small, "12345");
	text_add_visible(&text, "\xc3\xa9", true);
	ck_assert_str_eq(small, "12345\xc3\xa9");
	text_add_json(&text, "x");
	ck_assert_uint_eq(text.length, 7);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cmd_text");
	TCase *tcase = tcase_create("text");

	tcase_add_test(tcase, ordinary_names_are_kept);
	tcase_add_test(tcase, controls_and_backslash_are_escaped_for_a_terminal);
	tcase_add_test(tcase, utf8_passes_only_where_the_terminal_takes_it);
	tcase_add_test(tcase, invisible_and_reordering_characters_are_escaped);
	tcase_add_loop_test(tcase, invalid_utf8_is_escaped_byte_by_byte, 0,
	                    (int)(sizeof(invalid) / sizeof(invalid[0])));
	tcase_add_test(tcase, json_escapes_what_json_and_terminals_need);
	tcase_add_test(tcase, text_that_does_not_fit_is_left_out_as_a_whole);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
