/* SPDX-License-Identifier: MIT */
/* test_doorbell.c - the doorbell on the running kernel */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "support/check_main.h"
#include "support/ear.h"

static const struct {
	const char *address;
	int family;
	const char *bytes;
} addresses[] = {
	{"127.0.0.1", AF_INET, "\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0"},
	{"127.9.8.7", AF_INET, "\x7f\x09\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0"},
	{"0.0.0.0", AF_INET, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
	{"::1", AF_INET6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
	{"::", AF_INET6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
	{"::ffff:127.0.0.1", AF_INET6, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1"},
};

START_TEST(test_listen_and_close)
{
	struct doorbell_change *change = heard.changes;
	uint64_t before, after;
	uint16_t port;
	int fd;

	ear_open();
	fd = ear_socket(addresses[_i].address, &port);
	before = clock_now(CLOCK_MONOTONIC);
	ck_assert_int_eq(listen(fd, 1), 0);
	after = clock_now(CLOCK_MONOTONIC);
	ear_await(1);
	close(fd);
	ear_await(2);
	ck_assert(change[0].listening);
	ck_assert_int_eq(change[0].pid, getpid());
	ck_assert_int_eq(change[0].tid, gettid());
	ck_assert_int_eq(change[0].family, addresses[_i].family);
	ck_assert_uint_eq(change[0].port, port);
	ck_assert_mem_eq(change[0].address, addresses[_i].bytes, 16);
	ck_assert_uint_ge(change[0].time, before);
	ck_assert_uint_le(change[0].time, after);
	ck_assert_uint_ne(change[0].socket, 0);
	ck_assert(!change[1].listening);
	ck_assert_uint_eq(change[1].socket, change[0].socket);
	ck_assert_uint_eq(change[1].port, port);
	ck_assert_uint_ge(doorbell_records(doorbell), 2);
	ear_close();
}
END_TEST

START_TEST(test_autobind)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ear_open();
	ck_assert_int_eq(listen(fd, 1), 0);
	close(fd);
	ear_await(2);
	ck_assert(heard.changes[0].listening);
	ck_assert_uint_eq(heard.changes[0].port, 0);
	ck_assert(!heard.changes[1].listening);
	ck_assert_uint_eq(heard.changes[1].socket, heard.changes[0].socket);
	ear_close();
}
END_TEST

/* A socket can cease to listen without being closed, and begin again. */
START_TEST(test_shutdown)
{
	uint16_t port;
	int fd = ear_socket("127.0.0.1", &port), i;

	ear_open();
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(listen(fd, 1), 0);
		ck_assert_int_eq(shutdown(fd, SHUT_RDWR), 0);
	}
	ear_await(4);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(heard.changes[i].listening, i % 2 == 0);
		ck_assert_uint_eq(heard.changes[i].socket, heard.changes[0].socket);
	}
	close(fd);
	ear_close();
}
END_TEST

static void connect_once(int listener)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;

	ck_assert_int_eq(getsockname(listener, (void *)&address, &size), 0);
	ck_assert_int_eq(connect(client, (void *)&address, size), 0);
	server = accept(listener, NULL, NULL);
	ck_assert_int_ge(server, 0);
	close(client);
	close(server);
}

START_TEST(test_connections_are_silent)
{
	uint16_t port;
	int fd = ear_socket("127.0.0.1", &port), i;

	ear_open();
	ck_assert_int_eq(listen(fd, 8), 0);
	for (i = 0; i < 50; i++)
		connect_once(fd);
	close(fd);
	ear_await(2);
	ck_assert(heard.changes[0].listening);
	ck_assert(!heard.changes[1].listening);
	ck_assert_uint_eq(heard.change_count, 2);
	ear_close();
}
END_TEST

START_TEST(test_forks_come_with_the_next_drain)
{
	pid_t pids[20];
	size_t i;

	ear_open();
	for (i = 0; i < 20; i++)
		pids[i] = ear_fork();
	doorbell_drain(doorbell);
	ck_assert_uint_eq(heard.fork_count, 20);
	ck_assert_uint_eq(heard.exit_count, 20);
	for (i = 0; i < 20; i++) {
		ck_assert_int_eq(heard.children[i], pids[i]);
		ck_assert_int_eq(heard.exits[i], pids[i]);
	}
	ear_close();
}
END_TEST

static void *no_work(void *data)
{
	return data;
}

START_TEST(test_threads_are_no_forks)
{
	pthread_t thread;

	ear_open();
	ck_assert_int_eq(pthread_create(&thread, NULL, no_work, NULL), 0);
	pthread_join(thread, NULL);
	ear_fork();
	doorbell_drain(doorbell);
	ck_assert_uint_eq(heard.fork_count, 1);
	ear_close();
}
END_TEST

START_TEST(test_order_across_cpus)
{
	cpu_set_t allowed;
	uint16_t port;
	int fd = ear_socket("127.0.0.1", &port), round, cpu;
	size_t count = 0, i;

	ear_open();
	ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for (round = 0; round < 5; round++) {
		for (cpu = 0; cpu < CPU_SETSIZE && count < 40; cpu++) {
			if (!CPU_ISSET(cpu, &allowed))
				continue;
			ear_stay_on(cpu);
			ck_assert_int_eq(listen(fd, 1), 0);
			ck_assert_int_eq(shutdown(fd, SHUT_RDWR), 0);
			count += 2;
		}
	}
	sched_setaffinity(0, sizeof(allowed), &allowed);
	doorbell_drain(doorbell);
	ck_assert_uint_eq(heard.change_count, count);
	for (i = 0; i < count; i++)
		ck_assert_int_eq(heard.changes[i].listening, i % 2 == 0);
	ck_assert(!heard.disordered);
	close(fd);
	ear_close();
}
END_TEST

/* The kernel says how many it dropped with its next record alone. The drain doesn't wait for that.
 */
START_TEST(test_overflow)
{
	cpu_set_t allowed;
	uint16_t port;
	int fd = ear_socket("127.0.0.1", &port), i;

	ear_open();
	allowed = ear_stay_on(sched_getcpu());
	for (i = 0; i < 20000; i++) {
		ck_assert_int_eq(listen(fd, 1), 0);
		ck_assert_int_eq(shutdown(fd, SHUT_RDWR), 0);
	}
	doorbell_drain(doorbell);
	ck_assert_uint_ge(heard.losses, 1);
	ck_assert_uint_ge(heard.change_count, 20);
	close(fd);
	doorbell_drain(doorbell);
	heard.change_count = 0;
	fd = ear_socket("127.0.0.1", &port);
	ck_assert_int_eq(listen(fd, 1), 0);
	ear_await(1);
	ck_assert(heard.changes[0].listening);
	ck_assert_uint_eq(heard.changes[0].port, port);
	ck_assert_uint_ge(doorbell_lost(doorbell), 30000);
	sched_setaffinity(0, sizeof(allowed), &allowed);
	close(fd);
	ear_close();
}
END_TEST

/* Half a ring of fork and exit records wakes, so that they are not lost while no sample does. */
START_TEST(test_many_forks_wake)
{
	struct pollfd ready;
	cpu_set_t allowed;
	int i;

	ear_open();
	ready = (struct pollfd){.fd = doorbell_fd(doorbell), .events = POLLIN};
	allowed = ear_stay_on(sched_getcpu());
	for (i = 0; i < 4000 && poll(&ready, 1, 0) == 0; i++)
		ear_fork();
	ck_assert_int_lt(i, 4000);
	doorbell_drain(doorbell);
	ck_assert_uint_eq(heard.losses, 0);
	sched_setaffinity(0, sizeof(allowed), &allowed);
	ear_close();
}
END_TEST

/* As the monitor waits: the doorbell's epoll within another. */
START_TEST(test_nested_epoll)
{
	int outer = epoll_create1(EPOLL_CLOEXEC), fd, i;
	struct epoll_event event = {.events = EPOLLIN};
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_MSEC;
	uint16_t port;

	ear_open();
	ck_assert_int_eq(epoll_ctl(outer, EPOLL_CTL_ADD, doorbell_fd(doorbell), &event), 0);
	doorbell_drain(doorbell);
	fd = ear_socket("127.0.0.1", &port);
	for (i = 1; i <= 10; i++) {
		ck_assert_int_eq(i % 2 ? listen(fd, 1) : shutdown(fd, SHUT_RDWR), 0);
		while (heard.change_count < (size_t)i) {
			ck_assert_uint_lt(clock_now(CLOCK_MONOTONIC), deadline);
			ck_assert_int_eq(epoll_wait(outer, &event, 1, PATIENCE), 1);
			doorbell_drain(doorbell);
		}
	}
	close(fd);
	close(outer);
	ear_close();
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("doorbell");
	TCase *changes = tcase_create("changes"), *tasks = tcase_create("tasks");
	TCase *losses = tcase_create("losses");

	tcase_add_loop_test(changes, test_listen_and_close, 0,
	                    sizeof(addresses) / sizeof(addresses[0]));
	tcase_add_test(changes, test_autobind);
	tcase_add_test(changes, test_shutdown);
	tcase_add_test(changes, test_connections_are_silent);
	tcase_add_test(changes, test_order_across_cpus);
	tcase_add_test(changes, test_nested_epoll);
	suite_add_tcase(suite, changes);
	tcase_add_test(tasks, test_forks_come_with_the_next_drain);
	tcase_add_test(tasks, test_threads_are_no_forks);
	tcase_add_test(tasks, test_many_forks_wake);
	suite_add_tcase(suite, tasks);
	tcase_add_test(losses, test_overflow);
	suite_add_tcase(suite, losses);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
