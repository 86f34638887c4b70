/* SPDX-License-Identifier: MIT */
/* test_perf_cpus.c - a perf event on each CPU that is online, as CPUs come and go
 *
 * The test supplies the lists of CPUs. The events are real, but each reports only the test's own
 * process, for which no privilege is needed, so any number of CPUs is possible. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "notify/perf_cpus.h"
#include "support/check_main.h"
#include "support/skip.h"
#include "util/clock.h"
#include "util/fd.h"

enum { CPUS = 16 };

/* --- the functions that the module calls */

static const char *online, *possible; /* the lists; NULL: those of the machine */
static int unreadable;                /* a negative errno */
static int refused[CPUS];             /* the errno for an event on this CPU; 0: none */
static unsigned int tries[CPUS];      /* to open one */
static size_t largest;                /* the largest mapping that is allowed, in bytes */
static int map_error;                 /* the errno for larger ones */
static struct perf_event_mmap_page *mapped;
static bool real; /* the events report all processes */

ssize_t __real_procfs_read(int directory, const char *name, char *buffer, size_t size);
ssize_t __wrap_procfs_read(int directory, const char *name, char *buffer, size_t size);

ssize_t __wrap_procfs_read(int directory, const char *name, char *buffer, size_t size)
{
	const char *end = strrchr(name, '/');
	const char *list = !end                            ? NULL
	                   : strcmp(end, "/online") == 0   ? online
	                   : strcmp(end, "/possible") == 0 ? possible
	                                                   : NULL;

	if (unreadable < 0)
		return unreadable;
	if (!list)
		return __real_procfs_read(directory, name, buffer, size);
	ck_assert_uint_gt(size, strlen(list));
	memcpy(buffer, list, strlen(list) + 1);
	return (ssize_t)strlen(list);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

static long open_event(struct perf_event_attr attr, long pid, long cpu, long group, long flags)
{
	ck_assert_int_eq(pid, -1);
	ck_assert_int_ge(cpu, 0);
	if (real)
		return __real_syscall(SYS_perf_event_open, &attr, pid, cpu, group, flags);
	ck_assert_int_lt(cpu, CPUS);
	ck_assert_int_eq(flags, PERF_FLAG_FD_CLOEXEC);
	tries[cpu]++;
	if (refused[cpu]) {
		errno = refused[cpu];
		return -1;
	}
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	return __real_syscall(SYS_perf_event_open, &attr, 0L, -1L, group, flags);
}

__attribute__((no_sanitize("address"))) long __wrap_syscall(long number, ...)
{
	va_list arguments;
	long a[6];

	va_start(arguments, number);
	for (size_t i = 0; i < 6; i++)
		a[i] = va_arg(arguments, long);
	va_end(arguments);
	if (number == SYS_perf_event_open)
		return open_event(*(struct perf_event_attr *)a[0], (int)a[1], (int)a[2], (int)a[3],
		                  a[4]);
	return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#define REPLACE_MMAP(name)                                                                         \
	void *__real_##name(void *address, size_t size, int protection, int flags, int fd,         \
	                    off_t offset);                                                         \
	void *__wrap_##name(void *address, size_t size, int protection, int flags, int fd,         \
	                    off_t offset);                                                         \
	void *__wrap_##name(void *address, size_t size, int protection, int flags, int fd,         \
	                    off_t offset)                                                          \
	{                                                                                          \
		void *mapping;                                                                     \
                                                                                                   \
		if (fd >= 0 && largest && size > largest) {                                        \
			errno = map_error;                                                         \
			return MAP_FAILED;                                                         \
		}                                                                                  \
		mapping = __real_##name(address, size, protection, flags, fd, offset);             \
		if (fd >= 0)                                                                       \
			mapped = mapping;                                                          \
		return mapping;                                                                    \
	}

REPLACE_MMAP(mmap)
#ifdef __GLIBC__
REPLACE_MMAP(mmap64)
#endif

/* --- a source of samples: the page faults of the test */

static bool connected[CPUS];
static unsigned int starts;
static int connect_error, start_error; /* negative */

static int connect_event(struct tcp_source *source, int event, unsigned int cpu, const char **step)
{
	(void)source;
	ck_assert_int_gt(event, 2);
	ck_assert_uint_lt(cpu, CPUS);
	ck_assert(!connected[cpu]);
	if (connect_error < 0) {
		*step = "connect";
		return connect_error;
	}
	connected[cpu] = true;
	return 0;
}

static void disconnect_event(struct tcp_source *source, unsigned int cpu)
{
	(void)source;
	ck_assert_uint_lt(cpu, CPUS);
	connected[cpu] = false;
}

static int start(struct tcp_source *source, const char **step)
{
	(void)source;
	starts++;
	*step = "start";
	return start_error;
}

static const struct tcp_source_ops ops = {
	.connect = connect_event,
	.disconnect = disconnect_event,
	.start = start,
};
static struct tcp_source source = {
	.ops = &ops,
	.type = PERF_TYPE_SOFTWARE,
	.config = PERF_COUNT_SW_PAGE_FAULTS,
};

static void expect_connected(const char *cpus)
{
	for (size_t cpu = 0; cpu < CPUS; cpu++) {
		bool wanted = cpu < strlen(cpus) && cpus[cpu] == '1';

		ck_assert_msg(connected[cpu] == wanted, "CPU %zu: %d", cpu, (int)connected[cpu]);
	}
}

/* --- the object */

static struct perf_cpus *it;
static int epoll;
static unsigned int room;
static const char *step;

static void setup(void)
{
	online = "0-1\n";
	possible = "0-3\n";
	memset(connected, 0, sizeof(connected));
	memset(refused, 0, sizeof(refused));
	memset(tries, 0, sizeof(tries));
	unreadable = connect_error = start_error = 0;
	starts = 0;
	largest = 0;
	real = false;
	it = NULL;
	step = NULL;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	ck_assert_int_ge(epoll, 0);
	room = fd_room();
}

static void teardown(void)
{
	close(epoll);
}

/* Returns the number of events in the epoll set. An event leaves the set when nothing
 * keeps the event any more. */
static unsigned int count_events(void)
{
	char path[64], line[256];
	unsigned int count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epoll);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		count += strncmp(line, "tfd:", 4) == 0;
	fclose(file);
	return count;
}

static void open_it(struct tcp_source *samples)
{
	int error = perf_cpus_open(&it, samples, epoll, &step);

	if ((error == -EACCES || error == -EPERM || error == -ENOSYS || error == -ENOENT) &&
	    strstr(step, "perf_event_open"))
		test_skip("cannot %s: %s", step, strerror(-error));
	ck_assert_msg(error == 0, "cannot %s: %s", step, strerror(-error));
}

static void close_it(void)
{
	perf_cpus_close(it);
	expect_connected("");
	ck_assert_uint_eq(count_events(), 0);
	ck_assert_uint_eq(fd_room(), room);
}

/* Nothing stays behind. */
static void expect_failure(struct tcp_source *samples, int error, const char *what)
{
	it = NULL;
	ck_assert_int_eq(perf_cpus_open(&it, samples, epoll, &step), error);
	ck_assert_ptr_null(it);
	ck_assert_msg(strstr(step, what) != NULL, "%s", step);
	expect_connected("");
	ck_assert_uint_eq(count_events(), 0);
	ck_assert_uint_eq(fd_room(), room);
}

static pid_t fork_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	return pid;
}

/* Takes all records, which are in the order of their times. Returns how many report the fork of
 * the process. */
static unsigned int take_forks(pid_t pid, uint64_t after)
{
	uint64_t last = after;
	const struct perf_record *record;
	struct perf_merge *merge;
	unsigned int count = 0;
	struct perf_task task;
	bool damaged;

	merge = perf_cpus_begin(it, &damaged);
	ck_assert(!damaged);
	while ((record = perf_merge_first(merge))) {
		ck_assert_uint_ge(record->time, last);
		last = record->time;
		if (record->type == PERF_RECORD_FORK && perf_record_task(record, &task) == 0)
			count += task.pid == pid;
		ck_assert_int_eq(perf_merge_next(merge), 0);
	}
	ck_assert_uint_le(last, clock_now(CLOCK_MONOTONIC));
	ck_assert(!perf_cpus_end(it));
	return count;
}

/* --- cases */

START_TEST(the_possible_cpus)
{
	static const struct {
		const char *list;
		int result;
	} cases[] = {
		{"0\n", 1},      {"0-3\n", 4},         {"0-3,8\n", 9},         {"", -EPROTO},
		{"\n", -EPROTO}, {"0-65535\n", 65536}, {"0-65536\n", -EPROTO},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		possible = cases[i].list;
		ck_assert_int_eq(perf_cpus_possible(&step), cases[i].result);
		ck_assert_ptr_nonnull(strstr(step, "/possible"));
	}
	unreadable = -EACCES;
	ck_assert_int_eq(perf_cpus_possible(&step), -EACCES);
}
END_TEST

START_TEST(each_cpu_that_is_online_has_an_event)
{
	online = "1,3-4\n";
	possible = "0-5\n";
	open_it(&source);
	expect_connected("010110");
	ck_assert_uint_eq(starts, 1);
	ck_assert_uint_eq(count_events(), 3);
	/* The events have no descriptors. */
	ck_assert_uint_eq(fd_room(), room);
	close_it();
	perf_cpus_close(NULL);
}
END_TEST

START_TEST(a_sample_makes_the_set_readable)
{
	struct epoll_event ready;
	struct perf_sample sample;
	const struct perf_record *record;
	struct perf_merge *merge;
	unsigned int samples = 0;
	volatile char *page;
	bool damaged;

	open_it(&source);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*page = 1;
	ck_assert_int_eq(epoll_wait(epoll, &ready, 1, 0), 1);
	merge = perf_cpus_begin(it, &damaged);
	while ((record = perf_merge_first(merge))) {
		if (record->type == PERF_RECORD_SAMPLE &&
		    perf_record_sample(record, &sample) == 0 && sample.pid == getpid())
			samples++;
		ck_assert_int_eq(perf_merge_next(merge), 0);
	}
	perf_cpus_end(it);
	/* Of each CPU. */
	ck_assert_uint_ge(samples, 2);
	munmap((void *)page, 4096);
	close_it();
}
END_TEST

START_TEST(records_of_processes_come_without_a_source)
{
	uint64_t before = clock_now(CLOCK_MONOTONIC);
	struct epoll_event ready;
	pid_t first, second;

	online = "0-3\n";
	open_it(NULL);
	expect_connected("");
	ck_assert_uint_eq(count_events(), 4);
	first = fork_child();
	second = fork_child();
	/* They wait until a ring is half full. */
	ck_assert_int_eq(epoll_wait(epoll, &ready, 1, 0), 0);
	ck_assert_uint_eq(take_forks(first, before), 4);
	ck_assert_uint_eq(take_forks(first, before), 0);
	(void)second;
	second = fork_child();
	ck_assert_uint_eq(take_forks(second, before), 4);
	close_it();
}
END_TEST

START_TEST(a_cpu_may_go_offline_while_events_are_opened)
{
	online = "0-3\n";
	refused[1] = ENODEV;
	refused[3] = ENODEV;
	open_it(&source);
	expect_connected("1010");
	close_it();
	refused[0] = refused[2] = ENODEV;
	expect_failure(&source, -ENODEV, "perf_event_open");
}
END_TEST

START_TEST(a_failure_leaves_no_event_open)
{
	/* At least one event is possible. */
	open_it(&source);
	close_it();
	online = "0-3\n";
	refused[2] = EACCES;
	expect_failure(&source, -EACCES, "perf_event_open");
	refused[2] = 0;
	ck_assert_uint_eq(tries[3], 0);
	connect_error = -EINVAL;
	expect_failure(&source, -EINVAL, "connect");
	connect_error = 0;
	starts = 0;
	start_error = -EBUSY;
	expect_failure(&source, -EBUSY, "start");
	ck_assert_uint_eq(starts, 1);
	start_error = 0;
	largest = 1;
	map_error = ENODEV;
	expect_failure(&source, -ENODEV, "mmap");
	map_error = EPERM;
	expect_failure(&source, -EPERM, "mmap");
	unreadable = -EIO;
	expect_failure(&source, -EIO, "/possible");
}
END_TEST

/* The user may not lock enough memory for large rings. */
START_TEST(a_ring_may_be_small)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	largest = (size_t)(2 + 2 * _i) * page;
	map_error = _i ? EPERM : ENOMEM;
	open_it(NULL);
	ck_assert_uint_eq(mapped->data_size, (_i ? 2 : 1) * page);
	ck_assert_uint_eq(take_forks(fork_child(), 0), 2);
	close_it();
}
END_TEST

START_TEST(a_full_ring_is_reported)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct perf_merge *merge;
	bool damaged;

	largest = 2 * page;
	map_error = EPERM;
	online = "0\n";
	open_it(NULL);
	/* A fork has one record at least, and a record more than 40 bytes. */
	for (size_t i = 0; i < page / 40; i++)
		fork_child();
	/* Of all rings, only the first one is full. */
	online = "0-1\n";
	ck_assert(perf_cpus_update(it));
	merge = perf_cpus_begin(it, &damaged);
	ck_assert(!damaged);
	while (perf_merge_first(merge))
		ck_assert_int_eq(perf_merge_next(merge), 0);
	ck_assert(perf_cpus_end(it));
	/* Now there is room again. */
	ck_assert_uint_eq(take_forks(fork_child(), 0), 2);
	close_it();
}
END_TEST

START_TEST(an_invalid_ring_is_reported)
{
	bool damaged = false;

	open_it(NULL);
	fork_child();
	/* No record is as short as this. */
	mapped->data_tail = mapped->data_head - sizeof(struct perf_event_header);
	perf_cpus_begin(it, &damaged);
	ck_assert(damaged);
	perf_cpus_end(it);
	/* Later records are valid again. */
	ck_assert_uint_eq(take_forks(fork_child(), 0), 2);
	close_it();
}
END_TEST

START_TEST(cpus_come_and_go)
{
	uint64_t before = clock_now(CLOCK_MONOTONIC);

	online = "0\n";
	open_it(&source);
	expect_connected("1");
	ck_assert(!perf_cpus_update(it));
	online = "0,2\n";
	ck_assert(perf_cpus_update(it));
	expect_connected("101");
	ck_assert_uint_eq(take_forks(fork_child(), before), 2);
	ck_assert(!perf_cpus_update(it));
	ck_assert_uint_eq(tries[2], 1);
	/* One goes while another one comes. */
	online = "1-2\n";
	ck_assert(perf_cpus_update(it));
	expect_connected("011");
	ck_assert_uint_eq(count_events(), 2);
	ck_assert_uint_eq(take_forks(fork_child(), before), 2);
	/* Only a new event has missed something. */
	online = "1\n";
	ck_assert(!perf_cpus_update(it));
	expect_connected("01");
	ck_assert_uint_eq(count_events(), 1);
	/* The source is started once. */
	ck_assert_uint_eq(starts, 1);
	ck_assert_uint_eq(fd_room(), room);
	/* No CPU is possible that was not so before. */
	online = "1,9\n";
	ck_assert(!perf_cpus_update(it));
	ck_assert_uint_eq(tries[9], 0);
	close_it();
}
END_TEST

START_TEST(a_list_that_cannot_be_read_changes_nothing)
{
	open_it(&source);
	unreadable = -EMFILE;
	ck_assert(!perf_cpus_update(it));
	expect_connected("11");
	unreadable = 0;
	online = "";
	ck_assert(!perf_cpus_update(it));
	expect_connected("11");
	close_it();
}
END_TEST

START_TEST(a_new_cpu_is_tried_again)
{
	open_it(&source);
	online = "0-2\n";
	refused[2] = EMFILE;
	for (unsigned int i = 1; i < 4; i++) {
		ck_assert(!perf_cpus_update(it));
		ck_assert_uint_eq(tries[2], i);
	}
	refused[2] = 0;
	ck_assert(perf_cpus_update(it));
	expect_connected("111");
	ck_assert(!perf_cpus_update(it));
	close_it();
}
END_TEST

/* The CPUs of the machine, and forks on all of them: with privilege only. */
START_TEST(the_cpus_of_the_machine)
{
	online = possible = NULL;
	real = true;
	open_it(NULL);
	ck_assert_uint_ge(count_events(), 1);
	ck_assert_uint_eq(take_forks(fork_child(), 0), 1);
	ck_assert(!perf_cpus_update(it));
	close_it();
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("perf_cpus");
	TCase *open = tcase_create("open"), *records = tcase_create("records");
	TCase *changes = tcase_create("changes");

	tcase_add_checked_fixture(open, setup, teardown);
	tcase_add_test(open, the_possible_cpus);
	tcase_add_test(open, each_cpu_that_is_online_has_an_event);
	tcase_add_test(open, a_cpu_may_go_offline_while_events_are_opened);
	tcase_add_test(open, a_failure_leaves_no_event_open);
	suite_add_tcase(suite, open);
	tcase_add_checked_fixture(records, setup, teardown);
	tcase_add_test(records, a_sample_makes_the_set_readable);
	tcase_add_test(records, records_of_processes_come_without_a_source);
	tcase_add_loop_test(records, a_ring_may_be_small, 0, 2);
	tcase_add_test(records, a_full_ring_is_reported);
	tcase_add_test(records, an_invalid_ring_is_reported);
	tcase_add_test(records, the_cpus_of_the_machine);
	suite_add_tcase(suite, records);
	tcase_add_checked_fixture(changes, setup, teardown);
	tcase_add_test(changes, cpus_come_and_go);
	tcase_add_test(changes, a_list_that_cannot_be_read_changes_nothing);
	tcase_add_test(changes, a_new_cpu_is_tried_again);
	suite_add_tcase(suite, changes);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
