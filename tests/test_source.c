/* SPDX-License-Identifier: MIT */
/* test_source.c - the kernel's tables as bytes, and what others do to keep them from us */
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/sandbox.h"
#include "support/skip.h"
#include "table/source.h"

#define DATAGRAMS 200 /* more than are passed over in one read */

static unsigned char buffer[TABLE_SOURCE_BUFFER];
static struct table_source source;

static void setup(void)
{
	table_source_init(&source, buffer);
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

/* As anybody could open one. */
static int open_netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd < 0)
		test_skip("sock_diag: %s", strerror(errno));
	return fd;
}

/* Sends to a netlink socket of another, as root of its network namespace may. Returns an errno. */
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

/* As where a filter refuses to connect it to the kernel. The name is that of a port that is free.
 */
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

START_TEST(strangers_are_not_listened_to_for_ever)
{
	int reads = 0;

	open_to_all();
	ck_assert_int_eq(read_diag(), 0);
	flood();
	ck_assert_int_eq(read_diag(), -EAGAIN);
	/* Those who send no more have been heard out after a while. */
	while (read_diag() == -EAGAIN)
		ck_assert_int_lt(++reads, DATAGRAMS);
	ck_assert_int_gt(reads, 0);
	ck_assert_int_eq(read_diag(), 0);
}
END_TEST

START_TEST(what_strangers_send_is_not_read_away_for_ever)
{
	open_to_all();
	source.dirty = true;
	flood();
	ck_assert_int_eq(read_diag(), -EAGAIN);
	ck_assert_int_gt(count_waiting(), DATAGRAMS / 2);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("source");
	TCase *diag = tcase_create("diag");

	tcase_add_checked_fixture(diag, setup, teardown);
	tcase_add_test(diag, only_the_kernel_may_send);
	tcase_add_test(diag, strangers_are_not_listened_to_for_ever);
	tcase_add_test(diag, what_strangers_send_is_not_read_away_for_ever);
	suite_add_tcase(suite, diag);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
