/* SPDX-License-Identifier: MIT */
/* test_parse_diag.c - the sock_diag request and parser, on handmade datagrams */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "support/check_main.h"
#include "table/parse_diag.h"

#define SEQUENCE 4711

struct datagram {
	size_t size;
	size_t last; /* the offset of the last message */
	unsigned char bytes[4096];
};

static void put(struct datagram *datagram, const void *bytes, size_t size)
{
	struct nlmsghdr header;
	unsigned char *last = datagram->bytes + datagram->last;

	ck_assert_uint_le(datagram->size + NLMSG_ALIGN(size), sizeof(datagram->bytes));
	memcpy(datagram->bytes + datagram->size, bytes, size);
	datagram->size += NLMSG_ALIGN(size);
	memcpy(&header, last, sizeof(header));
	header.nlmsg_len = (uint32_t)(datagram->size - datagram->last);
	memcpy(last, &header, sizeof(header));
}

static void put_header(struct datagram *datagram, uint16_t type, uint16_t flags)
{
	struct nlmsghdr header = {
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_MULTI | flags,
		.nlmsg_seq = SEQUENCE,
	};

	datagram->last = datagram->size;
	put(datagram, &header, sizeof(header));
}

static struct inet_diag_msg row_of(int family, uint16_t port, uint32_t inode)
{
	return (struct inet_diag_msg){
		.idiag_family = (uint8_t)family,
		.idiag_state = TCP_LISTEN,
		.id.idiag_sport = htons(port),
		.id.idiag_cookie = {0x89abcdef, 0x01234567},
		.idiag_inode = inode,
	};
}

static void put_row(struct datagram *datagram, const struct inet_diag_msg *row)
{
	put_header(datagram, SOCK_DIAG_BY_FAMILY, 0);
	put(datagram, row, sizeof(*row));
}

static void put_attribute(struct datagram *datagram, uint16_t type, const void *bytes, size_t size)
{
	struct {
		struct nlattr attribute;
		unsigned char value[64];
	} whole = {
		.attribute.nla_len = (uint16_t)(sizeof(struct nlattr) + size),
		.attribute.nla_type = type,
	};

	ck_assert_uint_le(size, sizeof(whole.value));
	if (size > 0)
		memcpy(whole.value, bytes, size);
	put(datagram, &whole, whole.attribute.nla_len);
}

static void put_v6only(struct datagram *datagram, uint8_t value)
{
	put_attribute(datagram, INET_DIAG_SKV6ONLY, &value, sizeof(value));
}

static void put_status(struct datagram *datagram, uint16_t type, uint16_t flags, int status)
{
	put_header(datagram, type, flags);
	put(datagram, &status, sizeof(status));
}

struct found {
	size_t count;
	struct listener rows[16];
	int error; /* what the sink returns */
};

static int keep(void *data, const struct listener *listener)
{
	struct found *found = data;

	ck_assert_uint_lt(found->count, sizeof(found->rows) / sizeof(found->rows[0]));
	found->rows[found->count++] = *listener;
	return found->error;
}

/* Parses a copy of the exact size, at an odd address. */
static int feed(struct tcp_diag *diag, const struct datagram *datagram, size_t size)
{
	unsigned char *copy = malloc(size + 1);
	int error;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy + 1, datagram->bytes, size);
	error = tcp_diag_feed(diag, copy + 1, size);
	free(copy);
	return error;
}

static int parse(struct tcp_diag *diag, struct found *found, int family,
                 const struct datagram *datagram)
{
	*found = (struct found){0};
	tcp_diag_init(diag, family, SEQUENCE, keep, found);
	return feed(diag, datagram, datagram->size);
}

START_TEST(request_asks_for_listeners_alone)
{
	unsigned char buffer[TCP_DIAG_REQUEST_MAX];
	static const int families[] = {AF_INET, AF_INET6};
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;

	ck_assert_uint_eq(tcp_diag_request(buffer, families[_i], SEQUENCE),
	                  sizeof(header) + sizeof(body));
	memcpy(&header, buffer, sizeof(header));
	memcpy(&body, buffer + sizeof(header), sizeof(body));
	ck_assert_uint_eq(header.nlmsg_len, sizeof(header) + sizeof(body));
	ck_assert_uint_eq(header.nlmsg_type, SOCK_DIAG_BY_FAMILY);
	ck_assert_uint_eq(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
	ck_assert_uint_eq(header.nlmsg_seq, SEQUENCE);
	ck_assert_uint_eq(body.sdiag_family, families[_i]);
	ck_assert_uint_eq(body.sdiag_protocol, IPPROTO_TCP);
	ck_assert_uint_eq(body.idiag_states, 1 << TCP_LISTEN);
	ck_assert_uint_eq(body.idiag_ext, 0);
}
END_TEST

START_TEST(one_request_lists_both_families)
{
	unsigned char buffer[TCP_DIAG_REQUEST_MAX];
	struct nlmsghdr header;
	struct inet_diag_req body;

	ck_assert_uint_eq(tcp_diag_request(buffer, AF_UNSPEC, SEQUENCE),
	                  sizeof(header) + sizeof(body));
	memcpy(&header, buffer, sizeof(header));
	memcpy(&body, buffer + sizeof(header), sizeof(body));
	ck_assert_uint_eq(header.nlmsg_len, sizeof(header) + sizeof(body));
	ck_assert_uint_eq(header.nlmsg_type, TCPDIAG_GETSOCK);
	ck_assert_uint_eq(header.nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
	ck_assert_uint_eq(header.nlmsg_seq, SEQUENCE);
	ck_assert_uint_eq(body.idiag_states, 1 << TCP_LISTEN);
	ck_assert_uint_eq(body.idiag_ext, 0);
}
END_TEST

START_TEST(reads_both_families_of_one_dump)
{
	static const int families[] = {AF_INET6, AF_INET, AF_UNIX};
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;

	for (uint16_t i = 0; i < 3; i++) {
		struct inet_diag_msg row = row_of(families[i], 80 + i, 1 + i);

		row.id.idiag_src[3] = 1;
		put_header(&datagram, TCPDIAG_GETSOCK, 0);
		put(&datagram, &row, sizeof(row));
	}
	put_status(&datagram, NLMSG_DONE, 0, 0);
	ck_assert_int_eq(parse(&diag, &found, AF_UNSPEC, &datagram), 0);
	ck_assert(diag.done);
	ck_assert_uint_eq(diag.rejected, 1);
	ck_assert_uint_eq(found.count, 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(found.rows[i].family, families[i]);
		ck_assert_uint_eq(found.rows[i].port, 80 + i);
	}
}
END_TEST

START_TEST(reads_every_field)
{
	static const uint8_t loopback[16] = {127, 0, 0, 1};
	struct inet_diag_msg row = row_of(AF_INET, 8080, 0xfedcba98);
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;

	memcpy(row.id.idiag_src, loopback, 4);
	/* The parser ignores bytes that IPv4 does not use. */
	row.id.idiag_src[1] = 0xffffffff;
	put_row(&datagram, &row);
	put_status(&datagram, NLMSG_DONE, 0, 0);
	ck_assert_int_eq(parse(&diag, &found, AF_INET, &datagram), 0);
	ck_assert(diag.done);
	ck_assert(!diag.interrupted);
	ck_assert_uint_eq(diag.rows, 1);
	ck_assert_uint_eq(diag.rejected, 0);
	ck_assert_uint_eq(found.count, 1);
	ck_assert_int_eq(found.rows[0].family, AF_INET);
	ck_assert_mem_eq(found.rows[0].address, loopback, 16);
	ck_assert_uint_eq(found.rows[0].port, 8080);
	ck_assert_uint_eq(found.rows[0].inode, 0xfedcba98);
	ck_assert_uint_eq(found.rows[0].cookie, UINT64_C(0x0123456789abcdef));
	ck_assert_int_eq(found.rows[0].v6only, -1);
}
END_TEST

START_TEST(reads_v6only_among_attributes)
{
	static const uint8_t loopback[16] = {[15] = 1};
	struct inet_diag_msg row = row_of(AF_INET6, 80, 1);
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;
	uint32_t mark = 1;

	memcpy(row.id.idiag_src, loopback, sizeof(loopback));
	put_row(&datagram, &row);
	put_row(&datagram, &row);
	put_attribute(&datagram, INET_DIAG_SHUTDOWN, "", 1);
	put_v6only(&datagram, 1);
	put_attribute(&datagram, INET_DIAG_MARK, &mark, sizeof(mark));
	put_attribute(&datagram, 0x3ff0, NULL, 0);
	put_row(&datagram, &row);
	put_v6only(&datagram, 0);
	put_status(&datagram, NLMSG_DONE, 0, 0);
	ck_assert_int_eq(parse(&diag, &found, AF_INET6, &datagram), 0);
	ck_assert_uint_eq(found.count, 3);
	ck_assert_int_eq(found.rows[0].family, AF_INET6);
	ck_assert_mem_eq(found.rows[0].address, loopback, sizeof(loopback));
	ck_assert_int_eq(found.rows[0].v6only, -1);
	ck_assert_int_eq(found.rows[1].v6only, 1);
	ck_assert_int_eq(found.rows[2].v6only, 0);
}
END_TEST

START_TEST(takes_mapped_addresses_for_ipv4)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 127, 0, 0, 1};
	struct inet_diag_msg row = row_of(AF_INET6, 80, 1);
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;

	memcpy(row.id.idiag_src, mapped, sizeof(mapped));
	put_row(&datagram, &row);
	put_v6only(&datagram, 0);
	ck_assert_int_eq(parse(&diag, &found, AF_INET6, &datagram), 0);
	ck_assert(!diag.done);
	ck_assert_int_eq(found.rows[0].family, AF_INET);
	ck_assert_mem_eq(found.rows[0].address, ((uint8_t[16]){127, 0, 0, 1}), 16);
	ck_assert_int_eq(found.rows[0].v6only, -1);
}
END_TEST

START_TEST(useless_rows_are_skipped)
{
	struct inet_diag_msg good = row_of(AF_INET, 80, 1);
	struct inet_diag_msg bad[] = {
		row_of(AF_INET, 0, 1),
		row_of(AF_INET, 80, 0),
		row_of(AF_INET6, 80, 1),
		row_of(AF_INET, 80, 1),
	};
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;
	size_t i;

	bad[3].idiag_state = TCP_ESTABLISHED;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_row(&datagram, &bad[i]);
		put_row(&datagram, &good);
	}
	put_header(&datagram, NLMSG_NOOP, 0);
	put_status(&datagram, NLMSG_DONE, 0, 0);
	ck_assert_int_eq(parse(&diag, &found, AF_INET, &datagram), 0);
	ck_assert(diag.done);
	ck_assert_uint_eq(diag.rejected, 4);
	ck_assert_uint_eq(diag.rows, 4);
	ck_assert_uint_eq(found.count, 4);
}
END_TEST

START_TEST(goes_on_over_datagrams)
{
	struct inet_diag_msg row = row_of(AF_INET, 80, 1);
	struct datagram first = {0}, second = {0};
	struct tcp_diag diag;
	struct found found;

	put_row(&first, &row);
	put_row(&first, &row);
	ck_assert_int_eq(parse(&diag, &found, AF_INET, &first), 0);
	ck_assert(!diag.done);
	ck_assert_int_eq(feed(&diag, &first, first.size), 0);
	put_status(&second, NLMSG_DONE, 0, 0);
	put_row(&second, &row);
	ck_assert_int_eq(feed(&diag, &second, second.size), 0);
	ck_assert(diag.done);
	ck_assert_uint_eq(diag.rows, 4);
}
END_TEST

/* The given message of a dump carries NLM_F_DUMP_INTR. */
START_TEST(is_interrupted_once_it_is_done)
{
	struct inet_diag_msg row = row_of(AF_INET, 80, 1);
	struct datagram datagram = {0}, end = {0};
	struct tcp_diag diag;
	struct found found;

	put_header(&datagram, SOCK_DIAG_BY_FAMILY, _i == 0 ? NLM_F_DUMP_INTR : 0);
	put(&datagram, &row, sizeof(row));
	put_row(&datagram, &row);
	ck_assert_int_eq(parse(&diag, &found, AF_INET, &datagram), 0);
	ck_assert_int_eq(diag.interrupted, _i == 0);
	put_status(&end, NLMSG_DONE, _i == 1 ? NLM_F_DUMP_INTR : 0, 0);
	ck_assert_int_eq(feed(&diag, &end, end.size), -EAGAIN);
	ck_assert(diag.done);
	ck_assert(diag.interrupted);
}
END_TEST

/* The ends of a dump, and their results. */
static const struct {
	uint16_t type;
	int status;
	int error;
	bool done;
} ends[] = {
	{NLMSG_DONE, 0, 0, true},
	{NLMSG_DONE, -ENOMEM, -ENOMEM, true},
	{NLMSG_DONE, 1, -EPROTO, false},
	{NLMSG_ERROR, -ENOENT, -ENOENT, true},
	{NLMSG_ERROR, -EPERM, -EPERM, true},
	{NLMSG_ERROR, 0, -EPROTO, false},
	{NLMSG_ERROR, 13, -EPROTO, false},
	{NLMSG_OVERRUN, 0, -ENOBUFS, false},
	{NLMSG_MIN_TYPE, 0, -EPROTO, false},
	{SOCK_DIAG_BY_FAMILY + 1, 0, -EPROTO, false},
};

START_TEST(the_end_of_a_dump_has_its_error)
{
	struct inet_diag_msg row = row_of(AF_INET, 80, 1);
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;

	put_row(&datagram, &row);
	put_status(&datagram, ends[_i].type, 0, ends[_i].status);
	put_row(&datagram, &row);
	ck_assert_int_eq(parse(&diag, &found, AF_INET, &datagram), ends[_i].error);
	ck_assert_int_eq(diag.done, ends[_i].done);
	ck_assert_uint_eq(found.count, 1);
}
END_TEST

START_TEST(refuses_another_sequence)
{
	struct inet_diag_msg row = row_of(AF_INET, 80, 1);
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found = {0};

	put_row(&datagram, &row);
	tcp_diag_init(&diag, AF_INET, SEQUENCE + 1, keep, &found);
	ck_assert_int_eq(feed(&diag, &datagram, datagram.size), -EPROTO);
	ck_assert_uint_eq(found.count, 0);
}
END_TEST

/* However a datagram is cut, the parser returns only complete rows, and only an uncut datagram
 * succeeds. */
START_TEST(refuses_truncated_datagrams)
{
	struct inet_diag_msg row = row_of(AF_INET6, 80, 1);
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;
	size_t whole, size;
	int error;

	put_row(&datagram, &row);
	put_v6only(&datagram, 1);
	whole = datagram.size;
	put_status(&datagram, NLMSG_DONE, 0, 0);
	for (size = 0; size < datagram.size; size++) {
		found = (struct found){0};
		tcp_diag_init(&diag, AF_INET6, SEQUENCE, keep, &found);
		error = feed(&diag, &datagram, size);
		ck_assert_int_eq(error, size == whole ? 0 : -EPROTO);
		ck_assert_uint_eq(found.count, size >= whole);
		ck_assert(!diag.done);
	}
}
END_TEST

/* Tries every length that a message can claim. */
START_TEST(refuses_wrong_lengths)
{
	struct inet_diag_msg row = row_of(AF_INET6, 80, 1);
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;
	struct nlmsghdr header;
	uint32_t length;

	put_row(&datagram, &row);
	memcpy(&header, datagram.bytes, sizeof(header));
	for (length = 0; length < 2 * datagram.size; length++) {
		header.nlmsg_len = length == 2 * datagram.size - 1 ? UINT32_MAX : length;
		memcpy(datagram.bytes, &header, sizeof(header));
		ck_assert_int_eq(parse(&diag, &found, AF_INET6, &datagram),
		                 length == datagram.size ? 0 : -EPROTO);
		ck_assert_uint_eq(found.count, length == datagram.size);
	}
}
END_TEST

/* Tries the lengths that an attribute can claim: 4 to 8 would be valid. */
START_TEST(refuses_wrong_lengths_of_attributes)
{
	static const uint16_t types[] = {INET_DIAG_SKV6ONLY, INET_DIAG_SHUTDOWN};
	static const uint16_t lengths[] = {0, 1, 3, 9, UINT16_MAX};
	struct inet_diag_msg row = row_of(AF_INET6, 80, 1);
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;
	struct nlattr attribute = {.nla_type = types[_i % 2], .nla_len = lengths[_i / 2]};

	put_row(&datagram, &row);
	put_v6only(&datagram, 1);
	memcpy(datagram.bytes + datagram.size - 8, &attribute, sizeof(attribute));
	ck_assert_int_eq(parse(&diag, &found, AF_INET6, &datagram), -EPROTO);
	ck_assert_uint_eq(found.count, 0);
}
END_TEST

START_TEST(refuses_v6only_without_value)
{
	struct inet_diag_msg row = row_of(AF_INET6, 80, 1);
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;

	put_row(&datagram, &row);
	put_attribute(&datagram, INET_DIAG_SKV6ONLY, NULL, 0);
	ck_assert_int_eq(parse(&diag, &found, AF_INET6, &datagram), -EPROTO);
	ck_assert_uint_eq(found.count, 0);
}
END_TEST

START_TEST(misses_no_padding_at_the_end)
{
	struct inet_diag_msg row = row_of(AF_INET6, 80, 1);
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;
	struct nlmsghdr header;

	put_row(&datagram, &row);
	put_v6only(&datagram, 1);
	datagram.size -= 3;
	memcpy(&header, datagram.bytes, sizeof(header));
	header.nlmsg_len = (uint32_t)datagram.size;
	memcpy(datagram.bytes, &header, sizeof(header));
	ck_assert_int_eq(parse(&diag, &found, AF_INET6, &datagram), 0);
	ck_assert_int_eq(found.rows[0].v6only, 1);
}
END_TEST

START_TEST(refuses_messages_without_their_body)
{
	static const uint16_t types[] = {SOCK_DIAG_BY_FAMILY, NLMSG_DONE, NLMSG_ERROR};
	struct datagram datagram = {0};
	struct tcp_diag diag;
	struct found found;

	put_header(&datagram, types[_i], 0);
	ck_assert_int_eq(parse(&diag, &found, AF_INET, &datagram), -EPROTO);
	ck_assert(!diag.done);
}
END_TEST

START_TEST(hands_on_what_the_sink_returns)
{
	struct inet_diag_msg row = row_of(AF_INET, 80, 1);
	struct found found = {.error = -ENOMEM};
	struct datagram datagram = {0};
	struct tcp_diag diag;

	put_row(&datagram, &row);
	put_row(&datagram, &row);
	tcp_diag_init(&diag, AF_INET, SEQUENCE, keep, &found);
	ck_assert_int_eq(feed(&diag, &datagram, datagram.size), -ENOMEM);
	ck_assert_uint_eq(found.count, 1);
	tcp_diag_init(&diag, AF_INET, SEQUENCE, NULL, NULL);
	ck_assert_int_eq(feed(&diag, &datagram, datagram.size), 0);
	ck_assert_uint_eq(diag.rows, 2);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("tcp_diag");
	TCase *messages = tcase_create("messages");

	tcase_add_loop_test(messages, request_asks_for_listeners_alone, 0, 2);
	tcase_add_test(messages, one_request_lists_both_families);
	tcase_add_test(messages, reads_both_families_of_one_dump);
	tcase_add_test(messages, reads_every_field);
	tcase_add_test(messages, reads_v6only_among_attributes);
	tcase_add_test(messages, takes_mapped_addresses_for_ipv4);
	tcase_add_test(messages, useless_rows_are_skipped);
	tcase_add_test(messages, goes_on_over_datagrams);
	tcase_add_loop_test(messages, is_interrupted_once_it_is_done, 0, 2);
	tcase_add_loop_test(messages, the_end_of_a_dump_has_its_error, 0,
	                    (int)(sizeof(ends) / sizeof(ends[0])));
	tcase_add_test(messages, refuses_another_sequence);
	tcase_add_test(messages, refuses_truncated_datagrams);
	tcase_add_test(messages, refuses_wrong_lengths);
	tcase_add_loop_test(messages, refuses_wrong_lengths_of_attributes, 0, 10);
	tcase_add_test(messages, refuses_v6only_without_value);
	tcase_add_test(messages, misses_no_padding_at_the_end);
	tcase_add_loop_test(messages, refuses_messages_without_their_body, 0, 3);
	tcase_add_test(messages, hands_on_what_the_sink_returns);
	suite_add_tcase(suite, messages);

	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
