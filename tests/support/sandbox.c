/* SPDX-License-Identifier: MIT */
/* sandbox.c - new namespaces for tests, with or without privilege */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "loopback.h"
#include "sandbox.h"
#include "skip.h"

#define NOBODY 65534

/* The bytes that the child writes. They are prepared before the child is made, because the child
 * shares only memory with its parent. */
struct identity {
	char users[32];
	char groups[32];
};

static void identity_take(struct identity *identity)
{
	snprintf(identity->users, sizeof(identity->users), "0 %u 1", geteuid());
	snprintf(identity->groups, sizeof(identity->groups), "0 %u 1", getegid());
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t written = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return written < 0 ? -errno : 0;
}

/* Makes the calling process root of its new user namespace (user_namespaces(7)). */
static int identity_give(const struct identity *identity)
{
	int result = write_file("/proc/self/setgroups", "deny");

	if (result == 0)
		result = write_file("/proc/self/uid_map", identity->users);
	if (result == 0)
		result = write_file("/proc/self/gid_map", identity->groups);
	return result;
}

static void become(char *const argv[], int keep, const struct identity *identity, int report)
{
	sigset_t none;
	int result = identity ? identity_give(identity) : 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (result == 0) {
		/* Moves the descriptor through a number that neither descriptor can have. */
		int high = fcntl(keep, F_DUPFD, 10);

		report = fcntl(report, F_DUPFD, 10);
		dup2(high, SANDBOX_FD);
		dup2(report, SANDBOX_FD + 1);
		fcntl(SANDBOX_FD + 1, F_SETFD, FD_CLOEXEC);
		syscall(SYS_close_range, SANDBOX_FD + 2, ~0U, 0);
		report = SANDBOX_FD + 1;
		execv(argv[0], argv);
		result = -errno;
	}
	if (write(report, &result, sizeof(result)) < 0)
		result = 0;
	_exit(127);
}

static unsigned long clone_flags(unsigned int flags)
{
	return SIGCHLD | (flags & SANDBOX_NETNS ? CLONE_NEWNET : 0UL) |
	       (flags & SANDBOX_PIDNS ? CLONE_NEWPID : 0UL) |
	       (flags & SANDBOX_USERNS ? CLONE_NEWUSER : 0UL);
}

static pid_t try_spawn(unsigned int flags, char *const argv[], int keep)
{
	struct identity identity;
	int ends[2], result = 0;
	pid_t pid;

	identity_take(&identity);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	pid = (pid_t)syscall(SYS_clone, clone_flags(flags), NULL, NULL, NULL, NULL);
	if (pid == 0)
		become(argv, keep, flags & SANDBOX_USERNS ? &identity : NULL, ends[1]);
	if (pid < 0)
		pid = -errno;
	close(ends[1]);
	/* If there is nothing to read, the program runs. */
	if (pid > 0 && read(ends[0], &result, sizeof(result)) > 0) {
		waitpid(pid, NULL, 0);
		pid = result;
	}
	close(ends[0]);
	return pid;
}

pid_t sandbox_spawn(unsigned int flags, char *const argv[], int keep)
{
	pid_t pid = try_spawn(flags, argv, keep);

	if (pid == -EPERM && !(flags & SANDBOX_USERNS))
		pid = try_spawn(flags | SANDBOX_USERNS, argv, keep);
	return pid;
}

void sandbox_enter(void)
{
	struct identity identity;
	int result;

	identity_take(&identity);
	/* In a chroot(2), the kernel refuses a user namespace even to root. */
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0) {
		result = identity_give(&identity);
		if (result < 0)
			test_skip("no user of our own: uid_map: %s", strerror(-result));
	} else if (unshare(CLONE_NEWNET) < 0) {
		test_skip("no namespaces of our own: unshare: %s", strerror(errno));
	}
	ck_assert_int_eq(loopback_up(), 0);
}

/* Changes to the build directory of the tests, because the path to the tests may be inaccessible to
 * another user. */
static bool go_to_tests(void)
{
	char self[1024];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		return false;
	self[length] = '\0';
	return chdir(dirname(self)) == 0;
}

void sandbox_run_as_nobody(void (*body)(void *data), void *data)
{
	int status;
	pid_t pid;

	if (geteuid() != 0)
		test_skip("takes root, to become another user");
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (!go_to_tests() || setgroups(0, NULL) < 0 ||
		    setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(SKIP_STATUS);
		body(data);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP_STATUS)
		test_skip("no other user here to become");
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "as nobody: status %#x",
	              (unsigned int)status);
}

bool sandbox_own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", "", MS_REC | MS_PRIVATE, "") == 0;
}

ino_t sandbox_netns(pid_t pid)
{
	struct stat status;
	char path[64] = "/proc/thread-self/ns/net";

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return stat(path, &status) == 0 ? status.st_ino : 0;
}

void sandbox_expect_netns(int descriptor, uint64_t inode)
{
	struct stat status;

	ck_assert_int_gt(descriptor, 2);
	ck_assert_int_eq(fstat(descriptor, &status), 0);
	ck_assert_uint_eq(status.st_ino, inode);
	ck_assert_int_eq(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}
