/* SPDX-License-Identifier: MIT */
/* test_doorbell_world.c - the doorbell in namespaces, with changing CPUs, without privilege */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "support/check_main.h"
#include "support/ear.h"
#include "support/sandbox.h"
#include "support/skip.h"

/* In a PID namespace of its own: the stranger outside listens at a word, and is nobody. */
static void inner_world(int stranger)
{
	pid_t child;
	char word = 'x';

	ear_open_in_child();
	child = fork();
	if (child == 0) {
		ear_listen_once();
		_exit(0);
	}
	ck_assert_int_lt(child, 100); /* numbers begin anew, a sanitizer may have used some */
	listener_pid = child;
	ear_await(2);
	waitpid(child, NULL, 0);
	doorbell_drain(doorbell);
	ck_assert_int_eq(heard.changes[0].tid, child);
	ck_assert_uint_eq(heard.fork_count, 1);
	ck_assert_int_eq(heard.children[0], child);
	ck_assert_int_eq(heard.parents[0], 1);
	ck_assert_uint_ge(heard.exit_count, 1);
	listener_pid = 0;
	heard.change_count = 0;
	ck_assert_int_eq(write(stranger, &word, 1), 1);
	ear_await(2);
	ck_assert_int_eq(heard.changes[0].tid, 0);
	ear_close();
	_exit(0);
}

START_TEST(test_pid_namespace)
{
	int ends[2], status;
	char word;
	pid_t init;

	memset(&heard, 0, sizeof(heard));
	if (!ear_in_child(CLONE_NEWPID))
		return;
	ck_assert_int_eq(pipe(ends), 0);
	init = fork();
	if (init == 0) {
		close(ends[0]);
		inner_world(ends[1]);
	}
	close(ends[1]);
	if (read(ends[0], &word, 1) == 1)
		ear_listen_once();
	ck_assert_int_eq(waitpid(init, &status, 0), init);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}
END_TEST

static void write_cpus(int fd, const char *text)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

static size_t count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	size_t count = 0;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "[perf_event]") != NULL;
	fclose(maps);
	return count;
}

/* The drain looks at most once a second: until it has. */
static void await_rings(size_t count)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE * NSEC_PER_MSEC;

	while (count_mappings() != count) {
		ck_assert_uint_lt(clock_now(CLOCK_MONOTONIC), deadline);
		sched_yield();
		doorbell_drain(doorbell);
	}
}

static void hear_on(int cpu)
{
	cpu_set_t allowed = ear_stay_on(cpu);

	heard.change_count = 0;
	ear_listen_once();
	ear_await(2);
	sched_setaffinity(0, sizeof(allowed), &allowed);
}

/* The privilege comes back, and then what was refused is tried again. */
static void look_without_privilege(void)
{
	uint64_t start = clock_now(CLOCK_MONOTONIC);

	ck_assert_int_eq(seteuid(1), 0);
	while (clock_now(CLOCK_MONOTONIC) - start <= NSEC_PER_SEC)
		sched_yield();
	doorbell_drain(doorbell);
	ck_assert_int_eq(seteuid(0), 0);
}

/* CPUs that come and go, in a list of our own: to switch a real one off is no friendly act. */
START_TEST(test_cpus_come_and_go)
{
	char path[] = "test_doorbell_cpus_XXXXXX";
	struct failure failure;
	cpu_set_t allowed;
	int fd;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	if (!CPU_ISSET(0, &allowed) || !CPU_ISSET(1, &allowed))
		test_skip("takes CPUs 0 and 1");
	memset(&heard, 0, sizeof(heard));
	if (!ear_in_child(CLONE_NEWNS))
		return;
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, 0644), 0);
	write_cpus(fd, "0\n");
	ck_assert_int_eq(mount("none", "/", "", MS_REC | MS_PRIVATE, ""), 0);
	if (mount(path, "/sys/devices/system/cpu/online", "", MS_BIND, "") < 0) {
		unlink(path);
		_exit(SKIP_STATUS);
	}
	unlink(path);
	ear_open_in_child();
	ck_assert_uint_eq(count_mappings(), 1);
	hear_on(0);
	write_cpus(fd, "0-1\n");
	look_without_privilege();
	ck_assert_uint_eq(count_mappings(), 1);
	await_rings(2);
	ck_assert_uint_ge(heard.losses, 1);
	hear_on(1);
	hear_on(0);
	write_cpus(fd, "1\n");
	await_rings(1);
	hear_on(1);
	write_cpus(fd, "");
	doorbell_drain(doorbell);
	hear_on(1);
	ear_close();
	write_cpus(fd, "\n");
	ck_assert_int_eq(doorbell_open(&doorbell, &ear_hooks, &heard, &failure), -ENODEV);
	_exit(0);
}
END_TEST

/* tracefs where it usually is mounted, and nowhere. */
START_TEST(test_tracefs_mounted_or_not)
{
	if (!ear_in_child(CLONE_NEWNS))
		return;
	ck_assert_int_eq(mount("none", "/", "", MS_REC | MS_PRIVATE, ""), 0);
	while (umount2("/sys/kernel/debug/tracing", MNT_DETACH) == 0)
		;
	while (umount2("/sys/kernel/tracing", MNT_DETACH) == 0)
		;
	while (umount2("/sys/kernel/debug", MNT_DETACH) == 0)
		;
	ck_assert_int_ne(access("/sys/kernel/tracing/events", F_OK), 0);
	ear_open_in_child();
	ck_assert_int_ne(access("/sys/kernel/tracing/events", F_OK), 0);
	ear_close();
	if (mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, "") == 0) {
		ear_open_in_child();
		ear_close();
	}
	_exit(0);
}
END_TEST

static size_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t count = 0;

	ck_assert_ptr_nonnull(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

START_TEST(test_leaves_nothing)
{
	size_t before = count_descriptors();
	int i;

	for (i = 0; i < 3; i++) {
		ear_open();
		ck_assert_uint_gt(count_descriptors(), before);
		ck_assert_uint_ge(count_mappings(), 1);
		ear_close();
		ck_assert_uint_eq(count_descriptors(), before);
		ck_assert_uint_eq(count_mappings(), 0);
	}
	doorbell_close(NULL);
}
END_TEST

/* With standard input open, and closed: then it has to be kept out of its place. */
START_TEST(test_descriptors)
{
	int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100), fd, checked = 0;

	if (_i)
		close(STDIN_FILENO);
	ear_open();
	if (_i)
		ck_assert_int_eq(fcntl(STDIN_FILENO, F_GETFD), -1);
	for (fd = 0; fd < 1024; fd++) {
		char path[64], target[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) > 0 &&
		    (strstr(target, "[perf_event]") || strstr(target, "[eventpoll]"))) {
			ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
			checked++;
		}
	}
	ck_assert_int_ge(checked, 2);
	ear_close();
	dup2(saved, STDIN_FILENO);
	close(saved);
}
END_TEST

static void be_refused(void *data)
{
	size_t before = count_descriptors();
	struct failure failure = {NULL, 0};
	struct doorbell *unwanted = NULL;
	int error = doorbell_open(&unwanted, &ear_hooks, &heard, &failure);

	(void)data;
	/* ENOSYS: valgrind doesn't know fsopen(2). */
	ck_assert(error == -EACCES || error == -EPERM || error == -ENOSYS);
	ck_assert_int_eq(failure.error, -error);
	ck_assert_ptr_nonnull(failure.step);
	ck_assert_ptr_null(unwanted);
	ck_assert_uint_eq(count_descriptors(), before);
}

START_TEST(test_refused)
{
	sandbox_run_as_nobody(be_refused, NULL);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("doorbell_world");
	TCase *world = tcase_create("world");

	tcase_add_test(world, test_pid_namespace);
	tcase_add_test(world, test_cpus_come_and_go);
	tcase_add_test(world, test_tracefs_mounted_or_not);
	tcase_add_test(world, test_leaves_nothing);
	tcase_add_loop_test(world, test_descriptors, 0, 2);
	tcase_add_test(world, test_refused);
	suite_add_tcase(suite, world);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
