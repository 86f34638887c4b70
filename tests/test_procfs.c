/* SPDX-License-Identifier: MIT */
/* test_procfs.c - results from /proc: from files of our own and from the kernel */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "proc/procfs.h"
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

static int read_nspid(const char *status, pid_t *innermost, unsigned *depth)
{
	CLEANUP_CLOSE int process = -1;

	fake_proc_file(&fake, status, "42/status");
	process = procfs_open_process(&fake.procfs, 42);
	return procfs_read_nspid(process, innermost, depth);
}

START_TEST(nspid)
{
	pid_t innermost;
	unsigned depth;

	ck_assert_int_eq(read_nspid("Name:\tNSpid:\nNSpid:\t42\n", &innermost, &depth), 0);
	ck_assert_int_eq(innermost, 42);
	ck_assert_uint_eq(depth, 1);
	ck_assert_int_eq(
		read_nspid("NStgid:\t43\t5\t7\nNSpid:\t43\t5\t1\nNSpgid:\t9\n", &innermost, &depth),
		0);
	ck_assert_int_eq(innermost, 1);
	ck_assert_uint_eq(depth, 3);
}
END_TEST

/* 65,536 groups come before the line. */
START_TEST(nspid_after_long_line)
{
	CLEANUP_FREE char *text = malloc(700000);
	pid_t innermost;
	unsigned depth;

	memset(text, '7', 699000);
	snprintf(text + 699000, 1000, "\nNSpid:\t42\t1\n");
	ck_assert_int_eq(read_nspid(text, &innermost, &depth), 0);
	ck_assert_int_eq(innermost, 1);
	ck_assert_uint_eq(depth, 2);
}
END_TEST

START_TEST(nspid_garbage)
{
	static const char *const texts[] = {
		"",
		"Name:\tcat\n",
		"NSpid:\n",
		"NSpid:\t\n",
		"NSpid:\tx\n",
		"NSpid:\t1",
		"NSpid:1\n",
		"NSpid:\t1\t99999999999\n",
	};
	pid_t innermost;
	unsigned depth;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		ck_assert_int_eq(read_nspid(texts[i], &innermost, &depth), -EPROTO);
}
END_TEST

/* More namespaces than the kernel nests: the list is not cut to the maximum. */
START_TEST(nspid_too_deep)
{
	char text[1024] = "NSpid:";
	pid_t innermost;
	unsigned depth;

	for (size_t at = strlen(text); at < sizeof(text) - 3; at += 2)
		memcpy(text + at, "\t1\n", 4);
	ck_assert_int_eq(read_nspid(text, &innermost, &depth), -EPROTO);
}
END_TEST

START_TEST(read_bounded)
{
	char buffer[8];

	fake_proc_file(&fake, "1234567", "fits");
	fake_proc_file(&fake, "12345678", "too-long");
	ck_assert_int_eq(procfs_read(fake.procfs.fd, "fits", buffer, sizeof(buffer)), 7);
	ck_assert_str_eq(buffer, "1234567");
	ck_assert_int_eq(procfs_read(fake.procfs.fd, "too-long", buffer, sizeof(buffer)), -EFBIG);
	ck_assert_int_eq(procfs_read(fake.procfs.fd, "none", buffer, sizeof(buffer)), -ENOENT);
}
END_TEST

START_TEST(links)
{
	uint64_t number;

	fake_proc_link(&fake, "socket:[12", "link");
	ck_assert_int_eq(procfs_read_link(fake.procfs.fd, "link", "socket", &number), 0);
	fake_proc_link(&fake, "socket:[18446744073709551615]", "link");
	ck_assert_int_eq(procfs_read_link(fake.procfs.fd, "link", "socket", &number), 1);
	ck_assert_uint_eq(number, UINT64_MAX);
	ck_assert_int_eq(procfs_read_link(fake.procfs.fd, "none", "socket", &number), -ENOENT);
}
END_TEST

static int add_up(void *data, long number)
{
	*(long *)data += number;
	return 0;
}

static int stop_at(void *data, long number)
{
	return number == *(long *)data ? 77 : 0;
}

START_TEST(numbers_only)
{
	long sum = 0, stop = 30;

	fake_proc_directory(&fake, "list/10");
	fake_proc_file(&fake, "", "list/20");
	fake_proc_link(&fake, "anywhere", "list/30");
	fake_proc_file(&fake, "", "list/self");
	fake_proc_file(&fake, "", "list/4x");
	fake_proc_file(&fake, "", "list/-5");
	fake_proc_file(&fake, "", "list/99999999999999999999");
	ck_assert_int_eq(procfs_each_number(fake.procfs.fd, "list", add_up, &sum), 0);
	ck_assert_int_eq(sum, 60);
	ck_assert_int_eq(procfs_each_number(fake.procfs.fd, "list", stop_at, &stop), 77);
	ck_assert_int_eq(procfs_each_number(fake.procfs.fd, "none", add_up, &sum), -ENOENT);
}
END_TEST

static int list_children(pid_t pid, unsigned threads, long *sum)
{
	struct process_stat stat = {.pid = pid, .threads = threads};
	CLEANUP_CLOSE int process = procfs_open_process(&fake.procfs, pid);

	*sum = 0;
	return procfs_each_child(process, &stat, add_up, sum);
}

START_TEST(children_of_threads)
{
	long sum;

	fake_proc_add(&fake, 42, 1, 5);
	fake_proc_file(&fake, "100 200 ", "42/task/42/children");
	fake_proc_file(&fake, "1000 ", "42/task/43/children");
	fake_proc_directory(&fake, "42/task/44"); /* a thread that has just exited */
	ck_assert_int_eq(list_children(42, 1, &sum), 0);
	ck_assert_int_eq(sum, 300);
	ck_assert_int_eq(list_children(42, 3, &sum), 0);
	ck_assert_int_eq(sum, 1300);
}
END_TEST

START_TEST(children_beyond_one_read)
{
	CLEANUP_FREE char *text = malloc(10001 * 8);
	long sum;

	/* PIDs of all lengths, so that the end of a buffer cuts one of them. */
	for (size_t i = 0, at = 0; i < 10000; i++)
		at += (size_t)sprintf(text + at, "%zu ", i);
	fake_proc_add(&fake, 42, 1, 5);
	fake_proc_file(&fake, text, "42/task/42/children");
	ck_assert_int_eq(list_children(42, 1, &sum), 0);
	ck_assert_int_eq(sum, 49995000);
}
END_TEST

START_TEST(children_that_are_unlisted_or_gone)
{
	long sum;

	fake_proc_add(&fake, 42, 1, 5);
	fake_proc_delete(&fake, "42/task/42/children");
	ck_assert_int_eq(list_children(42, 1, &sum), -ENOENT);
	ck_assert_int_eq(list_children(42, 2, &sum), -ENOENT);
	fake_proc_delete(&fake, "42/task");
	ck_assert_int_eq(list_children(42, 1, &sum), -ESRCH);
	fake_proc_delete(&fake, "42/stat");
	ck_assert_int_eq(list_children(42, 2, &sum), -ESRCH);
	fake_proc_file(&fake, "1 2 x", "42/task/42/children");
	ck_assert_int_eq(list_children(42, 1, &sum), -EPROTO);
}
END_TEST

START_TEST(no_such_process)
{
	ck_assert_int_eq(procfs_open_process(&fake.procfs, 42), -ESRCH);
	ck_assert_int_eq(procfs_open_process(&fake.procfs, 0), -ESRCH);
	ck_assert_int_eq(procfs_open_process(&fake.procfs, -1), -ESRCH);
}
END_TEST

/* A file that imitates loadavg: a PID that never changes would hide every fork. */
START_TEST(loadavg_of_no_kernel_is_not_believed)
{
	ck_assert_int_eq(procfs_last_pid(&fake.procfs), 0);
	fake.procfs.loadavg_refused = false;
	fake_proc_file(&fake, "0.03 0.10 0.08 1/201 31337\n", "loadavg");
	ck_assert_int_eq(procfs_last_pid(&fake.procfs), 0);
	ck_assert(fake.procfs.loadavg_refused);
}
END_TEST

START_TEST(real_loadavg)
{
	int status;
	pid_t before = procfs_last_pid(&real), child;

	if (!procfs_is_ours(&real) || before == 0)
		test_skip("no /proc/loadavg of our PID namespace");
	child = fork();
	if (child == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_ne(procfs_last_pid(&real), before);
}
END_TEST

START_TEST(a_proc_of_another_pid_namespace)
{
	ck_assert(!procfs_is_ours(&fake.procfs));
	fake_proc_self(&fake, getpid() + 1);
	ck_assert(!procfs_is_ours(&fake.procfs));
	fake_proc_self(&fake, getpid());
	ck_assert(procfs_is_ours(&fake.procfs));
}
END_TEST

START_TEST(no_descriptors_left)
{
	struct rlimit limit, none;

	fake_proc_add(&fake, 42, 1, 5);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(procfs_open_process(&fake.procfs, 42), -EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

START_TEST(standard_descriptors_untouched)
{
	CLEANUP_CLOSE int kept = dup(STDIN_FILENO);
	struct procfs procfs;
	int process;

	close(STDIN_FILENO);
	ck_assert_int_eq(procfs_open(&procfs, "/proc"), 0);
	process = procfs_open_process(&procfs, getpid());
	ck_assert_int_gt(procfs.fd, STDERR_FILENO);
	ck_assert_int_gt(process, STDERR_FILENO);
	ck_assert_int_eq(fcntl(process, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(procfs.fd, F_GETFD), FD_CLOEXEC);
	close(process);
	procfs_close(&procfs);
	if (kept >= 0)
		dup2(kept, STDIN_FILENO);
}
END_TEST

START_TEST(real_self)
{
	CLEANUP_CLOSE int process = procfs_open_process(&real, getpid());
	struct process_stat stat;
	pid_t innermost;
	unsigned depth;

	if (!procfs_is_ours(&real))
		test_skip("/proc shows another PID namespace");
	ck_assert_int_eq(procfs_read_stat(process, &stat), 0);
	ck_assert_int_eq(stat.pid, getpid());
	ck_assert_int_eq(stat.ppid, getppid());
	ck_assert_int_eq(procfs_read_nspid(process, &innermost, &depth), 0);
	ck_assert_int_eq(innermost, getpid());
}
END_TEST

/* A directory that was opened before the process's exit never shows another process. */
START_TEST(real_exit)
{
	pid_t pid = puppet_start(0);
	CLEANUP_CLOSE int process = procfs_open_process(&real, pid);
	struct process_stat stat = {.threads = 2};
	struct netns_id id;
	long sum = 0;

	ck_assert_int_eq(procfs_read_stat(process, &stat), 0);
	puppet_exit(0);
	ck_assert_int_eq(procfs_read_stat(process, &stat), 0);
	ck_assert(procfs_is_dead(&stat));
	puppets_teardown();
	puppets_setup();
	ck_assert_int_eq(procfs_read_stat(process, &stat), -ESRCH);
	ck_assert_int_eq(procfs_each_child(process, &stat, add_up, &sum), -ESRCH);
	stat.threads = 2;
	ck_assert_int_eq(procfs_each_child(process, &stat, add_up, &sum), -ESRCH);
	ck_assert_int_eq(procfs_netns(process, &id), -ESRCH);
	ck_assert_int_eq(procfs_open_netns(process), -ESRCH);
}
END_TEST

static struct netns_id netns_of(pid_t pid)
{
	CLEANUP_CLOSE int process = procfs_open_process(&real, pid);
	struct netns_id id;

	ck_assert_int_eq(procfs_netns(process, &id), 0);
	return id;
}

START_TEST(real_netns)
{
	pid_t same = puppet_start(0), other = puppet_start(1), third = puppet_start(2);
	int refused = puppet_unshare_net(1);

	if (refused)
		test_skip("no network namespace: %s", strerror(-refused));
	ck_assert_int_eq(puppet_unshare_net(2), 0);
	ck_assert_uint_eq(netns_of(same).ino, netns_of(getpid()).ino);
	ck_assert_uint_eq(netns_of(same).dev, netns_of(other).dev);
	ck_assert_uint_ne(netns_of(same).ino, netns_of(other).ino);
	ck_assert_uint_ne(netns_of(same).ino, netns_of(third).ino);
	ck_assert_uint_ne(netns_of(other).ino, netns_of(third).ino);
}
END_TEST

START_TEST(real_headless_process)
{
	pid_t pid = puppet_start(0), child;
	CLEANUP_CLOSE int process = procfs_open_process(&real, pid);
	CLEANUP_CLOSE int netns = -1;
	struct netns_id id, own = netns_of(getpid());
	struct process_stat stat;
	uint64_t inode, own_inode;
	long sum = 0;

	puppet_lose_leader(0);
	child = puppet_fork(0, 1);
	ck_assert_int_eq(procfs_read_stat(process, &stat), 0);
	ck_assert_int_eq(stat.state, 'Z');
	ck_assert(!procfs_is_dead(&stat));
	ck_assert_int_eq(procfs_each_child(process, &stat, add_up, &sum), 0);
	ck_assert_int_eq(sum, child);
	ck_assert_int_eq(procfs_netns(process, &id), 0);
	ck_assert(id.dev == own.dev && id.ino == own.ino);
	ck_assert_int_eq(procfs_netns_inode(process, &inode), 0);
	own_inode = sandbox_netns(0);
	ck_assert_uint_eq(inode, own_inode);
	netns = procfs_open_netns(process);
	ck_assert_int_gt(netns, STDERR_FILENO);
}
END_TEST

/* A process of another user: its namespace can be distinguished from others but not identified. */
static void look_at_parent(void *data)
{
	CLEANUP_CLOSE int process = procfs_open_process(&real, getppid());
	struct netns_id id;
	uint64_t inode = 1;

	(void)data;
	ck_assert_int_eq(procfs_netns(process, &id), 0);
	ck_assert_int_eq(procfs_netns_inode(process, &inode), 0);
	ck_assert_uint_eq(inode, 0);
	ck_assert_int_eq(procfs_open_netns(process), -EACCES);
}

START_TEST(real_other_user)
{
	sandbox_run_as_nobody(look_at_parent, NULL);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("procfs");
	TCase *fake_case = tcase_create("files");
	TCase *real_case = tcase_create("kernel");

	tcase_add_checked_fixture(fake_case, setup_fake, teardown_fake);
	tcase_add_test(fake_case, nspid);
	tcase_add_test(fake_case, nspid_after_long_line);
	tcase_add_test(fake_case, nspid_garbage);
	tcase_add_test(fake_case, nspid_too_deep);
	tcase_add_test(fake_case, read_bounded);
	tcase_add_test(fake_case, links);
	tcase_add_test(fake_case, numbers_only);
	tcase_add_test(fake_case, children_of_threads);
	tcase_add_test(fake_case, children_beyond_one_read);
	tcase_add_test(fake_case, children_that_are_unlisted_or_gone);
	tcase_add_test(fake_case, no_such_process);
	tcase_add_test(fake_case, loadavg_of_no_kernel_is_not_believed);
	tcase_add_test(fake_case, a_proc_of_another_pid_namespace);
	tcase_add_test(fake_case, no_descriptors_left);
	suite_add_tcase(suite, fake_case);
	tcase_add_checked_fixture(real_case, setup_real, teardown_real);
	tcase_add_test(real_case, standard_descriptors_untouched);
	tcase_add_test(real_case, real_self);
	tcase_add_test(real_case, real_loadavg);
	tcase_add_test(real_case, real_exit);
	tcase_add_test(real_case, real_netns);
	tcase_add_test(real_case, real_headless_process);
	tcase_add_test(real_case, real_other_user);
	suite_add_tcase(suite, real_case);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
