/* SPDX-License-Identifier: MIT */
/* test_parse_text.c - the parser of /proc/net/tcp and /proc/net/tcp6 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "support/check_main.h"
#include "table/parse_text.h"

#define HEADING                                                                                    \
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "      \
	"timeout inode\n"
#define HEADING6                                                                                   \
	"  sl  local_address                         remote_address                        st "    \
	"tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

/* The columns between the addresses and the inode, and the columns after the inode. */
#define MIDDLE "00000000:00000000 00:00000000 00000000  1000        0 "
#define TAIL " 1 00000000b48f6961 100 0 0 10 0"
#define ANY4 "00000000:0000"
#define ANY6 "00000000000000000000000000000000:0000"
#define ROW(local, state, inode)                                                                   \
	"   0: " local " " ANY4 " " state " " MIDDLE inode TAIL "                      \n"
#define ROW6(local, state, inode) "   0: " local " " ANY6 " " state " " MIDDLE inode TAIL "\n"
/* The same for either byte order: words() makes all other addresses. */
#define GOOD ROW("00000000:1F90", "0A", "4711")

struct found {
	size_t count;
	struct listener last;
	struct listener rows[16];
	int error; /* what the sink returns at the row number `stop_at`, from 1 */
	size_t stop_at;
};

static int keep(void *data, const struct listener *listener)
{
	struct found *found = data;

	ck_assert_int_ne(listener->port, 0);
	ck_assert_uint_ne(listener->inode, 0);
	if (found->count < sizeof(found->rows) / sizeof(found->rows[0]))
		found->rows[found->count] = *listener;
	found->last = *listener;
	found->count++;
	return found->count == found->stop_at ? found->error : 0;
}

static void parse_bytes(struct tcp_table *table, struct found *found, int family, const char *text,
                        size_t size)
{
	*found = (struct found){0};
	tcp_table_init(table, family, keep, found);
	ck_assert_int_eq(tcp_table_feed(table, text, size), 0);
	tcp_table_end(table);
	ck_assert_uint_eq(table->rows, found->count);
}

static void parse(struct tcp_table *table, struct found *found, int family, const char *text)
{
	parse_bytes(table, found, family, text, strlen(text));
}

/* Returns an address in network order in the format of the kernel's text. */
static const char *words(const uint8_t *address, size_t size)
{
	static char text[33];
	uint32_t word;
	size_t i;

	for (i = 0; i < size; i += sizeof(word)) {
		memcpy(&word, address + i, sizeof(word));
		snprintf(text + 2 * i, sizeof(text) - 2 * i, "%08X", word);
	}
	return text;
}

static void ck_same(const struct listener *a, const struct listener *b)
{
	ck_assert_int_eq(listener_compare(a, b), 0);
	ck_assert_int_eq(a->v6only, b->v6only);
	ck_assert_uint_eq(a->cookie, b->cookie);
}

START_TEST(reads_every_field)
{
	static const uint8_t address[16] = {127, 1, 2, 3};
	struct tcp_table table;
	struct found found;
	char text[1024];

	snprintf(text, sizeof(text),
	         HEADING "   0: %s:1F90 " ANY4 " 0A " MIDDLE "4294967297" TAIL "    \n" GOOD,
	         words(address, 4));
	parse(&table, &found, AF_INET, text);
	ck_assert_uint_eq(table.rows, 2);
	ck_assert_uint_eq(table.rejected, 0);
	ck_assert_uint_eq(table.others, 0);
	ck_assert(!table.unsorted);
	ck_assert_int_eq(found.rows[0].family, AF_INET);
	ck_assert_mem_eq(found.rows[0].address, address, sizeof(address));
	ck_assert_uint_eq(found.rows[0].port, 8080);
	ck_assert_uint_eq(found.rows[0].inode, UINT64_C(4294967297));
	ck_assert_uint_eq(found.rows[0].cookie, 0);
	ck_assert_int_eq(found.rows[0].v6only, -1);
	ck_assert_uint_eq(found.rows[1].inode, 4711);
}
END_TEST

static const struct {
	uint8_t kernel[16];
	int family;
	uint8_t address[16];
} addresses6[] = {
	{{0}, AF_INET6, {0}},
	{{[15] = 1}, AF_INET6, {[15] = 1}},
	{{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
         AF_INET6,
         {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
	{{[10] = 0xff, 0xff, 127, 0, 0, 1}, AF_INET, {127, 0, 0, 1}},
	{{[10] = 0xff, 0xff}, AF_INET, {0}},
	/* Not quite IPv4-mapped. */
	{{[10] = 0xff, 0xfe, 127, 0, 0, 1}, AF_INET6, {[10] = 0xff, 0xfe, 127, 0, 0, 1}},
	{{1, [10] = 0xff, 0xff, 127, 0, 0, 1}, AF_INET6, {1, [10] = 0xff, 0xff, 127, 0, 0, 1}},
	{{[12] = 127, 0, 0, 1}, AF_INET6, {[12] = 127, 0, 0, 1}},
};

START_TEST(reads_addresses_of_tcp6)
{
	struct tcp_table table;
	struct found found;
	char text[1024];

	snprintf(text, sizeof(text), HEADING6 "   7: %s:C68D " ANY6 " 0A " MIDDLE "9247" TAIL "\n",
	         words(addresses6[_i].kernel, 16));
	parse(&table, &found, AF_INET6, text);
	ck_assert_uint_eq(table.rows, 1);
	ck_assert_uint_eq(table.rejected, 0);
	ck_assert_int_eq(found.last.family, addresses6[_i].family);
	ck_assert_mem_eq(found.last.address, addresses6[_i].address, 16);
	ck_assert_uint_eq(found.last.port, 0xc68d);
	ck_assert_uint_eq(found.last.inode, 9247);
	ck_assert_int_eq(found.last.v6only, -1);
}
END_TEST

/* Rows as some systems print them, or may print them in the future. */
static const char *const good_rows[] = {
	GOOD,
	ROW("00000000:FFFF", "0A", "18446744073709551615"),
	ROW("00000000:0001", "0A", "       1"),
	ROW("ffffffff:1f90", "0a", "4711"),
	"12345: 00000000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL " 77 a-new-column\n",
	"0: 00000000:1F90 " ANY4 " 0A 00000000:00000001 00:0123456789ABCDEF 00000000 0 0 4711 1\n",
	"0:  00000000:1F90  FFFFFFFF:FFFF  0A  00000000:00000000  00:00000000  00000000  0 0 1 1\n",
};

START_TEST(accepts)
{
	struct tcp_table table;
	struct found found;

	parse(&table, &found, AF_INET, good_rows[_i]);
	ck_assert_uint_eq(table.rows, 1);
	ck_assert_uint_eq(table.rejected, 0);
	ck_assert_uint_eq(table.others, 0);
	ck_assert(!table.unsorted);
}
END_TEST

#define BAD(text)                                                                                  \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
static const struct {
	const char *text;
	size_t size;
} bad_rows[] = {
	BAD("\n"),
	BAD("     \n"),
	BAD("garbage\n"),
	BAD("\xff\xfe\x80\x01\n"),
	BAD("\0\0\0\0\n"),
	BAD(HEADING),
	/* NUL bytes and other unprintable ones: in a column, between two, behind all that is read
         */
	BAD("   0: 0000\0000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL "\n"),
	BAD("   0:\00000000000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL "\n"),
	BAD("   0: 00000000:1F90 " ANY4 " 0A " MIDDLE "4711\0" TAIL "\n"),
	BAD("   0: 00000000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL " \0\n"),
	BAD("   0: 00000000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL "\r\n"),
	BAD("   0: 00000000:1F90\t" ANY4 " 0A " MIDDLE "4711" TAIL "\n"),
	BAD("   0: 00000000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL "\x7f\n"),
	BAD("   0: 00000000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL "\x80\n"),
	/* port 0, inode 0 */
	BAD(ROW("00000000:0000", "0A", "4711")),
	BAD(ROW("00000000:1F90", "0A", "0")),
	BAD(ROW("00000000:1F90", "0A", "000")),
	/* no slot */
	BAD(": 00000000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL "\n"),
	BAD("00000000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL "\n"),
	BAD("x: 00000000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL "\n"),
	BAD("0 00000000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL "\n"),
	BAD("0:00000000:1F90 " ANY4 " 0A " MIDDLE "4711" TAIL "\n"),
	/* widths and digits of the addresses */
	BAD(ROW("0000000:1F90", "0A", "4711")),
	BAD(ROW("000000000:1F90", "0A", "4711")),
	BAD(ROW("00000000:1F9", "0A", "4711")),
	BAD(ROW("00000000:11F90", "0A", "4711")),
	BAD(ROW("0000000G:1F90", "0A", "4711")),
	BAD(ROW("00000000:1F9G", "0A", "4711")),
	BAD(ROW("0x000000:1F90", "0A", "4711")),
	BAD(ROW("00000000:-001", "0A", "4711")),
	BAD(ROW("00000000 1F90", "0A", "4711")),
	BAD(ROW6("00000000000000000000000000000000:1F90", "0A", "4711")),
	BAD("   0: 00000000:1F90 0000000:0000 0A " MIDDLE "4711" TAIL "\n"),
	BAD("   0: 00000000:1F90 0A " MIDDLE "4711" TAIL "\n"),
	BAD("   0: 00000000:1F90" ANY4 " 0A " MIDDLE "4711" TAIL "\n"),
	BAD("   0: 00000000:1F90 " ANY4 "0A " MIDDLE "4711" TAIL "\n"),
	/* the state */
	BAD(ROW("00000000:1F90", "A", "4711")),
	BAD(ROW("00000000:1F90", "00A", "4711")),
	BAD(ROW("00000000:1F90", "0G", "4711")),
	BAD(ROW("00000000:1F90", "", "4711")),
	/* queues and timers */
	BAD("0: 00000000:1F90 " ANY4 " 0A 0000000:00000000 00:00000000 00000000 0 0 1 1\n"),
	BAD("0: 00000000:1F90 " ANY4 " 0A 00000000:0000000 00:00000000 00000000 0 0 1 1\n"),
	BAD("0: 00000000:1F90 " ANY4 " 0A 00000000 00000000 00:00000000 00000000 0 0 1 1\n"),
	BAD("0: 00000000:1F90 " ANY4 " 0A 00000000:00000000 0:00000000 00000000 0 0 1 1\n"),
	BAD("0: 00000000:1F90 " ANY4 " 0A 00000000:00000000 00:0000000 00000000 0 0 1 1\n"),
	BAD("0: 00000000:1F90 " ANY4 " 0A 00000000:00000000 00:00000000 0000000 0 0 1 1\n"),
	BAD("0: 00000000:1F90 " ANY4 " 0A 00000000:00000000 00:00000000 0 0 1 1\n"),
	/* uid, timeout, inode */
	BAD("0: 00000000:1F90 " ANY4 " 0A 00000000:00000000 00:00000000 00000000 x 0 1 1\n"),
	BAD("0: 00000000:1F90 " ANY4 " 0A 00000000:00000000 00:00000000 00000000 0 -1 1 1\n"),
	BAD(ROW("00000000:1F90", "0A", "-4711")),
	BAD(ROW("00000000:1F90", "0A", "+4711")),
	BAD(ROW("00000000:1F90", "0A", "47x11")),
	BAD(ROW("00000000:1F90", "0A", "18446744073709551616")),
	BAD(ROW("00000000:1F90", "0A", "99999999999999999999999999")),
	BAD(ROW("00000000:1F90", "0A", "")),
	BAD("   0: 00000000:1F90 " ANY4 " 0A " MIDDLE "4711 x\n"),
	/* truncated: within the inode, or so that it can't be told */
	BAD("   0: 00000000:1F90 " ANY4 " 0A " MIDDLE "\n"),
	BAD("   0: 00000000:1F90 " ANY4 " 0A " MIDDLE "47\n"),
	BAD("   0: 00000000:1F90 " ANY4 " 0A " MIDDLE "4711  \n"),
	BAD("   0: 00000000:1F90 " ANY4 "\n"),
	BAD("   0\n"),
	/* two rows run into one, as when bytes between them were lost */
	BAD("   0: 00000000:1F90 00000   1: 00000000:1F91 " ANY4 " 0A " MIDDLE "4711" TAIL "\n"),
	/* malformed rows don't complete the table, whatever their state */
	BAD(ROW("00000000:1F9", "01", "4711")),
	BAD("   0: 00000000:1F90 " ANY4 " 01 " MIDDLE "\n"),
};

START_TEST(malformed_rows_are_skipped)
{
	static const char good[] = GOOD;
	struct tcp_table table;
	struct found found = {0};

	tcp_table_init(&table, AF_INET, keep, &found);
	ck_assert_int_eq(tcp_table_feed(&table, good, sizeof(good) - 1), 0);
	ck_assert_int_eq(tcp_table_feed(&table, bad_rows[_i].text, bad_rows[_i].size), 0);
	ck_assert_int_eq(tcp_table_feed(&table, good, sizeof(good) - 1), 0);
	tcp_table_end(&table);
	ck_assert_uint_eq(table.rejected, 1);
	ck_assert_uint_eq(table.rows, 2);
	ck_assert_uint_eq(found.count, 2);
	ck_assert_uint_eq(table.others, 0);
	ck_assert(!table.unsorted);
}
END_TEST

START_TEST(rejects_rows_of_the_other_family)
{
	struct tcp_table table;
	struct found found;

	parse(&table, &found, AF_INET6, HEADING6 GOOD);
	ck_assert_uint_eq(table.rows, 0);
	ck_assert_uint_eq(table.rejected, 1);
}
END_TEST

/* Linux prints the listeners first; other systems, such as gVisor, do not. */
START_TEST(other_states_are_passed_over)
{
	struct tcp_table table;
	struct found found;

	/* A socket in TIME_WAIT has no inode. */
	parse(&table, &found, AF_INET,
	      HEADING GOOD GOOD ROW("00000000:1F90", "06", "0") ROW("00000000:1F90", "01", "2"));
	ck_assert_uint_eq(table.rows, 2);
	ck_assert_uint_eq(table.others, 2);
	ck_assert_uint_eq(table.rejected, 0);
	ck_assert(!table.unsorted);
	parse(&table, &found, AF_INET,
	      HEADING ROW("00000000:0000", "07", "5") GOOD ROW("00000000:1F90", "01", "2")
	              ROW("00000000:1F91", "01", "3") ROW("00000000:0050", "0A", "8"));
	ck_assert_uint_eq(table.rows, 2);
	ck_assert_uint_eq(found.rows[1].inode, 8);
	ck_assert_uint_eq(table.others, 3);
	ck_assert_uint_eq(table.rejected, 0);
	ck_assert(table.unsorted);
}
END_TEST

/* On systems that print the listeners first, the reader stops after them. */
START_TEST(may_be_cut_behind_the_listeners)
{
	struct tcp_table table;
	struct found found;

	parse(&table, &found, AF_INET, HEADING GOOD ROW("00000000:1F90", "06", "0") "   3: 000");
	ck_assert_uint_eq(table.rows, 1);
	ck_assert_uint_eq(table.rejected, 0);
	parse(&table, &found, AF_INET, HEADING GOOD "   3: 000");
	ck_assert_uint_eq(table.rows, 1);
	ck_assert_uint_eq(table.rejected, 1);
}
END_TEST

START_TEST(passes_over_the_heading)
{
	struct tcp_table table;
	struct found found;

	parse(&table, &found, AF_INET, "");
	ck_assert_uint_eq(table.rejected, 0);
	parse(&table, &found, AF_INET, HEADING);
	ck_assert_uint_eq(table.rejected, 0);
	/* Without a heading, the first line is a row like any other. */
	parse(&table, &found, AF_INET, GOOD);
	ck_assert_uint_eq(table.rows, 1);
	parse(&table, &found, AF_INET, "garbage\n" HEADING GOOD);
	ck_assert_uint_eq(table.rows, 1);
	ck_assert_uint_eq(table.rejected, 2);
	parse(&table, &found, AF_INET, "  slot\n" GOOD);
	ck_assert_uint_eq(table.rejected, 1);
}
END_TEST

/* Returns a good row that blanks lengthen to this number of bytes, without its newline. */
static char *long_row(size_t length)
{
	char *text = malloc(length + 2);

	ck_assert_ptr_nonnull(text);
	memset(text, ' ', length);
	memcpy(text, GOOD, strlen(GOOD) - 1);
	strcpy(text + length, "\n");
	return text;
}

/* The longest possible row, and longer ones: whole, byte by byte, and without an end. */
START_TEST(rejects_overlong_lines)
{
	static const size_t lengths[] = {TCP_TABLE_LINE, TCP_TABLE_LINE + 1, 1 << 20};
	bool fits = lengths[_i] <= TCP_TABLE_LINE;
	char *row = long_row(lengths[_i]);
	struct tcp_table table;
	struct found found;
	size_t at;

	parse(&table, &found, AF_INET, row);
	ck_assert_uint_eq(table.rows, fits);
	ck_assert_uint_eq(table.rejected, !fits);
	ck_assert_int_eq(tcp_table_feed(&table, GOOD, strlen(GOOD)), 0);
	ck_assert_uint_eq(table.rows, fits + 1);

	tcp_table_init(&table, AF_INET, keep, &found);
	for (at = 0; row[at] != '\0'; at++)
		ck_assert_int_eq(tcp_table_feed(&table, row + at, 1), 0);
	ck_assert_uint_eq(table.rows, fits);
	ck_assert_uint_eq(table.rejected, !fits);

	parse_bytes(&table, &found, AF_INET, row, lengths[_i]);
	ck_assert_uint_eq(table.rows, 0);
	ck_assert_uint_eq(table.rejected, 1);
	free(row);
}
END_TEST

START_TEST(rejects_a_cut_off_row_once)
{
	struct tcp_table table;
	struct found found;

	parse_bytes(&table, &found, AF_INET, GOOD GOOD, 2 * strlen(GOOD) - 1);
	ck_assert_uint_eq(table.rows, 1);
	ck_assert_uint_eq(table.rejected, 1);
	tcp_table_end(&table);
	ck_assert_uint_eq(table.rejected, 1);
}
END_TEST

/* However a row is shortened, accepted values are correct. */
START_TEST(shortened_rows_never_lie)
{
	struct tcp_table table;
	struct found whole, found;
	char text[256];
	size_t length;

	parse(&table, &whole, AF_INET, GOOD);
	for (length = 0; length < strlen(GOOD); length++) {
		snprintf(text, sizeof(text), "%.*s\n", (int)length, GOOD);
		parse(&table, &found, AF_INET, text);
		ck_assert_uint_eq(table.rows + table.rejected, 1);
		if (found.count > 0)
			ck_same(&found.last, &whole.last);
	}
}
END_TEST

START_TEST(rejects_a_nul_byte_anywhere)
{
	struct tcp_table table;
	struct found found;
	char text[] = GOOD;
	size_t at;
	char kept;

	for (at = 0; text[at] != '\n'; at++) {
		kept = text[at];
		text[at] = '\0';
		parse_bytes(&table, &found, AF_INET, text, sizeof(text) - 1);
		ck_assert_uint_eq(table.rows, 0);
		ck_assert_uint_eq(table.rejected, 1);
		text[at] = kept;
	}
}
END_TEST

/* Good rows, bad rows, and a row of another state. */
static const char mixed[] = HEADING GOOD
	"garbage\n" ROW("00000000:0000", "0A", "1") "\0\n" ROW("01010101:0050", "0A", "8")
		ROW("00000000:1F9", "01", "4711") ROW("02020202:0051", "0A", "9")
			ROW("02020202:0051", "01", "10") ROW("03030303:0052", "0A", "11");

static void ck_same_result(const struct tcp_table *table, const struct found *found)
{
	static const uint64_t inodes[] = {4711, 8, 9, 11};
	size_t i;

	ck_assert_uint_eq(table->rows, 4);
	ck_assert_uint_eq(table->others, 1);
	ck_assert_uint_eq(table->rejected, 4);
	ck_assert(table->unsorted);
	ck_assert_uint_eq(found->count, 4);
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(found->rows[i].inode, inodes[i]);
}

START_TEST(may_be_cut_anywhere)
{
	struct tcp_table table;
	struct found found;
	size_t cut;

	for (cut = 0; cut < sizeof(mixed); cut++) {
		found = (struct found){0};
		tcp_table_init(&table, AF_INET, keep, &found);
		ck_assert_int_eq(tcp_table_feed(&table, mixed, cut), 0);
		ck_assert_int_eq(tcp_table_feed(&table, mixed + cut, sizeof(mixed) - 1 - cut), 0);
		tcp_table_end(&table);
		ck_same_result(&table, &found);
	}
}
END_TEST

START_TEST(may_come_in_pieces_of_any_size)
{
	struct tcp_table table;
	struct found found;
	size_t piece, at, left;

	for (piece = 1; piece < sizeof(mixed); piece++) {
		found = (struct found){0};
		tcp_table_init(&table, AF_INET, keep, &found);
		for (at = 0; at < sizeof(mixed) - 1; at += piece) {
			left = sizeof(mixed) - 1 - at;
			ck_assert_int_eq(
				tcp_table_feed(&table, mixed + at, left < piece ? left : piece), 0);
		}
		tcp_table_end(&table);
		ck_same_result(&table, &found);
	}
}
END_TEST

START_TEST(hands_on_what_the_sink_returns)
{
	struct found found = {.error = -ENOBUFS, .stop_at = 2};
	struct tcp_table table;

	tcp_table_init(&table, AF_INET, keep, &found);
	ck_assert_int_eq(tcp_table_feed(&table, GOOD GOOD GOOD, 3 * strlen(GOOD)), -ENOBUFS);
	ck_assert_uint_eq(found.count, 2);
}
END_TEST

START_TEST(needs_no_sink)
{
	struct tcp_table table;

	tcp_table_init(&table, AF_INET, NULL, NULL);
	ck_assert_int_eq(tcp_table_feed(&table, mixed, sizeof(mixed) - 1), 0);
	ck_assert(table.unsorted);
	ck_assert_uint_eq(table.rows, 4);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static Suite *make_suite(void)
{
	Suite *suite = suite_create("tcp_table");
	TCase *rows = tcase_create("rows");
	TCase *stream = tcase_create("stream");

	tcase_add_test(rows, reads_every_field);
	tcase_add_loop_test(rows, reads_addresses_of_tcp6, 0, COUNT(addresses6));
	tcase_add_loop_test(rows, accepts, 0, COUNT(good_rows));
	tcase_add_loop_test(rows, malformed_rows_are_skipped, 0, COUNT(bad_rows));
	tcase_add_test(rows, rejects_rows_of_the_other_family);
	tcase_add_test(rows, shortened_rows_never_lie);
	tcase_add_test(rows, rejects_a_nul_byte_anywhere);
	suite_add_tcase(suite, rows);

	tcase_add_test(stream, other_states_are_passed_over);
	tcase_add_test(stream, may_be_cut_behind_the_listeners);
	tcase_add_test(stream, passes_over_the_heading);
	tcase_add_loop_test(stream, rejects_overlong_lines, 0, 3);
	tcase_add_test(stream, rejects_a_cut_off_row_once);
	tcase_add_test(stream, may_be_cut_anywhere);
	tcase_add_test(stream, may_come_in_pieces_of_any_size);
	tcase_add_test(stream, hands_on_what_the_sink_returns);
	tcase_add_test(stream, needs_no_sink);
	suite_add_tcase(suite, stream);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
