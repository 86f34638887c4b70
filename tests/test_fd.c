/* SPDX-License-Identifier: MIT */
/* test_fd.c - the registry of the library's descriptors */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/check_main.h"
#include "util/fd.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

START_TEST(all_that_is_owned_is_closed_in_a_child)
{
	int pipe_ends[2] = {-1, -1}, own, foreign, closed;

	foreign = eventfd(0, EFD_CLOEXEC);
	own = fd_own(eventfd(0, EFD_CLOEXEC));
	closed = fd_own(eventfd(0, EFD_CLOEXEC));
	ck_assert_int_eq(fd_pipe(pipe_ends), 0);
	fd_close(closed);
	/* The host now has the number, so the library must not close it. */
	ck_assert_int_eq(eventfd(0, EFD_CLOEXEC), closed);
	fd_close_all();
	ck_assert(!is_open(own));
	ck_assert(!is_open(pipe_ends[0]));
	ck_assert(!is_open(pipe_ends[1]));
	ck_assert(is_open(foreign));
	ck_assert(is_open(closed));
	close(foreign);
	close(closed);
}
END_TEST

START_TEST(failures_pass_through)
{
	errno = EMFILE;
	ck_assert_int_eq(fd_own(-1), -EMFILE);
	ck_assert_int_eq(fd_own(-ENOENT), -ENOENT);
	fd_close(-1);
	fd_close(-EMFILE);
}
END_TEST

START_TEST(the_library_takes_a_quarter)
{
	struct rlimit files;
	int fd;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = 80;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	ck_assert_uint_eq(fd_room(), 20);
	fd = fd_own(eventfd(0, EFD_CLOEXEC));
	ck_assert_uint_eq(fd_room(), 19);
	fd_close(fd);
	ck_assert_uint_eq(fd_room(), 20);
	files.rlim_cur = 3;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	ck_assert_uint_eq(fd_room(), 0);
	/* A sanitizer needs descriptors at the end. */
	files.rlim_cur = files.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("fd");
	TCase *registry = tcase_create("registry");

	tcase_add_test(registry, all_that_is_owned_is_closed_in_a_child);
	tcase_add_test(registry, failures_pass_through);
	tcase_add_test(registry, the_library_takes_a_quarter);
	suite_add_tcase(suite, registry);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
