/* SPDX-License-Identifier: MIT */
/* test_fds.c - which processes hold which sockets */
#include <check.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "proc/fds.h"
#include "proc/procfs.h"
#include "support/check_main.h"
#include "support/deny.h"
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

/* The sockets of a process: the sum of the inode numbers, and the number of descriptors. */
static uint64_t sum;
static unsigned int count;
static unsigned int steps;

static void visit(void *data, uint64_t inode)
{
	(void)data;
	sum += inode;
	count++;
}

static int scan_directory(int process, pid_t pid)
{
	struct fds_scan scan;
	int result = fds_begin(&scan, process, pid);

	sum = 0;
	count = 0;
	steps = 0;
	if (result < 0)
		return result;
	do
		steps++;
	while ((result = fds_next(&scan, visit, NULL)) == 1);
	fds_end(&scan);
	ck_assert_int_eq(scan.list, -1);
	return result;
}

static int scan(const struct procfs *procfs, pid_t pid)
{
	CLEANUP_CLOSE int process = procfs_open_process(procfs, pid);

	ck_assert_int_ge(process, 0);
	return scan_directory(process, pid);
}

START_TEST(each_descriptor_of_a_socket_counts)
{
	fake_proc_link(&fake, "/dev/null", "42/fd/0");
	fake_proc_link(&fake, "socket:[10]", "42/fd/1");
	fake_proc_link(&fake, "socket:[10]", "42/fd/7");
	fake_proc_link(&fake, "socket:[30]", "42/fd/8");
	fake_proc_link(&fake, "pipe:[20]", "42/fd/10");
	fake_proc_link(&fake, "socket:[18446744073709551615]", "42/fd/11");
	ck_assert_int_eq(scan(&fake.procfs, 42), 0);
	ck_assert_uint_eq(count, 4);
	ck_assert_uint_eq(sum, 50 + UINT64_MAX);
}
END_TEST

START_TEST(ten_thousand_descriptors)
{
	for (int i = 0; i < 10000; i++) {
		char target[32];

		snprintf(target, sizeof(target), "socket:[%d]", 1000 + i);
		fake_proc_link(&fake, target, "42/fd/%d", i);
	}
	ck_assert_int_eq(scan(&fake.procfs, 42), 0);
	ck_assert_uint_eq(count, 10000);
	ck_assert_uint_eq(sum, 10000 * 1000 + 9999 * 5000);
	ck_assert_uint_gt(steps, 10);
}
END_TEST

START_TEST(processes_without_descriptors)
{
	fake_proc_directory(&fake, "42/fd");
	fake_proc_directory(&fake, "42/task/42/fd");
	ck_assert_int_eq(scan(&fake.procfs, 42), 0);
	ck_assert_uint_eq(count, 0);
	fake_proc_delete(&fake, "42/task");
	fake_proc_delete(&fake, "42/fd");
	ck_assert_int_eq(scan(&fake.procfs, 42), -ESRCH);
}
END_TEST

/* A descriptor with an invalid link ends the scan. */
START_TEST(failure_is_reported)
{
	fake_proc_file(&fake, "", "42/fd/3");
	ck_assert_int_eq(scan(&fake.procfs, 42), -EINVAL);
	ck_assert_uint_eq(count, 0);
}
END_TEST

START_TEST(headless_threads)
{
	fake_proc_directory(&fake, "42/fd");
	fake_proc_directory(&fake, "42/task/42/fd");
	fake_proc_link(&fake, "socket:[10]", "42/task/43/fd/3");
	fake_proc_link(&fake, "socket:[11]", "42/task/43/fd/4");
	ck_assert_int_eq(scan(&fake.procfs, 42), 0);
	ck_assert_uint_eq(sum, 21);
}
END_TEST

START_TEST(real_shared_socket)
{
	pid_t parent = puppet_start(0), child;
	uint64_t inode = puppet_socket(0);

	child = puppet_fork(0, 1);
	ck_assert_int_eq(scan(&real, parent), 0);
	ck_assert_uint_ge(count, 1);
	ck_assert_int_eq(scan(&real, child), 0);
	ck_assert_uint_ge(sum, inode);
}
END_TEST

static void scan_headless(void)
{
	pid_t pid = puppet_start(0);
	uint64_t inode;

	puppet_lose_leader(0);
	inode = puppet_socket(0);
	ck_assert_int_eq(scan(&real, pid), 0);
	ck_assert_uint_ge(sum, inode);
}

START_TEST(real_headless_process)
{
	scan_headless();
}
END_TEST

/* The descriptors of an exited leader belong to root, those of its threads to the user. */
static void headless_of_nobody(void *data)
{
	(void)data;
	/* The change of the user has made the process as private as a privileged program. */
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
	CLEANUP_CLOSE int other = procfs_open_process(&real, getppid());
	CLEANUP_CLOSE int own = procfs_open_process(&real, getpid());

	(void)data;
	ck_assert_int_eq(fds_try(other), -EACCES);
	ck_assert_int_eq(fds_try(own), 0);
	ck_assert_int_eq(scan(&real, getppid()), -EACCES);
}

START_TEST(real_denied)
{
	sandbox_run_as_nobody(be_denied, NULL);
}
END_TEST

static void be_denied_headless(void *data)
{
	ck_assert_int_eq(scan(&real, *(pid_t *)data), -EACCES);
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
	CLEANUP_CLOSE int process = procfs_open_process(&real, pid);

	puppets_teardown();
	puppets_setup();
	ck_assert_int_eq(scan_directory(process, pid), -ESRCH);
}
END_TEST

/* The directory is open, but its contents have gone. */
START_TEST(real_exit_in_between)
{
	pid_t pid = puppet_start(0);
	CLEANUP_CLOSE int process = procfs_open_process(&real, pid);
	struct fds_scan scan;
	int result;

	puppet_socket(0);
	ck_assert_int_eq(fds_begin(&scan, process, pid), 0);
	puppets_teardown();
	puppets_setup();
	count = 0;
	while ((result = fds_next(&scan, visit, NULL)) > 0)
		continue;
	ck_assert_int_le(result, 0);
	ck_assert_uint_eq(count, 0);
	fds_end(&scan);
}
END_TEST

/* --- sockets that are not in the leader's list of descriptors --- */

/* A child process's report: the inode number of a socket, or an errno. */
struct report {
	uint64_t inode;
	int error;
};

#define REPORT_END 3

static void send_report(uint64_t inode, int error)
{
	struct report report = {inode, error};

	if (write(REPORT_END, &report, sizeof(report)) < 0)
		_exit(1);
}

/* Makes the only socket of a process. */
static int make_socket(uint64_t *inode)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct stat status = {0};

	fstat(fd, &status);
	*inode = status.st_ino;
	return fd;
}

static void report_socket(int error)
{
	uint64_t inode;

	make_socket(&inode);
	send_report(inode, error);
}

/* Starts a child that makes a socket in its own way and lives until the test ends. */
static pid_t start_child(void (*body)(void), struct report *report)
{
	int ends[2];
	pid_t pid;

	ck_assert_int_eq(pipe(ends), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], REPORT_END);
		syscall(SYS_close_range, REPORT_END + 1, ~0U, 0);
		body();
		pause();
		_exit(0);
	}
	close(ends[1]);
	ck_assert_int_eq(read(ends[0], report, sizeof(*report)), sizeof(*report));
	close(ends[0]);
	if (report->error)
		test_skip("%s", strerror(report->error));
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void *sleep_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

static void *use_own_table(void *unused)
{
	pthread_t thread;
	int error = unshare(CLONE_FILES) < 0 ? errno : 0;

	(void)unused;
	/* This thread shares the table, so the table is read once. */
	pthread_create(&thread, NULL, sleep_for_ever, NULL);
	report_socket(error);
	return sleep_for_ever(NULL);
}

static void have_own_table(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, sleep_for_ever, NULL);
	pthread_create(&thread, NULL, use_own_table, NULL);
}

START_TEST(real_table_of_a_thread)
{
	struct report report;
	pid_t pid = start_child(have_own_table, &report);

	ck_assert_int_eq(scan(&real, pid), 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(sum, report.inode);
	end_child(pid);
}
END_TEST

/* If the kernel cannot compare the tables of two threads, the scan compares their sizes. */
START_TEST(real_table_without_kcmp)
{
	struct stat status;
	struct report report;
	pid_t pid;

	if (deny_call(SYS_kcmp, EPERM) < 0)
		test_skip("no filter");
	ck_assert_int_eq(stat("/proc/self/fd", &status), 0);
	if (status.st_size == 0)
		test_skip("/proc doesn't say how many descriptors there are");
	pid = start_child(have_own_table, &report);
	ck_assert_int_eq(scan(&real, pid), 0);
	ck_assert_uint_eq(sum, report.inode);
	end_child(pid);
}
END_TEST

static void share_table(void)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, sleep_for_ever, NULL);
	report_socket(0);
}

START_TEST(real_table_of_all_threads)
{
	struct report report;
	pid_t pid = start_child(share_table, &report);

	ck_assert_int_eq(scan(&real, pid), 0);
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(sum, report.inode);
	end_child(pid);
}
END_TEST

/* Registers a socket and closes it, so that only the ring holds it. Returns an errno. */
static int register_alone(int fd, int *ring)
{
	struct io_uring_params parameters = {0};
	int files[] = {-1, fd, -1};

	*ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);
	if (*ring < 0 || syscall(SYS_io_uring_register, *ring, IORING_REGISTER_FILES, files, 3) < 0)
		return errno;
	close(fd);
	return 0;
}

static void use_ring(void)
{
	uint64_t inode;
	int ring, error = register_alone(make_socket(&inode), &ring);

	send_report(inode, error);
}

START_TEST(real_ring)
{
	struct report report;
	pid_t pid = start_child(use_ring, &report);

	ck_assert_int_eq(scan(&real, pid), 0);
	if (count == 0)
		test_skip("this kernel doesn't say what is registered");
	ck_assert_uint_eq(sum, report.inode);
	end_child(pid);
}
END_TEST

static void *use_ring_in_thread(void *unused)
{
	int error = unshare(CLONE_FILES) < 0 ? errno : 0;

	(void)unused;
	if (error)
		send_report(0, error);
	use_ring();
	return sleep_for_ever(NULL);
}

static void use_ring_of_a_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, use_ring_in_thread, NULL);
}

START_TEST(real_ring_of_a_thread)
{
	struct report report;
	pid_t pid = start_child(use_ring_of_a_thread, &report);

	ck_assert_int_eq(scan(&real, pid), 0);
	if (count == 0)
		test_skip("this kernel doesn't say what is registered");
	ck_assert_uint_eq(sum, report.inode);
	end_child(pid);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("fds");
	TCase *fake_case = tcase_create("files");
	TCase *real_case = tcase_create("kernel");

	tcase_add_checked_fixture(fake_case, setup_fake, teardown_fake);
	tcase_add_test(fake_case, each_descriptor_of_a_socket_counts);
	tcase_add_test(fake_case, ten_thousand_descriptors);
	tcase_add_test(fake_case, processes_without_descriptors);
	tcase_add_test(fake_case, failure_is_reported);
	tcase_add_test(fake_case, headless_threads);
	suite_add_tcase(suite, fake_case);
	tcase_add_checked_fixture(real_case, setup_real, teardown_real);
	tcase_add_test(real_case, real_shared_socket);
	tcase_add_test(real_case, real_headless_process);
	tcase_add_test(real_case, real_headless_process_of_a_user);
	tcase_add_test(real_case, real_denied);
	tcase_add_test(real_case, real_headless_denied);
	tcase_add_test(real_case, real_exited);
	tcase_add_test(real_case, real_exit_in_between);
	tcase_add_test(real_case, real_table_of_a_thread);
	/* The filter of the process cannot be removed. */
	if (check_forks())
		tcase_add_test(real_case, real_table_without_kcmp);
	tcase_add_test(real_case, real_table_of_all_threads);
	tcase_add_test(real_case, real_ring);
	tcase_add_test(real_case, real_ring_of_a_thread);
	suite_add_tcase(suite, real_case);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
