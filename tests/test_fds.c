/* SPDX-License-Identifier: MIT */
/* test_fds.c - who holds which sockets */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "proc/fds.h"
#include "support/check_main.h"
#include "support/fake_proc.h"
#include "support/puppet.h"
#include "support/sandbox.h"
#include "support/skip.h"

static struct fake_proc fake;
static struct procfs real;

static void setup_fake(void)
{
	fake_proc_setup(&fake, true);
}

static void teardown_fake(void)
{
	fake_proc_teardown(&fake);
}

static void setup_real(void)
{
	ck_assert_int_eq(procfs_open(&real, "/proc"), 0);
	puppets_setup();
}

static void teardown_real(void)
{
	puppets_teardown();
	procfs_close(&real);
}

static ssize_t scan(const struct procfs *procfs, pid_t pid, uint64_t start_time,
                    struct fds_holder *sockets, size_t count)
{
	CLEANUP_CLOSE int process = procfs_open_process(procfs, pid);

	ck_assert_int_ge(process, 0);
	return fds_scan_process(process, pid, start_time, sockets, count);
}

START_TEST(sorted_and_found)
{
	struct fds_holder sockets[] = {
		{.inode = 30}, {.inode = UINT64_MAX}, {.inode = 10}, {.inode = 20}};

	fds_sort(sockets, 4);
	ck_assert_uint_eq(sockets[0].inode, 10);
	ck_assert_uint_eq(sockets[3].inode, UINT64_MAX);
	ck_assert_ptr_eq(fds_find(sockets, 4, 20), &sockets[1]);
	ck_assert_ptr_null(fds_find(sockets, 4, 15));
	ck_assert_ptr_null(fds_find(NULL, 0, 15));
	fds_sort(NULL, 0);
}
END_TEST

START_TEST(each_process_counts_once)
{
	struct fds_holder sockets[] = {{.inode = 10}, {.inode = 20}, {.inode = 30}};

	fake_proc_link(&fake, "/dev/null", "42/fd/0");
	fake_proc_link(&fake, "socket:[10]", "42/fd/1");
	fake_proc_link(&fake, "socket:[10]", "42/fd/7");
	fake_proc_link(&fake, "socket:[30]", "42/fd/8");
	fake_proc_link(&fake, "socket:[40]", "42/fd/9");
	fake_proc_link(&fake, "pipe:[20]", "42/fd/10");
	ck_assert_int_eq(scan(&fake.procfs, 42, 5, sockets, 3), 2);
	ck_assert_uint_eq(sockets[0].owners, 1);
	ck_assert_int_eq(sockets[0].pid, 42);
	ck_assert_uint_eq(sockets[0].start_time, 5);
	ck_assert_uint_eq(sockets[1].owners, 0);
	ck_assert_int_eq(sockets[1].pid, 0);
	ck_assert_uint_eq(sockets[2].owners, 1);
}
END_TEST

START_TEST(oldest_owns)
{
	static const struct {
		pid_t pid;
		uint64_t start_time;
		pid_t owner;
	} holders[] = {{50, 500, 50}, {40, 600, 50}, {60, 400, 60}, {61, 400, 60}, {59, 400, 59}};
	struct fds_holder socket = {.inode = 10};

	for (size_t i = 0; i < sizeof(holders) / sizeof(*holders); i++) {
		fake_proc_link(&fake, "socket:[10]", "%d/fd/3", (int)holders[i].pid);
		ck_assert_int_eq(
			scan(&fake.procfs, holders[i].pid, holders[i].start_time, &socket, 1), 1);
		ck_assert_int_eq(socket.pid, holders[i].owner);
		ck_assert_uint_eq(socket.owners, i + 1);
	}
}
END_TEST

START_TEST(ten_thousand_descriptors)
{
	struct fds_holder sockets[] = {{.inode = 1000}, {.inode = 5555}, {.inode = 10999}};

	for (int i = 0; i < 10000; i++) {
		char target[32];

		snprintf(target, sizeof(target), "socket:[%d]", 1000 + i);
		fake_proc_link(&fake, target, "42/fd/%d", i);
	}
	ck_assert_int_eq(scan(&fake.procfs, 42, 5, sockets, 3), 3);
}
END_TEST

START_TEST(nothing_to_hold)
{
	struct fds_holder socket = {.inode = 10};

	fake_proc_directory(&fake, "42/fd");
	fake_proc_directory(&fake, "42/task/42/fd");
	ck_assert_int_eq(scan(&fake.procfs, 42, 5, &socket, 1), 0);
	fake_proc_link(&fake, "socket:[10]", "42/fd/3");
	ck_assert_int_eq(scan(&fake.procfs, 42, 5, NULL, 0), 0);
	fake_proc_delete(&fake, "42/task");
	fake_proc_delete(&fake, "42/fd");
	ck_assert_int_eq(scan(&fake.procfs, 42, 5, &socket, 1), -ESRCH);
	ck_assert_int_eq(socket.pid, 0);
}
END_TEST

/* A descriptor that isn't what /proc would show ends the scan; what was found before stays. */
START_TEST(failure_is_told)
{
	struct fds_holder socket = {.inode = 10};

	fake_proc_file(&fake, "", "42/fd/3");
	ck_assert_int_eq(scan(&fake.procfs, 42, 5, &socket, 1), -EINVAL);
	ck_assert_uint_eq(socket.owners, 0);
}
END_TEST

START_TEST(headless_threads)
{
	struct fds_holder socket = {.inode = 10};

	fake_proc_directory(&fake, "42/fd");
	fake_proc_directory(&fake, "42/task/42/fd");
	fake_proc_link(&fake, "socket:[10]", "42/task/43/fd/3");
	ck_assert_int_eq(scan(&fake.procfs, 42, 5, &socket, 1), 1);
	ck_assert_int_eq(socket.pid, 42);
}
END_TEST

START_TEST(real_shared_socket)
{
	pid_t parent = puppet_start(0), child;
	struct fds_holder socket = {.inode = puppet_socket(0)};

	child = puppet_fork(0, 1);
	ck_assert_int_eq(scan(&real, child, 200, &socket, 1), 1);
	ck_assert_int_eq(socket.pid, child);
	ck_assert_int_eq(scan(&real, parent, 100, &socket, 1), 1);
	ck_assert_int_eq(socket.pid, parent);
	ck_assert_uint_eq(socket.owners, 2);
	ck_assert_int_eq(scan(&real, puppet_start(2), 50, &socket, 1), 0);
	ck_assert_uint_eq(socket.owners, 2);
}
END_TEST

static void scan_headless(void)
{
	pid_t pid = puppet_start(0);
	struct fds_holder socket;

	puppet_lose_leader(0);
	socket = (struct fds_holder){.inode = puppet_socket(0)};
	ck_assert_int_eq(scan(&real, pid, 100, &socket, 1), 1);
	ck_assert_int_eq(socket.pid, pid);
}

START_TEST(real_headless_process)
{
	scan_headless();
}
END_TEST

/* The descriptors of a leader that has exited belong to root, those of its threads to the user. */
static void headless_of_nobody(void *data)
{
	(void)data;
	/* Changing the user has made it as private as a program with privileges. */
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
	scan_headless();
}

START_TEST(real_headless_process_of_a_user)
{
	sandbox_run_as_nobody(headless_of_nobody, NULL);
}
END_TEST

static void be_denied(void *data)
{
	struct fds_holder socket = {.inode = *(uint64_t *)data};

	ck_assert_int_eq(scan(&real, getppid(), 100, &socket, 1), -EACCES);
	ck_assert_int_eq(socket.pid, 0);
	ck_assert_uint_eq(socket.owners, 0);
}

START_TEST(real_denied)
{
	uint64_t inode = 1;

	sandbox_run_as_nobody(be_denied, &inode);
}
END_TEST

static void be_denied_headless(void *data)
{
	struct fds_holder socket = {.inode = 1};

	ck_assert_int_eq(scan(&real, *(pid_t *)data, 100, &socket, 1), -EACCES);
}

START_TEST(real_headless_denied)
{
	pid_t pid = puppet_start(0);

	puppet_lose_leader(0);
	sandbox_run_as_nobody(be_denied_headless, &pid);
}
END_TEST

START_TEST(real_exited)
{
	pid_t pid = puppet_start(0);
	struct fds_holder socket = {.inode = puppet_socket(0)};
	CLEANUP_CLOSE int process = procfs_open_process(&real, pid);

	puppets_teardown();
	puppets_setup();
	ck_assert_int_eq(fds_scan_process(process, pid, 100, &socket, 1), -ESRCH);
	ck_assert_int_eq(socket.pid, 0);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("inode_scan");
	TCase *fake_case = tcase_create("files");
	TCase *real_case = tcase_create("kernel");

	tcase_add_checked_fixture(fake_case, setup_fake, teardown_fake);
	tcase_add_test(fake_case, sorted_and_found);
	tcase_add_test(fake_case, each_process_counts_once);
	tcase_add_test(fake_case, oldest_owns);
	tcase_add_test(fake_case, ten_thousand_descriptors);
	tcase_add_test(fake_case, nothing_to_hold);
	tcase_add_test(fake_case, failure_is_told);
	tcase_add_test(fake_case, headless_threads);
	suite_add_tcase(suite, fake_case);
	tcase_add_checked_fixture(real_case, setup_real, teardown_real);
	tcase_add_test(real_case, real_shared_socket);
	tcase_add_test(real_case, real_headless_process);
	tcase_add_test(real_case, real_headless_process_of_a_user);
	tcase_add_test(real_case, real_denied);
	tcase_add_test(real_case, real_headless_denied);
	tcase_add_test(real_case, real_exited);
	suite_add_tcase(suite, real_case);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
