/* SPDX-License-Identifier: MIT */
/* test_helper_seccomp.c - the limits of a running helper: its system calls, and access to it */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "table/helper_seccomp.h"
#include "support/check_main.h"
#include "support/fixture.h"
#include "support/reading.h"
#include "support/skip.h"

#define CALLS 512

/* What a helper may need to do. */
enum {
	DIAG = 1,
	TEXT = 2,
	REOPENS = 4,
	CLOSES = 8,
	ALL_WAYS = DIAG | TEXT | REOPENS | CLOSES,
};

/* Two numbers without an open descriptor, and an open directory. */
enum {
	REQUESTS = 1000,
	RESPONSES,
	DIAG_SOCKET,
	CLOSES_SOCKET,
	TEXT_INET,
	TEXT_INET6,
	PROC,
	OTHER,
};

static struct fixture fixture;
static struct reading reading;

static void need_filter(void)
{
	if (!helper_can_filter())
		test_skip("no filter for this architecture, under sanitizers and under valgrind");
}

static struct helper_needs needs_of(unsigned int ways)
{
	struct helper_needs needs = {
		.requests = REQUESTS,
		.responses = RESPONSES,
		.diag = ways & DIAG ? DIAG_SOCKET : -1,
		.closes = ways & CLOSES ? CLOSES_SOCKET : -1,
		.text = {-1, -1},
		.proc = ways & REOPENS ? PROC : -1,
	};

	if (ways & (TEXT | REOPENS)) {
		needs.text[0] = TEXT_INET;
		needs.text[1] = TEXT_INET6;
	}
	return needs;
}

/* Runs body in a child that is confined like a helper. body returns whether it has succeeded. */
static void run_confined(bool (*body)(unsigned int ways), unsigned int ways)
{
	struct helper_needs needs = needs_of(ways);
	int status;
	pid_t pid;

	need_filter();
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (dup2(root, PROC) != PROC || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    helper_seccomp(&needs) < 0)
			_exit(2);
		syscall(SYS_exit_group, !body(ways));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "ways %u: status %#x", ways,
	              (unsigned int)status);
}

/* Returns whether a call with this descriptor as first argument, and zeros after it, is allowed. */
static bool is_allowed(long number, int fd, unsigned int ways)
{
	bool text = fd == TEXT_INET || fd == TEXT_INET6;

	switch (number) {
	case SYS_read:
		return fd == REQUESTS || (text && ways & REOPENS);
	case SYS_writev:
		return fd == RESPONSES;
	case SYS_sendto:
		return fd == DIAG_SOCKET && ways & DIAG;
	case SYS_recvfrom:
		return (fd == DIAG_SOCKET && ways & DIAG) || (fd == CLOSES_SOCKET && ways & CLOSES);
	case SYS_pread64:
		return text && ways & (TEXT | REOPENS);
	case SYS_close:
		return ways & REOPENS;
	default:
		return false;
	}
}

/* uretprobe(2) and uprobe(2) of x86_64 kill a process that calls them itself, and the kernel
 * exempts them from every filter. */
static bool is_for_probes(long number)
{
#if defined(__x86_64__)
	return number == 335 || number == 336;
#else
	(void)number;
	return false;
#endif
}

static bool is_refused(long number, long a, long b, long c, long f)
{
	return syscall(number, a, b, c, 0L, 0L, f) < 0 && errno == EPERM;
}

/* An allowed call gets a descriptor that isn't open. Refused calls are never executed. */
static bool try_each_call(unsigned int ways)
{
	static const int descriptors[] = {
		-1, REQUESTS, RESPONSES, DIAG_SOCKET, CLOSES_SOCKET, TEXT_INET, TEXT_INET6, OTHER};

	for (long number = 0; number < CALLS; number++) {
		if (number == SYS_exit_group || is_for_probes(number))
			continue;
		for (size_t i = 0; i < sizeof(descriptors) / sizeof(descriptors[0]); i++)
			if (is_refused(number, descriptors[i], 0, 0, 0) ==
			    is_allowed(number, descriptors[i], ways))
				return false;
	}
	return true;
}

START_TEST(all_other_calls_are_refused)
{
	run_confined(try_each_call, (unsigned int)_i);
}
END_TEST

static bool opens(int directory, long flags)
{
	long fd = syscall(SYS_openat, directory, "dev/null", flags, 0L);

	return fd >= 0 || errno != EPERM;
}

static bool try_arguments(unsigned int ways)
{
	bool reopens = ways & REOPENS;
	long fd = syscall(SYS_openat, PROC, "dev/null", O_RDONLY | O_CLOEXEC, 0L);

	if ((fd >= 0) != reopens || opens(PROC, O_RDWR | O_CLOEXEC) || opens(PROC, O_RDONLY) ||
	    opens(AT_FDCWD, O_RDONLY | O_CLOEXEC))
		return false;
	if (reopens && (is_refused(SYS_dup3, fd, TEXT_INET, O_CLOEXEC, 0) ||
	                is_refused(SYS_dup3, fd, TEXT_INET6, O_CLOEXEC, 0)))
		return false;
	/* Allowed for two descriptors, and for no other number. */
	if (is_refused(SYS_ppoll, 0, 2, 0, 0) == !!(ways & CLOSES) ||
	    !is_refused(SYS_ppoll, 0, 1, 0, 0))
		return false;
	/* Only a send to the kernel is allowed: a send without an address. */
	return is_refused(SYS_dup3, PROC, OTHER, O_CLOEXEC, 0) &&
	       is_refused(SYS_dup3, PROC, RESPONSES, O_CLOEXEC, 0) &&
	       is_refused(SYS_sendto, DIAG_SOCKET, 0, 0, 12);
}

START_TEST(arguments_are_checked)
{
	run_confined(try_arguments, (unsigned int)_i);
}
END_TEST

#if defined(__x86_64__) && defined(__LP64__)
static bool try_x32(unsigned int ways)
{
	(void)ways;
	for (long number = 0; number < CALLS; number++)
		if (syscall(0x40000000L | number, -1L, 0L, 0L, 0L, 0L, 0L) == 0 || errno != EPERM)
			return false;
	return true;
}

START_TEST(calls_of_x32_are_refused)
{
	run_confined(try_x32, ALL_WAYS);
}
END_TEST
#endif

/* From now on prctl(option) fails in this process and its children. */
static void refuse_prctl(unsigned int option, unsigned int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, option, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		test_skip("no seccomp filter: %s", strerror(errno));
}

static const unsigned int refusals[] = {EINVAL, ENOSYS, EPERM, EACCES};

START_TEST(a_kernel_without_filters)
{
	fixture = fixture_start(SANDBOX_NETNS);
	fixture_listen(&fixture, "127.0.0.1", 0);
	refuse_prctl(PR_SET_SECCOMP, refusals[_i]);
	reading_start(&reading, fixture.pid, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO);
	ck_assert_uint_eq(reading_table(&reading)->count, 1);
	reading_end(&reading);
	fixture_end(&fixture);
}
END_TEST

/* These limits are mandatory. */
static const unsigned int musts[] = {PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS};

START_TEST(a_bound_that_is_refused)
{
	fixture = fixture_start(SANDBOX_NETNS);
	refuse_prctl(musts[_i], EINVAL);
	reading_start(&reading, fixture.pid, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO);
	ck_assert_int_eq(reading_take(&reading), READER_BROKEN);
	ck_assert_str_eq(reader_failure(reading.reader).step,
	                 "give up the privileges of the helper");
	reading_end(&reading);
	fixture_end(&fixture);
}
END_TEST

static int open_of_helper(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)reader_pid(reading.reader), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static const char *const secrets[] = {
	"fd",        "fdinfo",  "mem",    "environ", "maps", "auxv",
	"map_files", "syscall", "ns/net", "root",    "cwd",
};

static void look_into_helper(void)
{
	pid_t helper = reader_pid(reading.reader);

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		ck_assert_msg(open_of_helper(secrets[i]) == -EACCES ||
		                      open_of_helper(secrets[i]) == -EPERM,
		              "%s of the helper can be opened, or there is no helper", secrets[i]);
	ck_assert_int_eq((int)ptrace(PTRACE_SEIZE, helper, NULL, NULL), -1);
	ck_assert_int_eq(errno, EPERM);
}

/* Starts a process in a namespace of ours, without a program that the other user might be unable to
 * reach. Returns 0 if the namespace is refused. */
static pid_t start_namespace(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		close(ready[0]);
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0 || write(ready[1], "", 1) < 0)
			_exit(1);
		pause();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = 0;
	}
	close(ready[0]);
	return pid;
}

static void look_as_the_same_user(void *data)
{
	pid_t pid;

	/* The change of the user has made this process, and therefore its children, undumpable. */
	prctl(PR_SET_DUMPABLE, 1);
	pid = start_namespace();
	if (pid == 0 && geteuid() == *(uid_t *)data)
		test_skip("no namespaces of our own");
	if (pid == 0)
		_exit(SKIP_STATUS);
	reading_start(&reading, pid, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO);
	reading_table(&reading);
	look_into_helper();
	reading_end(&reading);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

START_TEST(the_same_user_cannot_inspect_a_helper)
{
	uid_t user = geteuid();

	if (user == 0)
		sandbox_run_as_nobody(look_as_the_same_user, &user);
	else
		look_as_the_same_user(&user);
}
END_TEST

static void look_as_another_user(void *data)
{
	(void)data;
	look_into_helper();
}

START_TEST(other_users_cannot_inspect_a_helper)
{
	fixture = fixture_start(SANDBOX_NETNS);
	reading_start(&reading, fixture.pid, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO);
	reading_table(&reading);
	sandbox_run_as_nobody(look_as_another_user, NULL);
	reading_end(&reading);
	fixture_end(&fixture);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("helper_seccomp");
	TCase *calls = tcase_create("calls");
	TCase *refused = tcase_create("refused");
	TCase *sight = tcase_create("sight");

	tcase_add_loop_test(calls, all_other_calls_are_refused, 0, ALL_WAYS + 1);
	tcase_add_loop_test(calls, arguments_are_checked, 0, ALL_WAYS + 1);
#if defined(__x86_64__) && defined(__LP64__)
	tcase_add_test(calls, calls_of_x32_are_refused);
#endif
	suite_add_tcase(suite, calls);
	tcase_add_loop_test(refused, a_kernel_without_filters, 0, 4);
	tcase_add_loop_test(refused, a_bound_that_is_refused, 0, 2);
	suite_add_tcase(suite, refused);
	tcase_add_test(sight, the_same_user_cannot_inspect_a_helper);
	tcase_add_test(sight, other_users_cannot_inspect_a_helper);
	suite_add_tcase(suite, sight);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
