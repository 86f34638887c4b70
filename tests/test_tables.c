/* SPDX-License-Identifier: MIT */
/* test_tables.c - the text tables and sock_diag agree row by row on live sockets, with each other
 * and with what was opened */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "table/snapshot.h"
#include "support/check_main.h"
#include "support/loopback.h"
#include "support/skip.h"
#include "table/parse_diag.h"
#include "table/parse_text.h"

#define SEQUENCE 4711
#define EACH_KIND 40

/* Kinds of listeners, and their rows in the tables. */
static const struct kind {
	const char *address; /* to bind */
	int socket_family;
	int family;  /* reported */
	int v6only;  /* to set */
	bool shared; /* all on one port (SO_REUSEPORT) */
	int protocol;
} kinds[] = {
	{"127.0.0.1", AF_INET, AF_INET, 0, false, 0},
	{"0.0.0.0", AF_INET, AF_INET, 0, false, 0},
	{"127.0.0.53", AF_INET, AF_INET, 0, true, 0},
	{"::1", AF_INET6, AF_INET6, 0, false, 0},
	{"::", AF_INET6, AF_INET6, 0, false, 0},
	{"::", AF_INET6, AF_INET6, 1, false, 0},
	{"::ffff:127.0.0.1", AF_INET6, AF_INET, 0, false, 0},
	{"::ffff:0.0.0.0", AF_INET6, AF_INET, 0, false, 0},
	{"::1", AF_INET6, AF_INET6, 1, true, 0},
	{"127.0.0.1", AF_INET, AF_INET, 0, false, IPPROTO_MPTCP},
	{"::1", AF_INET6, AF_INET6, 0, false, IPPROTO_MPTCP},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct live {
	bool isolated;          /* in a network namespace of our own: every row is ours */
	struct snapshot opened; /* what getsockname() and fstat() say */
	int descriptors[KINDS * EACH_KIND];
	size_t count;
};

/* Other programs can't disturb the test in its own namespace. Without one, the test compares only
 * its own rows. */
static bool enter_own_namespace(void)
{
	int error;

	if (!check_forks())
		return false;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0 && unshare(CLONE_NEWNET) != 0)
		return false;
	error = loopback_up();
	if (error != 0)
		test_skip("cannot set lo up: %s", strerror(-error));
	return true;
}

static socklen_t endpoint_of(const struct kind *kind, uint16_t port, struct sockaddr_storage *name)
{
	struct sockaddr_in *inet = (struct sockaddr_in *)name;
	struct sockaddr_in6 *inet6 = (struct sockaddr_in6 *)name;

	memset(name, 0, sizeof(*name));
	name->ss_family = (sa_family_t)kind->socket_family;
	/* The ports of both families are at the same place. */
	inet->sin_port = htons(port);
	if (kind->socket_family == AF_INET) {
		ck_assert_int_eq(inet_pton(AF_INET, kind->address, &inet->sin_addr), 1);
		return sizeof(*inet);
	}
	ck_assert_int_eq(inet_pton(AF_INET6, kind->address, &inet6->sin6_addr), 1);
	return sizeof(*inet6);
}

/* Returns a bound and listening socket, or -1 if the system does not support the kind. */
static int listen_on(const struct kind *kind, uint16_t port)
{
	struct sockaddr_storage name;
	socklen_t size = endpoint_of(kind, port, &name);
	int one = 1;
	int fd = socket(kind->socket_family, SOCK_STREAM | SOCK_CLOEXEC, kind->protocol);

	if (fd < 0)
		return -1;
	if (kind->socket_family == AF_INET6)
		ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &kind->v6only,
		                            sizeof(kind->v6only)),
		                 0);
	if (kind->shared)
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	if (bind(fd, (struct sockaddr *)&name, size) != 0 || listen(fd, 1) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Describes the listener of a descriptor without the tables. */
static struct listener describe(const struct kind *kind, int fd)
{
	struct listener listener = {.family = (uint8_t)kind->family, .v6only = -1};
	const char *address = kind->address;
	struct sockaddr_storage name;
	socklen_t size = sizeof(name);
	struct stat status;

	/* A socket with an IPv6 address of its own can't be reached by IPv4, whatever option was
	 * set. */
	if (kind->family == AF_INET6)
		listener.v6only = kind->v6only || strcmp(kind->address, "::") != 0;
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&name, &size), 0);
	listener.port = ntohs(((struct sockaddr_in *)&name)->sin_port);
	if (strncmp(address, "::ffff:", 7) == 0)
		address += 7;
	ck_assert_int_eq(inet_pton(kind->family, address, listener.address), 1);
	ck_assert_int_eq(fstat(fd, &status), 0);
	listener.inode = status.st_ino;
	/* For an MPTCP socket the table shows the first subflow, which has a cookie of its own. */
	size = sizeof(listener.cookie);
	if (kind->protocol != 0)
		return listener;
	/* qemu-user supports only some options. */
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &listener.cookie, &size) < 0)
		test_skip("no cookies of sockets: %s", strerror(errno));
	return listener;
}

/* Opens all listeners of a kind. Returns false if the system does not support the kind. */
static bool open_kind(struct live *live, const struct kind *kind)
{
	struct listener listener;
	uint16_t port = 0;
	int fd, i;

	for (i = 0; i < EACH_KIND; i++) {
		fd = listen_on(kind, port);
		if (fd < 0)
			return false;
		live->descriptors[live->count++] = fd;
		listener = describe(kind, fd);
		if (kind->shared)
			port = listener.port;
		ck_assert_int_eq(snapshot_add(&live->opened, &listener), 0);
	}
	return true;
}

static void open_all(struct live *live)
{
	size_t i;

	*live = (struct live){.isolated = enter_own_namespace()};
	for (i = 0; i < KINDS; i++) {
		if (!open_kind(live, &kinds[i]))
			fprintf(stderr, "note: no listener on %s, protocol %d: %s\n",
			        kinds[i].address, kinds[i].protocol, strerror(errno));
	}
	snapshot_seal(&live->opened);
	ck_assert_uint_ge(live->opened.count, 100);
	ck_assert_uint_eq(live->opened.count, live->count);
}

static void close_all(struct live *live)
{
	while (live->count > 0)
		close(live->descriptors[--live->count]);
	snapshot_clear(&live->opened);
}

struct ours {
	const struct live *live;
	struct snapshot found;
};

static int keep_ours(void *data, const struct listener *listener)
{
	struct ours *ours = data;

	if (!ours->live->isolated && !snapshot_find(&ours->live->opened, listener))
		return 0;
	return snapshot_add(&ours->found, listener);
}

static void read_text(struct ours *ours, const char *path, int family)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct tcp_table table;
	char buffer[4096];
	ssize_t size;

	if (fd < 0 && errno == ENOENT)
		return;
	ck_assert_int_ge(fd, 0);
	tcp_table_init(&table, family, keep_ours, ours);
	while ((size = read(fd, buffer, sizeof(buffer))) > 0)
		ck_assert_int_eq(tcp_table_feed(&table, buffer, (size_t)size), 0);
	ck_assert_int_eq(size, 0);
	tcp_table_end(&table);
	if (ours->live->isolated)
		ck_assert_uint_eq(table.rejected, 0);
	close(fd);
}

static int dump(struct ours *ours, int fd, int family)
{
	static unsigned char buffer[TCP_DIAG_BUFFER];
	struct tcp_diag diag;
	ssize_t size;
	int error;

	size = (ssize_t)tcp_diag_request(buffer, family, SEQUENCE + (uint32_t)family);
	ck_assert_int_eq(send(fd, buffer, (size_t)size, 0), size);
	tcp_diag_init(&diag, family, SEQUENCE + (uint32_t)family, keep_ours, ours);
	do {
		size = recv(fd, buffer, sizeof(buffer), MSG_TRUNC);
		ck_assert_int_gt(size, 0);
		ck_assert_uint_le((size_t)size, sizeof(buffer));
		error = tcp_diag_feed(&diag, buffer, (size_t)size);
	} while (error == 0 && !diag.done);
	ck_assert(diag.done);
	if (ours->live->isolated)
		ck_assert_uint_eq(diag.rejected, 0);
	return error;
}

/* One socket serves both families and, after an interrupted dump, the next attempt. */
static void read_diag(struct ours *ours, int fd)
{
	int error;

	do {
		snapshot_reset(&ours->found);
		error = dump(ours, fd, AF_INET);
		if (error == 0)
			error = dump(ours, fd, AF_INET6);
	} while (error == -EAGAIN);
	/* A missing module gives the same result as a kernel without sock_diag. */
	if (error == -ENOENT)
		test_skip("sock_diag: %s", strerror(-error));
	ck_assert_int_eq(error, 0);
	snapshot_seal(&ours->found);
}

/* Reads again if the table was not consistent: while other processes open and close sockets, a read
 * can miss a row or see it twice. */
static void read_until_whole(struct ours *ours)
{
	do {
		snapshot_reset(&ours->found);
		read_text(ours, "/proc/self/net/tcp", AF_INET);
		read_text(ours, "/proc/self/net/tcp6", AF_INET6);
		snapshot_seal(&ours->found);
	} while (!ours->live->isolated && ours->found.count < ours->live->opened.count);
}

START_TEST(tables_agree_row_by_row)
{
	struct live live;
	struct ours text = {.live = &live}, diag = {.live = &live};
	const struct listener *opened;
	size_t i;
	int fd;

	open_all(&live);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		test_skip("sock_diag: %s", strerror(errno));
	read_until_whole(&text);
	read_diag(&diag, fd);
	ck_assert_uint_eq(text.found.count, live.opened.count);
	ck_assert_uint_eq(diag.found.count, live.opened.count);
	for (i = 0; i < live.opened.count; i++) {
		opened = &live.opened.rows[i].listener;
		ck_assert_int_eq(listener_compare(opened, &text.found.rows[i].listener), 0);
		ck_assert_int_eq(listener_compare(opened, &diag.found.rows[i].listener), 0);
		ck_assert_int_eq(diag.found.rows[i].listener.v6only, opened->v6only);
		ck_assert_uint_ne(diag.found.rows[i].listener.cookie, 0);
		if (opened->cookie != 0)
			ck_assert_uint_eq(diag.found.rows[i].listener.cookie, opened->cookie);
	}
	close(fd);
	snapshot_clear(&text.found);
	snapshot_clear(&diag.found);
	close_all(&live);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("tables");
	TCase *live = tcase_create("live");

	tcase_add_test(live, tables_agree_row_by_row);
	suite_add_tcase(suite, live);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
