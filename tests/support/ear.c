/* SPDX-License-Identifier: MIT */
/* ear.c - listens to the doorbell */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "clock.h"
#include "ear.h"
#include "skip.h"

struct heard heard;
pid_t listener_pid;
struct doorbell *doorbell;

static void on_changed(void *data, const struct doorbell_change *change)
{
	ck_assert_ptr_eq(data, &heard);
	heard.disordered |= change->time < heard.last_time;
	heard.last_time = change->time;
	if (change->pid == listener_pid && heard.change_count < HEARD_MAX)
		heard.changes[heard.change_count++] = *change;
}

static void on_forked(void *data, pid_t parent, pid_t child)
{
	(void)data;
	if (parent != getpid() || heard.fork_count >= HEARD_MAX)
		return;
	heard.parents[heard.fork_count] = parent;
	heard.children[heard.fork_count++] = child;
}

/* Once for each process: a sanitizer may have given it a thread more. */
static void on_exited(void *data, pid_t pid)
{
	size_t i;

	(void)data;
	for (i = 0; i < heard.exit_count; i++)
		if (heard.exits[i] == pid)
			return;
	for (i = 0; i < heard.fork_count; i++)
		if (heard.children[i] == pid && heard.exit_count < HEARD_MAX)
			heard.exits[heard.exit_count++] = pid;
}

static void on_lost(void *data, uint64_t records)
{
	(void)data;
	(void)records;
	heard.losses++;
}

const struct doorbell_hooks ear_hooks = {on_changed, on_forked, on_exited, on_lost};

/* The kernel has no such thing, or not for us. */
static bool is_refusal(int error)
{
	return error == -EACCES || error == -EPERM || error == -ENOSYS || error == -ENODEV ||
	       error == -ENOENT;
}

void ear_open(void)
{
	struct failure failure = {NULL, 0};
	int error;

	memset(&heard, 0, sizeof(heard));
	listener_pid = getpid();
	error = doorbell_open(&doorbell, &ear_hooks, &heard, &failure);
	if (is_refusal(error))
		test_skip("cannot %s: %s", failure.step, strerror(failure.error));
	ck_assert_msg(error == 0, "cannot %s: %s", failure.step, strerror(failure.error));
}

void ear_close(void)
{
	doorbell_close(doorbell);
	doorbell = NULL;
}

void ear_await(size_t count)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_MSEC;
	struct pollfd ready = {.fd = doorbell_fd(doorbell), .events = POLLIN};

	doorbell_drain(doorbell);
	while (heard.change_count < count) {
		ck_assert_msg(clock_now(CLOCK_MONOTONIC) < deadline, "heard %zu of %zu",
		              heard.change_count, count);
		ck_assert_int_ge(poll(&ready, 1, PATIENCE), 0);
		doorbell_drain(doorbell);
	}
}

int ear_socket(const char *address, uint16_t *port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6};
	struct sockaddr_in four = {.sin_family = AF_INET};
	bool is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;
	socklen_t size = sizeof(six);
	int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EAFNOSUPPORT)
		test_skip("no IPv6 here");
	ck_assert_int_ge(fd, 0);
	if (is_six) {
		if (bind(fd, (void *)&six, sizeof(six)) < 0 && errno == EADDRNOTAVAIL)
			test_skip("no %s here", address);
	} else {
		ck_assert_int_eq(inet_pton(AF_INET, address, &four.sin_addr), 1);
		ck_assert_int_eq(bind(fd, (void *)&four, sizeof(four)), 0);
	}
	ck_assert_int_eq(getsockname(fd, (void *)&six, &size), 0);
	*port = ntohs(six.sin6_port); /* at the same place in both */
	return fd;
}

pid_t ear_fork(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	return pid;
}

cpu_set_t ear_stay_on(int cpu)
{
	cpu_set_t before, one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	ck_assert_int_eq(sched_getaffinity(0, sizeof(before), &before), 0);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	return before;
}

bool ear_in_child(int namespaces)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		test_skip("takes root, for namespaces without a user namespace");
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (unshare(namespaces) < 0)
			_exit(SKIP_STATUS);
		return true;
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP_STATUS)
		test_skip("not allowed to make namespaces, or to open the doorbell");
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "in the child: status %#x",
	              (unsigned int)status);
	return false;
}

void ear_open_in_child(void)
{
	struct failure failure = {NULL, 0};
	int error = doorbell_open(&doorbell, &ear_hooks, &heard, &failure);

	if (is_refusal(error))
		_exit(SKIP_STATUS);
	ck_assert_msg(error == 0, "cannot %s: %s", failure.step, strerror(failure.error));
	listener_pid = getpid();
}

void ear_listen_once(void)
{
	uint16_t port;
	int fd = ear_socket("127.0.0.1", &port);

	ck_assert_int_eq(listen(fd, 1), 0);
	close(fd);
}
