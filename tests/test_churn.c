/* SPDX-License-Identifier: MIT */
/* test_churn.c - stable ports beside thousands of ports that open and close
 *
 * Lasts a second for each way of watching, or PORTWATCH_CHURN_SECONDS. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/skip.h"

/* Above the ports that fixture_listen() chooses. */
#define DISTINCT 40000
#define DISTINCT_COUNT 2000
#define SHARED 50000
#define SHARED_COUNT 500
#define STABLE_COUNT 50

/* What the callback has received, by port. */
static struct {
	atomic_uint opened[65536];
	atomic_uint closed[65536];
	atomic_uint wrong; /* opened twice, or closed while it wasn't open */
	atomic_uint open;
} reported;

static void on_event(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	bool opens = portwatch_event_get_kind(event) == PORTWATCH_EVENT_OPEN;
	uint16_t port = portwatch_event_get_port(event);
	bool is_open = reported.opened[port] > reported.closed[port];

	(void)watcher;
	(void)data;
	if (opens == is_open)
		reported.wrong++;
	if (opens) {
		reported.opened[port]++;
		reported.open++;
	} else {
		reported.closed[port]++;
		reported.open--;
	}
}

/* Watches with a notifier or by polling; reads the dump or the text. */
static struct portwatch *watch(pid_t pid, int way)
{
	struct portwatch *watcher;

	ck_assert_int_eq(portwatch_new(&watcher, pid, on_event, NULL), 0);
	ck_assert_int_eq(
		portwatch_set_events(watcher, PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE), 0);
	ck_assert_int_eq(portwatch_set_interval(watcher, 10), 0);
	ck_assert_int_eq(portwatch_set_notifier(watcher, way % 2), 0);
	ck_assert_int_eq(portwatch_set_table(watcher, way / 2 ? PORTWATCH_TABLE_PROCFS
	                                                      : PORTWATCH_TABLE_DIAG),
	                 0);
	ck_assert_int_eq(portwatch_start(watcher), 0);
	return watcher;
}

static int seconds(void)
{
	const char *wanted = getenv("PORTWATCH_CHURN_SECONDS");
	int number = wanted ? atoi(wanted) : 1;

	return number > 0 ? number : 1;
}

static void need_descriptors(void)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < DISTINCT_COUNT + 100)
		test_skip("takes %d descriptors, the hard limit is %llu", DISTINCT_COUNT + 100,
		          (unsigned long long)limit.rlim_max);
}

static time_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Waits until every port that is still open at the end has been reported. */
static void await_all(unsigned int count)
{
	time_t end = monotonic() + COLLECT_PATIENCE;

	while (reported.open != count && monotonic() < end)
		poll(NULL, 0, 1);
	ck_assert_uint_eq(reported.open, count);
}

static void check_stable(const struct fixture_socket *stable)
{
	for (int i = 0; i < STABLE_COUNT; i++) {
		ck_assert_uint_eq(reported.opened[stable[i].port], 1);
		ck_assert_uint_eq(reported.closed[stable[i].port], 0);
	}
}

static void show_figures(struct portwatch *watcher, uint64_t distinct, uint64_t shared)
{
	unsigned int changes = 0;

	for (int i = 0; i < 65536; i++)
		changes += reported.opened[i] + reported.closed[i];
	printf("%d s: %llu changes of %d ports, %llu of %d listeners on one; %u events\n",
	       seconds(), (unsigned long long)distinct, DISTINCT_COUNT, (unsigned long long)shared,
	       SHARED_COUNT, changes);
	for (int i = 0; portwatch_stat_name((enum portwatch_stat)i); i++)
		printf("  %s: %llu\n", portwatch_stat_name((enum portwatch_stat)i),
		       (unsigned long long)portwatch_get_stat(watcher, (enum portwatch_stat)i));
}

START_TEST(stable_ports_stay_open)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct fixture distinct = fixture_fork(&server), shared = fixture_fork(&server);
	struct fixture_socket stable[STABLE_COUNT];
	uint64_t distinct_turns, shared_turns;
	struct portwatch *watcher;

	need_descriptors();
	for (int i = 0; i < STABLE_COUNT; i++)
		stable[i] = fixture_listen(&server, "127.0.0.1", 0);
	watcher = watch(server.pid, _i);
	fixture_storm(&distinct, "127.0.0.1", DISTINCT, DISTINCT_COUNT, 0);
	fixture_storm(&shared, "127.0.0.1", SHARED, SHARED_COUNT, LISTEN_REUSEPORT);
	poll(NULL, 0, seconds() * 1000);
	distinct_turns = fixture_calm(&distinct);
	shared_turns = fixture_calm(&shared);
	await_all(STABLE_COUNT + DISTINCT_COUNT + 1);
	show_figures(watcher, distinct_turns, shared_turns);
	ck_assert_uint_eq(reported.wrong, 0);
	check_stable(stable);
	ck_assert_uint_eq(reported.opened[SHARED], 1);
	ck_assert_uint_eq(reported.closed[SHARED], 0);
	fixture_end(&distinct);
	fixture_end(&shared);
	await_all(STABLE_COUNT);
	check_stable(stable);
	portwatch_free(watcher);
	fixture_end(&server);
}
END_TEST

static void wait_reads(struct portwatch *watcher, uint64_t reads)
{
	uint64_t until = portwatch_get_stat(watcher, PORTWATCH_STAT_READS) + reads;
	time_t end = monotonic() + COLLECT_PATIENCE;

	while (portwatch_get_stat(watcher, PORTWATCH_STAT_READS) < until && monotonic() < end)
		poll(NULL, 0, 1);
	ck_assert_uint_ge(portwatch_get_stat(watcher, PORTWATCH_STAT_READS), until);
}

/* Each read shows listeners of this server that have gone before the library can find their holder.
 */
START_TEST(a_port_that_each_read_shows_stays_open)
{
	struct fixture server = fixture_start(SANDBOX_NETNS), child = fixture_fork(&server);
	struct fixture_socket first;
	struct portwatch *watcher;

	first = fixture_listen_with(&server, "127.0.0.1", SHARED, LISTEN_REUSEPORT);
	watcher = watch(server.pid, _i);
	ck_assert_uint_eq(reported.open, 1);
	fixture_storm(&child, "127.0.0.1", SHARED, 2, LISTEN_REUSEPORT);
	wait_reads(watcher, 5);
	fixture_close(&server, first);
	wait_reads(watcher, 20);
	fixture_calm(&child);
	wait_reads(watcher, 5);
	ck_assert_uint_eq(reported.opened[SHARED], 1);
	ck_assert_uint_eq(reported.closed[SHARED], 0);
	fixture_end(&child);
	await_all(0);
	ck_assert_uint_eq(reported.closed[SHARED], 1);
	portwatch_free(watcher);
	fixture_end(&server);
}
END_TEST

/* Binds a socket of this process to an address that no other process uses. */
static int bind_ours(const char *address, uint16_t port, int shared)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &name.sin_addr);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shared, sizeof(shared)), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in name;
	socklen_t size = sizeof(name);

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&name, &size), 0);
	return ntohs(name.sin_port);
}

/* Raises the limit of descriptors. Returns the number of sockets that may be opened, at most
 * `most`. */
static unsigned int take_descriptors(unsigned int most)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return limit.rlim_max < most + 100 ? (unsigned int)limit.rlim_max - 100 : most;
}

/* A member opens its first socket on a non-member's port (SO_REUSEPORT). Between the kernel's event
 * and the row in the table, the kernel walks over all sockets that are bound to the port, and the
 * non-member already has a row there. The first read must not accept the non-member's row, because
 * the next read is an hour away. */
START_TEST(a_socket_on_the_port_of_a_non_member_is_seen_at_once)
{
	struct fixture member = fixture_start(0);
	unsigned int bound = take_descriptors(8000);
	struct collect collect;
	uint16_t port;
	int outsider;

	collect_new(&collect, member.pid);
	ck_assert_int_eq(portwatch_set_interval(collect.watcher, 3600000), 0);
	ck_assert_int_eq(portwatch_set_addresses(collect.watcher, PORTWATCH_ADDRESSES_ALL), 0);
	collect_start(&collect);
	if (portwatch_get_notifier(collect.watcher, PORTWATCH_NOTICE_LISTEN, NULL, 0) <= 0)
		test_skip("no notifier");
	outsider = bind_ours("127.77.0.1", 0, 1);
	ck_assert_int_eq(listen(outsider, 1), 0);
	port = port_of(outsider);
	while (bound-- > 0)
		bind_ours("127.77.0.1", port, 1);
	for (int i = 0; i < 20; i++) {
		struct fixture_socket socket = fixture_listen_with(
			&member, "127.77.0.1", port, LISTEN_REUSEPORT | LISTEN_BIND_ONLY);
		/* Without this socket the kernel remembers that the port needs no search. */
		int other = bind_ours("127.77.0.2", port, 0);

		fixture_begin(&member, socket);
		collect_wait_count(&collect, PORTWATCH_EVENT_OPEN, NULL, port, (size_t)i + 1);
		fixture_close(&member, socket);
		collect_wait_count(&collect, PORTWATCH_EVENT_CLOSE, NULL, port, (size_t)i + 1);
		close(other);
	}
	collect_free(&collect);
	fixture_end(&member);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("churn");
	TCase *churn = tcase_create("churn");

	tcase_set_timeout(churn, 2 * COLLECT_PATIENCE + seconds());
	tcase_add_loop_test(churn, stable_ports_stay_open, 0, 4);
	tcase_add_loop_test(churn, a_port_that_each_read_shows_stays_open, 0, 4);
	tcase_add_test(churn, a_socket_on_the_port_of_a_non_member_is_seen_at_once);
	suite_add_tcase(suite, churn);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
