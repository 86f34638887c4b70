/* SPDX-License-Identifier: MIT */
/* test_source.c - reading the kernel's tables as bytes, and interference by other processes */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/sandbox.h"
#include "support/skip.h"
#include "table/parse_text.h"
#include "table/source.h"
#include "util/vdso.h"

#define DATAGRAMS 200 /* more than one read skips */

static unsigned char buffer[TABLE_SOURCE_BUFFER];
static struct table_source source;

static void setup(void)
{
	table_source_init(&source, buffer, true);
}

static void teardown(void)
{
	table_source_close(&source);
}

static int ignore(void *data, enum table_tag tag, const void *bytes, size_t size)
{
	(void)data, (void)tag, (void)bytes, (void)size;
	return 0;
}

static int read_diag(void)
{
	static uint32_t sequence;
	struct failure failure = {0};
	int result = table_source_read(&source, PORTWATCH_TABLE_DIAG, ++sequence, ignore, NULL,
	                               &failure);

	ck_assert_int_eq(result, -failure.error);
	if (result == -ENOENT)
		test_skip("sock_diag: %s", strerror(-result));
	return result;
}

/* Opens a socket as any process could. */
static int open_netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		test_skip("sock_diag: %s", strerror(errno));
	return fd;
}

/* Sends to another process's netlink socket, as root of its network namespace may. Returns an
 * errno. */
static int send_to(int to)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK};
	static const struct nlmsghdr message = {.nlmsg_len = sizeof(message), .nlmsg_seq = 1};
	socklen_t size = sizeof(name);
	int from = open_netlink(), error = 0;

	ck_assert_int_eq(getsockname(to, (struct sockaddr *)&name, &size), 0);
	if (sendto(from, &message, sizeof(message), MSG_DONTWAIT, (struct sockaddr *)&name,
	           sizeof(name)) < 0)
		error = errno;
	close(from);
	return error;
}

START_TEST(only_the_kernel_may_send)
{
	sandbox_enter();
	table_source_open_diag(&source);
	if (source.diag < 0)
		test_skip("sock_diag: %s", strerror(source.diag_failure.error));
	ck_assert_int_eq(send_to(source.diag), ECONNREFUSED);
	ck_assert_int_eq(read_diag(), 0);
}
END_TEST

/* Imitates a filter that refuses the connection to the kernel. The socket's name is a free port. */
static void open_to_all(void)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK};

	sandbox_enter();
	source.diag = open_netlink();
	source.diag_failure.error = 0;
	ck_assert_int_eq(bind(source.diag, (struct sockaddr *)&name, sizeof(name)), 0);
}

static void flood(void)
{
	for (int i = 0; i < DATAGRAMS; i++)
		ck_assert_int_eq(send_to(source.diag), 0);
}

static int count_waiting(void)
{
	int count = 0;

	while (recv(source.diag, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
		count++;
	return count;
}

START_TEST(datagrams_of_outsiders_do_not_extend_a_read)
{
	int reads = 0;

	open_to_all();
	ck_assert_int_eq(read_diag(), 0);
	flood();
	ck_assert_int_eq(read_diag(), -EAGAIN);
	/* Once the other processes have stopped sending, the reads succeed. */
	while (read_diag() == -EAGAIN)
		ck_assert_int_lt(++reads, DATAGRAMS);
	ck_assert_int_gt(reads, 0);
	ck_assert_int_eq(read_diag(), 0);
}
END_TEST

START_TEST(datagrams_of_outsiders_are_discarded_up_to_a_limit)
{
	open_to_all();
	source.dirty = true;
	flood();
	ck_assert_int_eq(read_diag(), -EAGAIN);
	ck_assert_int_gt(count_waiting(), DATAGRAMS / 2);
}
END_TEST

/* --- the text */

static size_t text_bytes;
static uint64_t text_rows;

static int count_bytes(void *data, enum table_tag tag, const void *bytes, size_t size)
{
	struct tcp_table *table = data;

	if (tag != TABLE_TEXT_INET)
		return 0;
	text_bytes += size;
	return tcp_table_feed(table, bytes, size);
}

/* Returns how much of the text was read. */
static size_t read_text(void)
{
	struct failure failure = {0};
	struct tcp_table table;

	text_bytes = 0;
	tcp_table_init(&table, AF_INET, NULL, NULL);
	ck_assert_int_eq(table_source_read(&source, PORTWATCH_TABLE_PROCFS, 1, count_bytes, &table,
	                                   &failure),
	                 0);
	text_rows = table.rows;
	return text_bytes;
}

/* Makes so many connections to a listener of our own that the text takes many reads. */
static void connect_often(int count)
{
	struct sockaddr_in name = {.sin_family = AF_INET};
	socklen_t size = sizeof(name);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(server, (struct sockaddr *)&name, sizeof(name)), 0);
	ck_assert_int_eq(listen(server, count), 0);
	ck_assert_int_eq(getsockname(server, (struct sockaddr *)&name, &size), 0);
	for (int i = 0; i < count; i++) {
		int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		ck_assert_int_eq(connect(client, (struct sockaddr *)&name, sizeof(name)), 0);
		ck_assert_int_ge(accept(server, NULL, NULL), 0);
	}
}

START_TEST(a_read_of_linux_text_ends_after_the_listeners)
{
	int proc = open("/proc", O_PATH | O_CLOEXEC);
	size_t whole;

	if (!vdso_is_linux())
		test_skip("the kernel doesn't say that it is Linux");
	sandbox_enter();
	connect_often(100);
	table_source_open_text(&source, proc, "thread-self");
	ck_assert(source.text[0].sorted);
	ck_assert_uint_lt(read_text(), 8192);
	ck_assert_uint_eq(text_rows, 1);
	source.text[0].sorted = false;
	whole = read_text();
	ck_assert_uint_gt(whole, 200 * 100);
	ck_assert_uint_eq(text_rows, 1);
	close(proc);
}
END_TEST

START_TEST(a_row_out_of_order_has_the_rest_read_for_good)
{
	static const char row[] = "   0: 0100007F:%04X 00000000:0000 %s 00000000:00000000 "
				  "00:00000000 00000000     0        0 4711 1\n";
	char name[] = "./source-XXXXXX", text[TABLE_SOURCE_BUFFER + 4096] = "";
	int file = mkstemp(name);
	size_t used = 0;

	ck_assert_int_ge(file, 0);
	unlink(name);
	/* The second listener is in the first piece, the third one after it. */
	for (unsigned int i = 0; used < sizeof(text) - 1024; i++)
		used += (size_t)sprintf(text + used, row, i + 1, i == 0 || i == 2 ? "0A" : "01");
	used += (size_t)sprintf(text + used, row, 80, "0A");
	ck_assert_int_eq(write(file, text, used), (ssize_t)used);
	source.text[0].fd = file;
	source.text[0].sorted = true;
	source.text_failure.error = 0;
	ck_assert_uint_eq(read_text(), used);
	ck_assert_uint_eq(text_rows, 3);
	ck_assert(!source.text[0].sorted);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("source");
	TCase *diag = tcase_create("diag"), *text = tcase_create("text");

	tcase_add_checked_fixture(diag, setup, teardown);
	tcase_add_test(diag, only_the_kernel_may_send);
	tcase_add_test(diag, datagrams_of_outsiders_do_not_extend_a_read);
	tcase_add_test(diag, datagrams_of_outsiders_are_discarded_up_to_a_limit);
	suite_add_tcase(suite, diag);
	tcase_add_checked_fixture(text, setup, teardown);
	tcase_add_test(text, a_read_of_linux_text_ends_after_the_listeners);
	tcase_add_test(text, a_row_out_of_order_has_the_rest_read_for_good);
	suite_add_tcase(suite, text);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
