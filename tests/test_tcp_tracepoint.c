/* SPDX-License-Identifier: MIT */
/* test_tcp_tracepoint.c - the tracepoint's format and its samples, from texts and bytes made by
 * hand
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "notify/cpu_list.h"
#include "notify/tcp_tracepoint.h"
#include "support/check_main.h"

#define RAW_SIZE 72

/* The format of Linux 6.18, without the text about printing. */
static const char format_text[] =
	"name: inet_sock_set_state\n"
	"ID: 2287\n"
	"format:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
	"\n"
	"\tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;\n"
	"\tfield:int oldstate;\toffset:16;\tsize:4;\tsigned:1;\n"
	"\tfield:int newstate;\toffset:20;\tsize:4;\tsigned:1;\n"
	"\tfield:__u16 sport;\toffset:24;\tsize:2;\tsigned:0;\n"
	"\tfield:__u16 dport;\toffset:26;\tsize:2;\tsigned:0;\n"
	"\tfield:__u16 family;\toffset:28;\tsize:2;\tsigned:0;\n"
	"\tfield:__u16 protocol;\toffset:30;\tsize:2;\tsigned:0;\n"
	"\tfield:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;\n"
	"\tfield:__u8 daddr[4];\toffset:36;\tsize:4;\tsigned:0;\n"
	"\tfield:__u8 saddr_v6[16];\toffset:40;\tsize:16;\tsigned:0;\n"
	"\tfield:__u8 daddr_v6[16];\toffset:56;\tsize:16;\tsigned:0;\n"
	"\nprint fmt: \"family=%s sport=%hu\", REC->family, REC->sport\n";

/* Returns the text with one piece replaced. */
static const char *with(const char *piece, const char *replacement)
{
	static char text[2 * sizeof(format_text)];
	const char *at = strstr(format_text, piece);

	ck_assert_ptr_nonnull(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - format_text), format_text, replacement,
	         at + strlen(piece));
	return text;
}

START_TEST(test_format)
{
	struct state_format format;

	ck_assert_int_eq(state_format_parse(&format, format_text), 0);
	ck_assert_uint_eq(format.id, 2287);
	ck_assert_uint_eq(format.fields[STATE_SOCKET].offset, 8);
	ck_assert_uint_eq(format.fields[STATE_NEW].offset, 20);
	ck_assert_uint_eq(format.fields[STATE_PORT].offset, 24);
	ck_assert_uint_eq(format.fields[STATE_PORT].size, 2);
	ck_assert_uint_eq(format.fields[STATE_FAMILY].offset, 28);
	ck_assert_uint_eq(format.fields[STATE_ADDRESS].offset, 32);
	ck_assert_uint_eq(format.fields[STATE_ADDRESS6].offset, 40);
	ck_assert_uint_eq(format.fields[STATE_ADDRESS6].size, 16);
}
END_TEST

static const char *const bad_formats[][2] = {
	{"ID: 2287", "ID: none"},
	{"ID: 2287\n", ""},
	{"ID: 2287", "ID: 99999999999999999999"},
	{" skaddr;", " skaddress;"},
	{" skaddr;", " newskaddr;"},
	{" sport;\toffset:24", " sport;\toffset:x"},
	{" sport;\toffset:24", " sport;\toffset:65536"},
	{" sport;\toffset:24", " sport;\toffset:511"},
	{" sport;\toffset:24;\tsize:2", " sport;\toffset:24;\tsize:3"},
	{" sport;\toffset:24;\tsize:2", " sport;\toffset:24;\tsize:0"},
	{" sport;\toffset:24;\tsize:2;", " sport;\toffset:24;"},
	{"saddr[4];\toffset:32;\tsize:4", "saddr[4];\toffset:32;\tsize:16"},
	{"saddr_v6[16];\toffset:40;\tsize:16", "saddr_v6[16];\toffset:40;\tsize:4"},
	{"\tfield:__u16 family;", "\tfield:__u16 family"},
	{format_text, ""},
};

START_TEST(test_bad_format)
{
	struct state_format format;

	ck_assert_int_eq(state_format_parse(&format, with(bad_formats[_i][0], bad_formats[_i][1])),
	                 -EPROTO);
}
END_TEST

/* Linux 4.16 to 5.4 had a protocol of one byte; other fields may come or move. */
START_TEST(test_moved_format)
{
	const char *text = with("\tfield:__u16 sport;\toffset:24;\tsize:2",
	                        "\tfield:u64 fresh;\toffset:24;\tsize:8;\tsigned:0;\n"
	                        "\tfield:unsigned int sport;\toffset:72;\tsize:4");
	struct state_format format;

	ck_assert_int_eq(state_format_parse(&format, text), 0);
	ck_assert_uint_eq(format.fields[STATE_PORT].offset, 72);
	ck_assert_uint_eq(format.fields[STATE_PORT].size, 4);
}
END_TEST

/* A sample in the format above: 127.0.0.1:8080 or [::1]:8080. */
static void make_record(struct perf_record *record, int32_t pid, uint16_t family, int32_t state)
{
	uint64_t socket = UINT64_C(0xffff888012345678), time = 4711;
	uint32_t raw_size = RAW_SIZE;
	uint16_t port = 8080;
	uint8_t *raw = record->body + 20;

	*record = (struct perf_record){
		.type = PERF_RECORD_SAMPLE, .size = 20 + RAW_SIZE + 4, .time = time};
	memcpy(record->body, &pid, 4);
	memcpy(record->body + 4, &pid, 4);
	memcpy(record->body + 8, &time, 8);
	memcpy(record->body + 16, &raw_size, 4);
	memcpy(raw + 8, &socket, 8);
	memcpy(raw + 20, &state, 4);
	memcpy(raw + 24, &port, 2);
	memcpy(raw + 28, &family, 2);
	memcpy(raw + 32, &(struct in_addr){htonl(INADDR_LOOPBACK)}, 4);
	memcpy(raw + 40, &in6addr_loopback, 16);
}

static int decode(const struct state_format *format, const struct perf_record *record,
                  struct tcp_change *change)
{
	struct perf_sample sample;

	ck_assert_int_eq(perf_record_sample(record, &sample), 0);
	return state_format_decode(format, &sample, change);
}

START_TEST(test_decode)
{
	struct tcp_change change;
	struct state_format format;
	struct perf_record record;

	state_format_parse(&format, format_text);
	make_record(&record, 42, AF_INET, 10);
	ck_assert_int_eq(decode(&format, &record, &change), 0);
	ck_assert(change.listening);
	ck_assert_int_eq(change.family, AF_INET);
	ck_assert_uint_eq(change.port, 8080);
	ck_assert_mem_eq(change.address, "\x7f\0\0\1", 4);
	ck_assert_uint_eq(change.socket, UINT64_C(0xffff888012345678));
	make_record(&record, 42, AF_INET6, 7);
	ck_assert_int_eq(decode(&format, &record, &change), 0);
	ck_assert(!change.listening);
	ck_assert_int_eq(change.family, AF_INET6);
	ck_assert_mem_eq(change.address, &in6addr_loopback, 16);
}
END_TEST

/* A sample shorter than the format promises. */
START_TEST(test_decode_short)
{
	struct tcp_change change;
	struct state_format format;
	struct perf_record record;
	uint32_t raw_size;

	state_format_parse(&format, format_text);
	for (raw_size = 0; raw_size <= RAW_SIZE; raw_size++) {
		make_record(&record, 42, AF_INET, 10);
		memcpy(record.body + 16, &raw_size, 4);
		ck_assert_int_eq(decode(&format, &record, &change), raw_size < 56 ? -EBADMSG : 0);
	}
}
END_TEST

static const struct {
	const char *list;
	uint64_t limit;
	const char *cpus; /* '1' at each that it has */
} lists[] = {
	{"0", 1, "1"},
	{"0-1\n", 2, "110"},
	{"0-2,5,7-8\n", 9, "1110010110"},
	{"3\n", 4, "0001"},
	{"\n", 0, "0"},
	{"", 0, "0"},
	{"x0", 0, "0"},
	{"0,x,2", 1, "100"},
	{"1-", 0, "00"},
	{"2-1", 0, "000"},
	{"99999999999999999999", 0, "0"},
};

START_TEST(test_cpu_list)
{
	const char *list = lists[_i].list, *end = list + strlen(list);
	size_t cpu;

	ck_assert_uint_eq(cpu_list_limit(list, end), lists[_i].limit);
	for (cpu = 0; lists[_i].cpus[cpu]; cpu++)
		ck_assert_int_eq(cpu_list_has(list, end, cpu), lists[_i].cpus[cpu] == '1');
}
END_TEST

#define ENTRIES(array) ((int)(sizeof(array) / sizeof((array)[0])))

static Suite *make_suite(void)
{
	Suite *suite = suite_create("tcp_tracepoint");
	TCase *format = tcase_create("format"), *samples = tcase_create("samples");
	TCase *cpus = tcase_create("cpu list");

	tcase_add_test(format, test_format);
	tcase_add_loop_test(format, test_bad_format, 0, ENTRIES(bad_formats));
	tcase_add_test(format, test_moved_format);
	suite_add_tcase(suite, format);
	tcase_add_test(samples, test_decode);
	tcase_add_test(samples, test_decode_short);
	suite_add_tcase(suite, samples);
	tcase_add_loop_test(cpus, test_cpu_list, 0, ENTRIES(lists));
	suite_add_tcase(suite, cpus);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
