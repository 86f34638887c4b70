/* SPDX-License-Identifier: MIT */
/* fixture.c - processes that follow a test's commands and answer with the results */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "fixture.h"
#include "patience.h"
#include "skip.h"

/* Finds the puppet beside the test program, which libtool may have put into .libs. */
static void find_puppet(char *path, size_t size)
{
	char self[1024];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	ck_assert_int_gt(length, 0);
	self[length] = '\0';
	slash = strrchr(self, '/');
	ck_assert_ptr_nonnull(slash);
	*slash = '\0';
	slash = strrchr(self, '/');
	if (slash && strcmp(slash, "/.libs") == 0)
		*slash = '\0';
	snprintf(path, size, "%s/fixtures/puppet", self);
	/* Another user may have no access to the path, see sandbox_run_as_nobody(). */
	if (access(path, X_OK) < 0 && errno == EACCES)
		snprintf(path, size, "fixtures/puppet");
	ck_assert_msg(access(path, X_OK) == 0, "%s is not built", path);
}

/* Returns our end, which receives the PID of each sender. */
static int make_pair(int *theirs)
{
	int ends[2], on = 1;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	*theirs = ends[1];
	return ends[0];
}

static struct answer receive(int control, int *rider, pid_t *pid)
{
	struct answer answer = {0};
	ssize_t size = protocol_receive(control, &answer, sizeof(answer), rider, pid);

	ck_assert_msg(size == (ssize_t)sizeof(answer), "no answer: %s",
	              size < 0 ? strerror(errno) : "the fixture is gone");
	return answer;
}

static struct answer ask(const struct fixture *fixture, const struct command *command, int rider)
{
	struct answer answer;
	pid_t pid;
	int fd;

	ck_assert_int_eq(protocol_send(fixture->control, command, sizeof(*command), rider),
	                 sizeof(*command));
	answer = receive(fixture->control, &fd, &pid);
	ck_assert_int_eq(fd, -1);
	return answer;
}

static struct answer order(const struct fixture *fixture, const struct command *command, int rider)
{
	struct answer answer = ask(fixture, command, rider);

	ck_assert_msg(answer.error == 0, "operation %d: %s", (int)command->operation,
	              strerror(answer.error));
	return answer;
}

struct fixture fixture_start(unsigned int sandbox)
{
	char path[2048], loopback[] = "--loopback";
	char *arguments[] = {path, sandbox & SANDBOX_NETNS ? loopback : NULL, NULL};
	struct fixture fixture = {.child = true};
	int theirs, rider;
	pid_t pid;

	find_puppet(path, sizeof(path));
	fixture.control = make_pair(&theirs);
	pid = sandbox_spawn(sandbox, arguments, theirs);
	close(theirs);
	if (pid < 0 && sandbox)
		test_skip("no namespaces of our own: %s", strerror(-pid));
	ck_assert_int_gt(pid, 0);
	receive(fixture.control, &rider, &fixture.pid);
	ck_assert_int_eq(pid, fixture.pid);
	return fixture;
}

void fixture_wait_exit(pid_t pid)
{
	struct pollfd wait = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

	if (wait.fd < 0) {
		ck_assert_int_eq(errno, ESRCH);
		return;
	}
	ck_assert_int_eq(poll(&wait, 1, patience(60000)), 1);
	close(wait.fd);
}

static void ended(struct fixture *fixture)
{
	close(fixture->control);
	fixture->control = -1;
	if (fixture->child)
		ck_assert_int_eq(waitpid(fixture->pid, NULL, 0), fixture->pid);
	else
		fixture_wait_exit(fixture->pid);
}

void fixture_end(struct fixture *fixture)
{
	shutdown(fixture->control, SHUT_RDWR);
	ended(fixture);
}

void fixture_exit(struct fixture *fixture, int status)
{
	struct command command = {.operation = OPERATION_EXIT, .number = status};

	ck_assert_int_eq(protocol_send(fixture->control, &command, sizeof(command), -1),
	                 sizeof(command));
	ended(fixture);
}

/* Returns another port with each call, from below the range in which the kernel chooses ports. The
 * kernel may choose a port that was closed a moment before, and a watcher that has not seen the
 * close then sees no change. */
static uint16_t another_port(void)
{
	enum { FIRST = 10000, END = 32768 };
	static unsigned int count;

	return (uint16_t)(FIRST + ((unsigned int)getpid() * 31 + count++) % (END - FIRST));
}

struct fixture_socket fixture_listen_with(const struct fixture *fixture, const char *address,
                                          uint16_t port, unsigned int flags)
{
	struct command command = {.operation = OPERATION_LISTEN, .flags = flags, .port = port};
	bool any = port == 0 && !(flags & LISTEN_AUTOBIND);
	struct answer answer;

	snprintf(command.text, sizeof(command.text), "%s", address);
	do {
		if (any)
			command.port = another_port();
		answer = ask(fixture, &command, -1);
	} while (any && answer.error == EADDRINUSE);
	if (answer.error && flags & LISTEN_HIDDEN)
		test_skip("io_uring: %s", strerror(answer.error));
	ck_assert_msg(answer.error == 0, "listen on %s:%u: %s", address, command.port,
	              strerror(answer.error));
	return (struct fixture_socket){answer.handle, answer.port, answer.inode};
}

struct fixture_socket fixture_listen(const struct fixture *fixture, const char *address,
                                     uint16_t port)
{
	return fixture_listen_with(fixture, address, port, 0);
}

void fixture_begin(const struct fixture *fixture, struct fixture_socket socket)
{
	struct command command = {.operation = OPERATION_BEGIN, .handle = socket.handle};

	order(fixture, &command, -1);
}

void fixture_close(const struct fixture *fixture, struct fixture_socket socket)
{
	struct command command = {.operation = OPERATION_CLOSE, .handle = socket.handle};

	order(fixture, &command, -1);
}

void fixture_churn(const struct fixture *fixture, const char *address, int number)
{
	struct command command = {.operation = OPERATION_CHURN, .number = number};

	snprintf(command.text, sizeof(command.text), "%s", address);
	order(fixture, &command, -1);
}

void fixture_storm(const struct fixture *fixture, const char *address, uint16_t port, int number,
                   unsigned int flags)
{
	struct command command = {OPERATION_STORM, flags, 0, number, port, ""};

	snprintf(command.text, sizeof(command.text), "%s", address);
	order(fixture, &command, -1);
}

uint64_t fixture_calm(const struct fixture *fixture)
{
	return order(fixture, &(struct command){.operation = OPERATION_CALM}, -1).inode;
}

static bool beget(const struct fixture *fixture, enum operation operation, pid_t pid,
                  struct fixture *child)
{
	struct command command = {.operation = operation, .number = pid};
	struct answer answer;
	int theirs, rider;

	*child = (struct fixture){0};
	child->control = make_pair(&theirs);
	answer = ask(fixture, &command, theirs);
	close(theirs);
	if (answer.error == EPERM) {
		close(child->control);
		return false;
	}
	ck_assert_int_eq(answer.error, 0);
	receive(child->control, &rider, &child->pid);
	return true;
}

struct fixture fixture_fork(const struct fixture *fixture)
{
	struct fixture child;

	ck_assert(beget(fixture, OPERATION_FORK, 0, &child));
	return child;
}

struct fixture fixture_daemon(const struct fixture *fixture)
{
	struct fixture child;

	ck_assert(beget(fixture, OPERATION_DAEMON, 0, &child));
	return child;
}

bool fixture_respawn(const struct fixture *fixture, pid_t pid, struct fixture *child)
{
	return beget(fixture, OPERATION_RESPAWN, pid, child);
}

void fixture_exit_leader(const struct fixture *fixture)
{
	order(fixture, &(struct command){.operation = OPERATION_LEADER_EXIT}, -1);
}

void fixture_thread(const struct fixture *fixture, unsigned int flags)
{
	struct command command = {.operation = OPERATION_THREAD, .flags = flags};

	order(fixture, &command, -1);
}

void fixture_register(const struct fixture *fixture, struct fixture_socket socket,
                      unsigned int flags)
{
	struct command command = {
		.operation = OPERATION_REGISTER, .flags = flags, .handle = socket.handle};
	struct answer answer = ask(fixture, &command, -1);

	if (answer.error)
		test_skip("io_uring: %s", strerror(answer.error));
}

struct fixture_socket fixture_give(const struct fixture *from, struct fixture_socket socket,
                                   const struct fixture *to)
{
	struct command give = {.operation = OPERATION_GIVE, .handle = socket.handle};
	struct command take = {.operation = OPERATION_TAKE};
	struct answer answer;
	pid_t pid;
	int fd;

	ck_assert_int_eq(protocol_send(from->control, &give, sizeof(give), -1), sizeof(give));
	answer = receive(from->control, &fd, &pid);
	ck_assert_int_eq(answer.error, 0);
	ck_assert_int_ge(fd, 0);
	answer = ask(to, &take, fd);
	close(fd);
	ck_assert_int_eq(answer.error, 0);
	return (struct fixture_socket){answer.handle, answer.port, answer.inode};
}

void fixture_unshare(const struct fixture *fixture)
{
	order(fixture, &(struct command){.operation = OPERATION_UNSHARE}, -1);
}

void fixture_join(const struct fixture *fixture, pid_t pid)
{
	struct command command = {.operation = OPERATION_JOIN};
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	order(fixture, &command, fd);
	close(fd);
}

void fixture_exec(const struct fixture *fixture, struct fixture_socket socket)
{
	struct command command = {.operation = OPERATION_EXEC, .handle = socket.handle};

	order(fixture, &command, -1);
}

void fixture_rename(const struct fixture *fixture, const char *name)
{
	struct command command = {.operation = OPERATION_NAME};

	snprintf(command.text, sizeof(command.text), "%s", name);
	order(fixture, &command, -1);
}

void fixture_hide(const struct fixture *fixture)
{
	order(fixture, &(struct command){.operation = OPERATION_HIDE}, -1);
}
