/* SPDX-License-Identifier: MIT */
/* test_wrap.c - calls of the library can be made to fail, also in its helpers */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/wrap.h"

START_TEST(the_nth_call_fails_and_only_that)
{
	wrap_reset();
	wrap_fail("openat", WRAP_ANYWHERE, 2, 2, EMFILE);
	for (int turn = 1; turn <= 4; turn++) {
		int fd = wrap_inside(openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC));

		ck_assert_int_eq(fd < 0, turn == 2 || turn == 3);
		if (fd < 0)
			ck_assert_int_eq(errno, EMFILE);
		else
			close(fd);
	}
	ck_assert_uint_eq(wrap_count("openat", WRAP_ANYWHERE), 4);
	ck_assert_uint_eq(wrap_struck(), 2);
	/* Calls outside are not counted. */
	close(openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC));
	ck_assert_uint_eq(wrap_count("openat", WRAP_ANYWHERE), 4);
}
END_TEST

START_TEST(bare_system_calls_are_covered)
{
	wrap_reset();
	wrap_fail("close", WRAP_ANYWHERE, 1, 0, EIO);
	wrap_fail("setns", WRAP_ANYWHERE, 1, 1, EPERM);
	ck_assert_int_eq(wrap_inside(syscall(SYS_setns, -1, 0)), -1);
	ck_assert_int_eq(errno, EPERM);
	ck_assert_int_eq(wrap_inside(syscall(SYS_setns, -1, 0)), -1);
	ck_assert_int_eq(errno, EBADF);
	/* The kernel closes a descriptor even if close(2) fails. */
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(wrap_inside(syscall(SYS_close, fd)), -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(reads_and_writes_can_be_short)
{
	char buffer[8];
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	wrap_reset();
	wrap_short("write", WRAP_ANYWHERE, 1, 0, 3);
	ck_assert_int_eq(wrap_inside(write(ends[1], "12345678", 8)), 3);
	ck_assert_int_eq(wrap_inside(syscall(SYS_write, ends[1], "12345678", 8)), 3);
	wrap_short("read", WRAP_ANYWHERE, 1, 1, 2);
	ck_assert_int_eq(wrap_inside(read(ends[0], buffer, 8)), 2);
	ck_assert_int_eq(wrap_inside(read(ends[0], buffer, 8)), 4);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(children_can_be_singled_out)
{
	int status;
	pid_t pid;

	wrap_reset();
	wrap_fail("openat", WRAP_CHILDREN, 1, 1, EACCES);
	ck_assert_int_ge(wrap_inside(openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC)), 0);
	wrap_enter(true);
	pid = fork();
	if (pid == 0)
		_exit(openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC) < 0 ? errno : 0);
	wrap_enter(false);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), EACCES);
	ck_assert_uint_eq(wrap_count("openat", WRAP_HOST), 1);
	ck_assert_uint_eq(wrap_count("openat", WRAP_CHILDREN), 1);
	ck_assert_uint_eq(wrap_count("openat", WRAP_ANYWHERE), 2);
}
END_TEST

/* The library's calls are inside: its own calls, those of its threads, and its helper's. */
START_TEST(the_library_is_inside)
{
	struct fixture server = fixture_start(SANDBOX_NETNS);
	struct collect collect;

	wrap_reset();
	collect_new(&collect, server.pid);
	ck_assert_int_eq(portwatch_set_reader(collect.watcher, PORTWATCH_READER_SETNS), 0);
	ck_assert_int_eq(wrap_inside(portwatch_start(collect.watcher)), 0);
	fixture_listen(&server, "127.0.0.1", 8000);
	collect_wait(&collect, PORTWATCH_EVENT_OPEN, NULL, 8000);
	/* On a slow machine another helper may have replaced the first, or a process asks for the
	 * port's holder. */
	ck_assert_uint_ge(wrap_count("clone", WRAP_HOST), 1);
	ck_assert_uint_eq(wrap_count("setns", WRAP_HOST), 0);
	ck_assert_uint_ge(wrap_count("setns", WRAP_CHILDREN), 1);
	ck_assert_uint_gt(wrap_count("openat", WRAP_HOST), 0);
	ck_assert_uint_gt(wrap_count("malloc", WRAP_HOST), 0);
	ck_assert_uint_gt(wrap_count("epoll_wait", WRAP_HOST), 0);
	/* Each system call that lib/ makes through syscall(2) has a name. */
	ck_assert_uint_eq(wrap_count("other", WRAP_ANYWHERE), 0);
	collect_free(&collect);
	fixture_end(&server);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("wrap");
	TCase *faults = tcase_create("faults");

	tcase_add_test(faults, the_nth_call_fails_and_only_that);
	tcase_add_test(faults, bare_system_calls_are_covered);
	tcase_add_test(faults, reads_and_writes_can_be_short);
	tcase_add_test(faults, children_can_be_singled_out);
	tcase_add_test(faults, the_library_is_inside);
	suite_add_tcase(suite, faults);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
