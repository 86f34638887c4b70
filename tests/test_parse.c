/* SPDX-License-Identifier: MIT */
/* test_parse.c - parsers of the files in /proc */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc/parse.h"
#include "support/check_main.h"
#include "util/cleanup.h"

/* The fields after the state and the parent, up to the 19th; then the number of threads, the 21st
 * field, and the start time. */
#define MIDDLE " 1 1 0 -1 4194560 1 2 3 4 5 6 -7 -8 20 -5 "

static int parse(const char *text, struct process_stat *stat)
{
	return procfs_parse_stat(text, strlen(text), stat);
}

START_TEST(stat_fields)
{
	struct process_stat stat;

	ck_assert_int_eq(parse("42 (cat) S 7" MIDDLE "3 0 123456789012 99 1\n", &stat), 0);
	ck_assert_int_eq(stat.pid, 42);
	ck_assert_int_eq(stat.ppid, 7);
	ck_assert_int_eq(stat.state, 'S');
	ck_assert_uint_eq(stat.threads, 3);
	ck_assert_uint_eq(stat.start_time, UINT64_C(123456789012));
	ck_assert_int_eq(stat.group, 1);
	ck_assert_int_eq(stat.session, 1);
	ck_assert(!stat.exiting);
	ck_assert_str_eq(stat.name, "cat");
}
END_TEST

/* A relevant field must be a number that fits into its type. Another field may be negative. */
START_TEST(stat_bounds)
{
	static const char *const wrong[] = {
		"2147483648 (cat) S 7 1 1",
		"42 (cat) S 2147483648 1 1",
		"42 (cat) S 7 2147483648 1",
		"42 (cat) S 7 1 2147483648",
	};
	struct process_stat stat;
	char text[256];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		snprintf(text, sizeof(text), "%s 0 -1 4194560 1 2 3 4 5 6 -7 -8 20 -5 1 0 5",
		         wrong[i]);
		ck_assert_msg(parse(text, &stat) == -EPROTO, "accepted: %s", text);
	}
	ck_assert_int_eq(parse("2147483647 (cat) S 2147483647 2147483646 2147483645 0 -1 4 1 2 3 4 "
	                       "5 6 -7 -8 20 -5 4294967295 0 18446744073709551615",
	                       &stat),
	                 0);
	ck_assert_int_eq(stat.pid, INT_MAX);
	ck_assert_int_eq(stat.ppid, INT_MAX);
	ck_assert_int_eq(stat.group, INT_MAX - 1);
	ck_assert_int_eq(stat.session, INT_MAX - 2);
	ck_assert_uint_eq(stat.threads, UINT_MAX);
	ck_assert_uint_eq(stat.start_time, UINT64_MAX);
	ck_assert(stat.exiting);
}
END_TEST

START_TEST(stat_hostile_names)
{
	static const char *const names[] = {
		"a) R 1", ") (", "two\nlines", "", "((((", "))))", "1 (x) S 1 1 1", "\x1b[31m\xff",
	};
	struct process_stat stat;
	char text[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(text, sizeof(text), "42 (%s) R 7" MIDDLE "1 0 5 0", names[i]);
		ck_assert_int_eq(parse(text, &stat), 0);
		ck_assert_str_eq(stat.name, names[i]);
		ck_assert_int_eq(stat.state, 'R');
		ck_assert_int_eq(stat.ppid, 7);
		ck_assert_uint_eq(stat.start_time, 5);
	}
}
END_TEST

START_TEST(stat_long_name)
{
	struct process_stat stat;
	char name[101], text[256];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), "42 (%s) S 7" MIDDLE "1 0 5 0", name);
	ck_assert_int_eq(parse(text, &stat), 0);
	ck_assert_uint_eq(strlen(stat.name), sizeof(stat.name) - 1);
}
END_TEST

START_TEST(stat_garbage)
{
	static const char *const texts[] = {
		"",
		"\n",
		"42",
		"42 (cat",
		"42 cat) S 7" MIDDLE "1 0 5",
		"(cat) S 7" MIDDLE "1 0 5",
		"-42 (cat) S 7" MIDDLE "1 0 5",
		"4294967296 (cat) S 7" MIDDLE "1 0 5",
		"42 (cat) S x" MIDDLE "1 0 5",
		"42 (cat) S 4294967296" MIDDLE "1 0 5",
		"42 (cat) S 7" MIDDLE "1 0 ",
		"42 (cat) S 7" MIDDLE "1 0",
		"42 (cat) S 7" MIDDLE "4294967296 0 5",
		"42 (cat) S 7" MIDDLE "1 0 18446744073709551616",
		"42 (cat) ",
		"42 (cat)",
	};
	struct process_stat stat;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		ck_assert_msg(parse(texts[i], &stat) == -EPROTO, "accepted: %s", texts[i]);
}
END_TEST

START_TEST(stat_cut_anywhere)
{
	static const char text[] = "42 (cat) S 7" MIDDLE "1 0 5";
	struct process_stat stat;

	for (size_t size = 0; size < sizeof(text) - 1; size++) {
		/* A buffer of the exact size, so that a sanitizer detects a read beyond its end. */
		CLEANUP_FREE char *copy = malloc(size + 1);

		memmove(copy + 1, text, size);
		ck_assert_int_eq(procfs_parse_stat(copy + 1, size, &stat), -EPROTO);
	}
	ck_assert_int_eq(procfs_parse_stat(text, sizeof(text) - 1, &stat), 0);
}
END_TEST

START_TEST(dead_or_headless)
{
	struct process_stat stat = {.state = 'Z', .threads = 1};

	ck_assert(procfs_is_dead(&stat));
	stat.threads = 0;
	ck_assert(procfs_is_dead(&stat));
	stat.threads = 2;
	ck_assert(!procfs_is_dead(&stat));
	stat.threads = 1;
	stat.state = 'S';
	ck_assert(!procfs_is_dead(&stat));
}
END_TEST

static pid_t parse_loadavg(const char *text)
{
	return procfs_parse_loadavg(text, strlen(text));
}

START_TEST(loadavg)
{
	ck_assert_int_eq(parse_loadavg("0.03 0.10 0.08 1/201 31337\n"), 31337);
	ck_assert_int_eq(parse_loadavg("0.03 0.10 0.08 1/201 31337"), 31337);
	ck_assert_int_eq(parse_loadavg("2147483647\n"), 2147483647);
	ck_assert_int_eq(parse_loadavg("0.03 0.10 0.08 1/201 2147483648\n"), 0);
	ck_assert_int_eq(parse_loadavg("0.03 0.10 0.08 1/201\n"), 0);
	ck_assert_int_eq(parse_loadavg("0.03 0.10 0.08 1/201 \n"), 0);
	ck_assert_int_eq(parse_loadavg("0.03 0.10 0.08 1/201 -5\n"), 0);
	ck_assert_int_eq(parse_loadavg("what?\n"), 0);
	ck_assert_int_eq(parse_loadavg("\n"), 0);
	ck_assert_int_eq(parse_loadavg(""), 0);
}
END_TEST

START_TEST(link_texts)
{
	static const char *const others[] = {
		"",
		"socket:[]",
		"socket:[12",
		"socket:12",
		"socket:[-1]",
		"socket:[+1]",
		"socket:[12]x",
		"socket:[1x]",
		"xsocket:[12]",
		"socket:",
		"socket",
		"s",
		"pipe:[12]",
		"/dev/null",
		"socket:[ 1]",
		"socket",
		"anon_inode:[12]",
		"socket[12]",
		"socket:(12)",
		"socket:[0x1]",
		"socket:[18446744073709551616]",
	};
	uint64_t number;

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		ck_assert_msg(!procfs_parse_link(others[i], "socket", &number), "accepted: %s",
		              others[i]);
	ck_assert(procfs_parse_link("socket:[18446744073709551615]", "socket", &number));
	ck_assert_uint_eq(number, UINT64_MAX);
	ck_assert(procfs_parse_link("net:[0]", "net", &number));
	ck_assert_uint_eq(number, 0);
}
END_TEST

static void add_socket(void *data, uint64_t inode)
{
	*(uint64_t *)data += inode;
}

/* Returns the sum of the inode numbers of the sockets, which must not depend on how the text is
 * cut, and the number of sockets without an inode number. */
static uint64_t registered_with(const char *text, unsigned int *unnamed)
{
	size_t size = strlen(text);
	uint64_t whole = 0;
	struct uring_files files = {0};

	uring_files_feed(&files, text, size, add_socket, &whole);
	*unnamed = files.unnamed;
	for (size_t piece = 1; piece < size; piece++) {
		uint64_t sum = 0;

		files = (struct uring_files){0};
		for (size_t at = 0; at < size; at += piece)
			uring_files_feed(&files, text + at, size - at < piece ? size - at : piece,
			                 add_socket, &sum);
		ck_assert_uint_eq(sum, whole);
		ck_assert_uint_eq(files.unnamed, *unnamed);
	}
	return whole;
}

static uint64_t registered(const char *text)
{
	unsigned int unnamed;
	uint64_t sum = registered_with(text, &unnamed);

	ck_assert_uint_eq(unnamed, 0);
	return sum;
}

/* Linux 6.12 shows only the kind. */
START_TEST(files_of_a_ring_without_names)
{
	unsigned int unnamed;

	ck_assert_uint_eq(registered_with("UserFiles:\t6\n    0: <none>\n    1: TCP\n    2: TCPv6\n"
	                                  "    3: MPTCP\n    4: UDP\n    5: status\nUserBufs:\t0\n"
	                                  "    1: TCP\n",
	                                  &unnamed),
	                  0);
	ck_assert_uint_eq(unnamed, 3);
	ck_assert_uint_eq(
		registered_with("UserFiles:\t3\n    0: /tmp/TCP\n    1: TCPx\n    2:TCP\n",
	                        &unnamed),
		0);
	ck_assert_uint_eq(unnamed, 0);
}
END_TEST

START_TEST(files_of_a_ring)
{
	ck_assert_uint_eq(registered("pos:\t0\nUserFiles:\t4\n    1: socket:[10]\n"
	                             "    2: /dev/null\n65535: socket:[999]\n"
	                             "    3: socket:[20]\nUserBufs:\t0\n    4: socket:[40]\n"),
	                  1029);
	ck_assert_uint_eq(registered("pos:\t0\nUserFiles:\t4\n    1: socket:[10]\n"
	                             "    2: /dev/null\n    3: socket:[20]\nUserBufs:\t0\n"
	                             "    4: socket:[40]\n"),
	                  30);
	ck_assert_uint_eq(registered("UserFiles:\t1\n    0: socket:[7]\n"), 7);
	ck_assert_uint_eq(registered("UserFiles:\t1\n    0: socket:[7]"), 0);
	ck_assert_uint_eq(registered("SQEs:\t1\n    0: socket:[7]\n"), 0);
	ck_assert_uint_eq(registered("UserFiles:\t5\n    0: /tmp/socket:[7]\n    1: socket:[x]\n"
	                             "    2:socket:[7]\n    socket:[7]\n     : socket:[7]\n"),
	                  0);
	ck_assert_uint_eq(
		registered("UserFiles:\t1\n    0: "
	                   "/0123456789012345678901234567890123456789012345678901234567890123456789"
	                   "\n    1: socket:[5]\n"),
		5);
}
END_TEST

/* The array is full, and its last byte terminates the text. A socket in a line of exactly this
 * length must not be taken for one whose end was cut off. */
START_TEST(lines_of_a_ring_are_bounded)
{
	char text[256];
	struct uring_files files;
	uint64_t sum;

	for (int blanks = 1; blanks < 100; blanks++) {
		int line = snprintf(NULL, 0, "%*s1: socket:[7]", blanks, "");

		snprintf(text, sizeof(text), "UserFiles:\t1\n%*s1: socket:[7]\n", blanks, "");
		files = (struct uring_files){0};
		sum = 0;
		uring_files_feed(&files, text, strlen(text), add_socket, &sum);
		ck_assert_uint_eq(sum, line < (int)sizeof(files.line) - 1 ? 7 : 0);
		ck_assert_uint_eq(files.used, 0);
	}
}
END_TEST

START_TEST(mappings)
{
	struct mapping mapping;

	ck_assert(mapping_parse("7f0123456000-7f0123457000 rw-p 00001000 fe:01 1234 /lib/x y",
	                        &mapping));
	if (sizeof(uintptr_t) == 8) {
		ck_assert_uint_eq(mapping.range.start, UINT64_C(0x7f0123456000));
		ck_assert_uint_eq(mapping.range.end, UINT64_C(0x7f0123457000));
	}
	ck_assert(mapping.private && !mapping.anonymous && !mapping.heap);
	ck_assert_uint_ne(mapping.inode, 0);
	ck_assert(mapping_parse("1000-2000 rw-s 00000000 00:01 0 ", &mapping));
	ck_assert_uint_eq(mapping.range.start, 0x1000);
	ck_assert_uint_eq(mapping.range.end, 0x2000);
	ck_assert(!mapping.private && mapping.anonymous && !mapping.heap);
}
END_TEST

/* A helper drops only anonymous memory: no file, and none of the kernel's own pages. */
START_TEST(memory_among_the_mappings)
{
	static const struct {
		const char *name;
		bool anonymous, heap;
	} names[] = {
		{"0 ", true, false},
		{"0           [heap]", true, true},
		{"0 [stack]", true, false},
		{"0 [stack:77]", true, false},
		{"0 [anon:glibc: malloc]", true, false},
		{"0 [vdso]", false, false},
		{"0 [vvar]", false, false},
		{"0 [vsyscall]", false, false},
		{"0 /dev/zero (deleted)", false, false},
		{"0 anon_inode:[perf_event]", false, false},
		{"77 [heap]", false, true},
		{"77 ", false, false},
	};
	struct mapping mapping;
	char line[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(line, sizeof(line), "1000-2000 rw-p 00000000 00:00 %s", names[i].name);
		ck_assert(mapping_parse(line, &mapping));
		ck_assert_msg(mapping.anonymous == names[i].anonymous, "%s", line);
		ck_assert_msg(mapping.heap == names[i].heap, "%s", line);
	}
}
END_TEST

/* Each cut line is in a buffer of the exact size, so that a sanitizer detects a read beyond its
 * end. */
START_TEST(no_mapping)
{
	static const char text[] = "1000-2000 rw-p 00000000 00:01 55 ";
	static const char *const others[] = {
		"-2000 rw-p 00000000 00:01 55 ",    "1000 2000 rw-p 00000000 00:01 55 ",
		"1000-2000rw-p 00000000 00:01 55 ", "1000-2000 rw-p x 00:01 55 ",
		"1000-2000 rw-p 00000000 0001 55 ", "1000-2000 rw-p 00000000 00:01 X ",
		"VmFlags: rd wr mr mw me ac",
	};
	struct mapping mapping;

	for (size_t size = 0; size < sizeof(text) - 1; size++) {
		CLEANUP_FREE char *copy = strndup(text, size);

		ck_assert_msg(!mapping_parse(copy, &mapping), "accepted: %s", copy);
	}
	ck_assert(mapping_parse(text, &mapping));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		ck_assert_msg(!mapping_parse(others[i], &mapping), "accepted: %s", others[i]);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("parse");
	TCase *stat_case = tcase_create("stat"), *other_case = tcase_create("others");
	TCase *maps_case = tcase_create("maps");

	tcase_add_test(stat_case, stat_fields);
	tcase_add_test(stat_case, stat_bounds);
	tcase_add_test(stat_case, stat_hostile_names);
	tcase_add_test(stat_case, stat_long_name);
	tcase_add_test(stat_case, stat_garbage);
	tcase_add_test(stat_case, stat_cut_anywhere);
	tcase_add_test(stat_case, dead_or_headless);
	suite_add_tcase(suite, stat_case);
	tcase_add_test(other_case, loadavg);
	tcase_add_test(other_case, link_texts);
	tcase_add_test(other_case, files_of_a_ring);
	tcase_add_test(other_case, files_of_a_ring_without_names);
	tcase_add_test(other_case, lines_of_a_ring_are_bounded);
	suite_add_tcase(suite, other_case);
	tcase_add_test(maps_case, mappings);
	tcase_add_test(maps_case, memory_among_the_mappings);
	tcase_add_test(maps_case, no_mapping);
	suite_add_tcase(suite, maps_case);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
