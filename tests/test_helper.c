/* SPDX-License-Identifier: MIT */
/* test_helper.c - the helper in another network namespace: its limits, and how it ends */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/patience.h"
#include "util/caps.h"
#include "util/sys.h"
#include "table/helper.h"
#include "table/helper_memory.h"
#include "table/helper_seccomp.h"
#include "support/check_main.h"
#include "support/fixture.h"
#include "support/reading.h"
#include "support/skip.h"

static struct fixture fixture;
static struct reading reading;

/* Starts a helper, which has then answered once. */
static void start(enum portwatch_table table)
{
	fixture = fixture_start(SANDBOX_NETNS);
	reading_start(&reading, fixture.pid, PORTWATCH_READER_SETNS, table);
	reading_table(&reading);
}

static void end(void)
{
	reading_end(&reading);
	fixture_end(&fixture);
}

/* Reads the value of a line of /proc/PID/NAME of the helper, as text; "" if there is no such line.
 */
static void read_line(const char *name, const char *key, char *value, size_t size)
{
	char path[64], line[256];
	FILE *file;

	*value = '\0';
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)reader_pid(reading.reader), name);
	file = fopen(path, "re");
	if (!file)
		test_skip("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(value, size, "%s", line + strlen(key) + strspn(line + strlen(key), " \t"));
		break;
	}
	fclose(file);
}

static void assert_status(const char *key, const char *expected)
{
	char value[128];

	read_line("status", key, value, sizeof(value));
	ck_assert_msg(strcmp(value, expected) == 0, "%s is %s, not %s", key, value, expected);
}

START_TEST(the_helper_has_no_privilege)
{
	static const char nothing[] = "0000000000000000";

	start(_i);
	assert_status("CapInh:", nothing);
	assert_status("CapPrm:", nothing);
	assert_status("CapEff:", nothing);
	assert_status("CapAmb:", nothing);
	if (geteuid() == 0)
		assert_status("CapBnd:", nothing);
	assert_status("NoNewPrivs:", "1");
	if (helper_can_filter())
		assert_status("Seccomp:", "2");
	assert_status("Name:", "portwatch-ns");
	end();
}
END_TEST

/* The helper can empty its bounding set even if the host has few capabilities. */
START_TEST(a_host_that_has_limited_itself)
{
	ck_assert_int_eq(portwatch_limit_privileges(), 0);
	start(PORTWATCH_TABLE_AUTO);
	assert_status("CapPrm:", "0000000000000000");
	if (geteuid() == 0)
		assert_status("CapBnd:", "0000000000000000");
	end();
}
END_TEST

/* Asserts both limits of a resource of the helper, /proc/PID/limits. */
static void assert_limits(const char *key, const char *expected)
{
	char value[128], soft[32] = "", hard[32] = "";

	read_line("limits", key, value, sizeof(value));
	ck_assert_int_eq(sscanf(value, "%31s %31s", soft, hard), 2);
	ck_assert_str_eq(soft, expected);
	ck_assert_str_eq(hard, expected);
}

/* The helper's limits do not depend on the host's. */
START_TEST(the_helper_has_its_own_limits)
{
	struct rlimit files, core = {RLIM_INFINITY, RLIM_INFINITY};
	char directory[8] = "";
	char path[64];

	setrlimit(RLIMIT_CORE, &core);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
	files.rlim_cur = 32;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	start(_i);
	assert_limits("Max core file size", "0");
	assert_limits("Max open files", "0");
	assert_limits("Max processes", "0");
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)reader_pid(reading.reader));
	if (readlink(path, directory, sizeof(directory) - 1) < 0 && errno == EACCES)
		test_skip("%s: %s", path, strerror(errno));
	ck_assert_str_eq(directory, "/");
	end();
}
END_TEST

/* Called after the fixture has started. */
static void skip_without_nsenter(void)
{
	reading_aim(&reading, fixture.pid);
	if (!reading.target.nsenter)
		test_skip("nsenter is not installed");
	if (!caps_effective(CAP_SYS_ADMIN))
		test_skip("nsenter may not enter the namespace");
}

/* A shell and its child need some more. */
START_TEST(nsenter_has_its_own_limits)
{
	char directory[8] = "";
	char path[64];

	fixture = fixture_start(SANDBOX_NETNS);
	skip_without_nsenter();
	ck_assert_int_eq(reading_open(&reading, PORTWATCH_READER_NSENTER, PORTWATCH_TABLE_AUTO), 0);
	reading_table(&reading);
	assert_limits("Max core file size", "0");
	assert_limits("Max open files", "64");
	snprintf(path, sizeof(path), "/proc/%d/cwd", (int)reader_pid(reading.reader));
	if (readlink(path, directory, sizeof(directory) - 1) < 0 && errno == EACCES)
		test_skip("%s: %s", path, strerror(errno));
	ck_assert_str_eq(directory, "/");
	end();
}
END_TEST

START_TEST(the_helper_has_its_own_signals)
{
	/* reading_aim() has blocked the host's signals, and the host ignores one of them. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	start(PORTWATCH_TABLE_AUTO);
	assert_status("SigBlk:", "0000000000000000");
	assert_status("SigIgn:", "0000000000000000");
	assert_status("SigCgt:", "0000000000000000");
	ck_assert_int_eq(getsid(reader_pid(reading.reader)), reader_pid(reading.reader));
	end();
}
END_TEST

/* From now on the system call fails in this process and its children if its first argument is at
 * least this one. */
static void refuse(int number, int argument, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)argument, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((uint32_t)error & 0xfff)),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		test_skip("no seccomp filter: %s", strerror(errno));
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Lists the helper's descriptors, sorted, without the numbers that differ between runs. */
static void list_descriptors(char *text, size_t size)
{
	char names[16][64], path[64];
	int count = 0;

	for (int fd = 0; fd < 1024; fd++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)reader_pid(reading.reader), fd);
		length = readlink(path, names[count], sizeof(names[count]) - 1);
		if (length < 0 && errno == EACCES)
			test_skip("%s: %s", path, strerror(errno));
		if (length < 0)
			continue;
		names[count][length] = '\0';
		/* "socket:[1234]"; "/proc/1/net/tcp (deleted)", where the text after the blank
		 * means nothing */
		names[count][strcspn(names[count], "[ ")] = '\0';
		if (strncmp(names[count], "/proc/", 6) == 0)
			memmove(names[count], strrchr(names[count], '/'),
			        strlen(strrchr(names[count], '/')) + 1);
		ck_assert_int_lt(++count, 16);
	}
	qsort(names, (size_t)count, sizeof(names[0]), compare_text);
	*text = '\0';
	for (int i = 0; i < count; i++)
		snprintf(text + strlen(text), size - strlen(text), "%s ", names[i]);
}

START_TEST(the_helper_has_only_its_own_descriptors)
{
	static const char *const expected[] = {
		[PORTWATCH_TABLE_AUTO] = "/tcp /tcp6 pipe: pipe: socket: ",
		[PORTWATCH_TABLE_DIAG] = "pipe: pipe: socket: ",
		[PORTWATCH_TABLE_PROCFS] = "/tcp /tcp6 pipe: pipe: ",
	};
	char text[512];

	if (access("/proc/net/tcp6", F_OK) < 0)
		test_skip("no IPv6");
	start(_i);
	list_descriptors(text, sizeof(text));
	ck_assert_str_eq(text, expected[_i]);
	end();
}
END_TEST

START_TEST(descriptors_without_close_range)
{
	static const int refused[] = {-1, SYS_getdents64};
	char text[512];

	fixture = fixture_start(SANDBOX_NETNS);
	refuse(SYS_close_range, 0, ENOSYS);
	if (refused[_i] >= 0)
		refuse(refused[_i], 0, ENOSYS);
	reading_start(&reading, fixture.pid, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_DIAG);
	reading_table(&reading);
	list_descriptors(text, sizeof(text));
	ck_assert_str_eq(text, "pipe: pipe: socket: ");
	end();
}
END_TEST

START_TEST(a_helper_that_is_killed)
{
	start(PORTWATCH_TABLE_AUTO);
	ck_assert_int_eq(kill(reader_pid(reading.reader), SIGKILL), 0);
	ck_assert_int_eq(reading_wait(&reading), READER_BROKEN);
	ck_assert_int_eq(reader_failure(reading.reader).error, EPIPE);
	ck_assert_int_eq(reader_request(reading.reader), READER_BROKEN);
	end();
}
END_TEST

/* In this case there is nothing to wait for. */
START_TEST(a_request_to_a_dead_helper)
{
	start(PORTWATCH_TABLE_AUTO);
	ck_assert_int_eq(kill(reader_pid(reading.reader), SIGKILL), 0);
	fixture_wait_exit(reader_pid(reading.reader));
	ck_assert_int_eq(reader_request(reading.reader), READER_BROKEN);
	ck_assert_int_eq(reader_failure(reading.reader).error, EPIPE);
	end();
}
END_TEST

/* The helper is killed after the request: an earlier answer must not count. */
START_TEST(a_helper_that_is_killed_before_it_answers)
{
	start(PORTWATCH_TABLE_AUTO);
	ck_assert_int_eq(kill(reader_pid(reading.reader), SIGSTOP), 0);
	ck_assert_int_eq(reader_request(reading.reader), READER_PENDING);
	ck_assert_int_eq(reader_process(reading.reader), READER_PENDING);
	ck_assert_int_eq(kill(reader_pid(reading.reader), SIGKILL), 0);
	ck_assert_int_eq(reading_wait(&reading), READER_BROKEN);
	end();
}
END_TEST

START_TEST(a_helper_that_is_stopped_is_closed)
{
	start(PORTWATCH_TABLE_AUTO);
	ck_assert_int_eq(kill(reader_pid(reading.reader), SIGSTOP), 0);
	ck_assert_int_eq(reader_request(reading.reader), READER_PENDING);
	ck_assert_int_eq(reader_process(reading.reader), READER_PENDING);
	end();
}
END_TEST

/* Nothing reads, so the pipe fills up. The library reports the failure without blocking. */
START_TEST(a_stopped_helper)
{
	enum reader_state state = READER_PENDING;

	start(PORTWATCH_TABLE_AUTO);
	ck_assert_int_eq(kill(reader_pid(reading.reader), SIGSTOP), 0);
	for (int i = 0; i < 1000000 && state == READER_PENDING; i++)
		state = reader_request(reading.reader);
	ck_assert_int_eq(state, READER_BROKEN);
	ck_assert_int_eq(reader_failure(reading.reader).error, ETIMEDOUT);
	end();
}
END_TEST

/* A late answer to an abandoned request is not taken for the answer to the next one. */
START_TEST(a_late_answer_is_passed_over)
{
	struct pollfd answered = {.events = POLLIN};

	start(_i);
	answered.fd = reader_fd(reading.reader);
	ck_assert_int_eq(reader_request(reading.reader), READER_PENDING);
	ck_assert_int_eq(poll(&answered, 1, patience(60000)), 1);
	fixture_listen(&fixture, "127.0.0.1", 0);
	ck_assert_uint_eq(reading_table(&reading)->count, 1);
	ck_assert_int_eq(reader_table(reading.reader), _i == PORTWATCH_TABLE_PROCFS
	                                                       ? PORTWATCH_TABLE_PROCFS
	                                                       : PORTWATCH_TABLE_DIAG);
	end();
}
END_TEST

START_TEST(the_cookie_of_the_namespace)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);
	int fd;

	start(_i);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0)
		test_skip("no SO_NETNS_COOKIE");
	ck_assert_uint_ne(reader_cookie(reading.reader), 0);
	ck_assert_uint_ne(reader_cookie(reading.reader), cookie);
	close(fd);
	end();
}
END_TEST

/* The interface vanishes with the namespace, so nothing of ours may keep the namespace. */
START_TEST(the_namespace_is_let_go)
{
	char name[16];
	int error;

	if (!caps_effective(CAP_NET_ADMIN))
		sandbox_enter();
	snprintf(name, sizeof(name), "pw%d", (int)getpid());
	start(_i);
	error = sandbox_veth(name, fixture.pid);
	if (error == -EPERM)
		test_skip("may not make a pair of interfaces here");
	ck_assert_int_eq(error, 0);
	fixture_end(&fixture);
	ck_assert_uint_eq(reading_table(&reading)->count, 0);
	ck_assert(!sandbox_link_gone(name, 0));
	reading_end(&reading);
	ck_assert(sandbox_link_gone(name, 60000));
}
END_TEST

static void *hammer(void *stop)
{
	while (!atomic_load((atomic_bool *)stop)) {
		void *volatile memory = malloc(100000);

		free(memory);
		/* Valgrind runs only one thread at a time. */
		sched_yield();
	}
	return NULL;
}

START_TEST(a_host_that_hammers_malloc)
{
	enum { THREADS = 4, HELPERS = 100 };
	pthread_t threads[THREADS];
	atomic_bool stop = false;

	fixture = fixture_start(SANDBOX_NETNS);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, &stop), 0);
	for (int i = 0; i < HELPERS; i++) {
		reading_start(&reading, fixture.pid, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO);
		reading_table(&reading);
		ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), 0);
		reading_end(&reading);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	fixture_end(&fixture);
}
END_TEST

START_TEST(a_host_without_stdio)
{
	struct fixture_socket socket;
	int saved[3];
	size_t count;

	fixture = fixture_start(SANDBOX_NETNS);
	socket = fixture_listen(&fixture, "127.0.0.1", 0);
	for (int fd = 0; fd <= 2; fd++) {
		saved[fd] = dup(fd);
		ck_assert_int_gt(saved[fd], 2);
	}
	for (int fd = 0; fd <= 2; fd++)
		close(fd);
	reading_start(&reading, fixture.pid, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO);
	count = reading_table(&reading)->count;
	for (int fd = 0; fd <= 2; fd++) {
		ck_assert_int_eq(dup2(saved[fd], fd), fd);
		close(saved[fd]);
	}
	ck_assert_uint_eq(count, 1);
	fixture_close(&fixture, socket);
	end();
}
END_TEST

/* --- requests that are answered only if the table has changed */

/* Requests the changes, and waits. Returns whether the helper has answered. */
static bool request_changes(void)
{
	struct pollfd answer = {.fd = reader_fd(reading.reader), .events = POLLIN};
	enum reader_state state = reader_request_changes(reading.reader);
	uint64_t took;

	ck_assert_int_eq(state, READER_PENDING);
	for (int left = patience(60000); left > 0; left--) {
		if (poll(&answer, 1, 1) == 1) {
			ck_assert_int_eq(reading_wait(&reading), READER_COMPLETE);
			ck_assert(!reader_take_unchanged(reading.reader, &took));
			return true;
		}
		if (reader_take_unchanged(reading.reader, &took)) {
			ck_assert_int_eq(poll(&answer, 1, 0), 0);
			return false;
		}
	}
	ck_abort_msg("no answer");
}

static void start_silence(void)
{
	start(PORTWATCH_TABLE_DIAG);
	if (request_changes())
		test_skip("the helper cannot measure time without a system call");
}

START_TEST(an_unchanged_table_is_not_sent)
{
	start_silence();
	for (int i = 0; i < 3; i++) {
		struct fixture_socket socket = fixture_listen(&fixture, "127.0.0.1", 0);

		ck_assert(request_changes());
		ck_assert_uint_eq(reader_snapshot(reading.reader)->count, 1);
		ck_assert_uint_eq(reader_snapshot(reading.reader)->rows[0].listener.port,
		                  socket.port);
		ck_assert(!request_changes());
		ck_assert(!request_changes());
		fixture_close(&fixture, socket);
		ck_assert(request_changes());
		ck_assert_uint_eq(reader_snapshot(reading.reader)->count, 0);
		ck_assert(!request_changes());
	}
	end();
}
END_TEST

/* The port is the same. */
START_TEST(another_socket_is_a_change)
{
	struct fixture_socket socket;

	start_silence();
	socket = fixture_listen(&fixture, "127.0.0.1", 0);
	ck_assert(request_changes());
	ck_assert(!request_changes());
	fixture_close(&fixture, socket);
	fixture_listen(&fixture, "127.0.0.1", socket.port);
	ck_assert(request_changes());
	ck_assert_uint_eq(reader_snapshot(reading.reader)->count, 1);
	end();
}
END_TEST

/* The host has not noticed the silence before it sends the next request. */
START_TEST(a_request_after_an_unnoticed_silence_is_answered)
{
	start_silence();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(reader_request_changes(reading.reader), READER_PENDING);
		ck_assert(request_changes());
		ck_assert(!request_changes());
		ck_assert_int_eq(reader_request_changes(reading.reader), READER_PENDING);
		reading_table(&reading);
		ck_assert(!request_changes());
	}
	end();
}
END_TEST

/* Only a few rows are compared. */
START_TEST(a_large_table_is_always_sent)
{
	struct fixture_socket sockets[40];

	start_silence();
	for (int i = 0; i < 40; i++)
		sockets[i] = fixture_listen(&fixture, "127.0.0.1", 0);
	for (int i = 0; i < 3; i++) {
		ck_assert(request_changes());
		ck_assert_uint_eq(reader_snapshot(reading.reader)->count, 40);
	}
	for (int i = 0; i < 30; i++)
		fixture_close(&fixture, sockets[i]);
	ck_assert(request_changes());
	ck_assert_uint_eq(reader_snapshot(reading.reader)->count, 10);
	ck_assert(!request_changes());
	end();
}
END_TEST

/* The text has no rows that are compared, and a script compares nothing. The first request has no
 * earlier answer. */
START_TEST(other_requests_are_answered)
{
	static const enum portwatch_reader readers[] = {
		PORTWATCH_READER_SETNS, PORTWATCH_READER_NSENTER, PORTWATCH_READER_SETNS};
	static const enum portwatch_table tables[] = {PORTWATCH_TABLE_PROCFS, PORTWATCH_TABLE_AUTO,
	                                              PORTWATCH_TABLE_DIAG};
	int requests = tables[_i] == PORTWATCH_TABLE_DIAG ? 1 : 3;

	fixture = fixture_start(SANDBOX_NETNS);
	fixture_listen(&fixture, "127.0.0.1", 0);
	if (readers[_i] == PORTWATCH_READER_NSENTER)
		skip_without_nsenter();
	reading_start(&reading, fixture.pid, readers[_i], tables[_i]);
	for (int i = 0; i < requests; i++) {
		ck_assert(request_changes());
		ck_assert_uint_eq(reader_snapshot(reading.reader)->count, 1);
	}
	end();
}
END_TEST

static const int refusals[] = {EPERM, EACCES, ENOSYS, EPROTONOSUPPORT};

START_TEST(the_text_takes_over)
{
	fixture = fixture_start(SANDBOX_NETNS);
	fixture_listen(&fixture, "127.0.0.1", 0);
	refuse(SYS_socket, AF_NETLINK, refusals[_i]);
	reading_start(&reading, fixture.pid, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO);
	ck_assert_uint_eq(reading_table(&reading)->count, 1);
	ck_assert_int_eq(reader_table(reading.reader), PORTWATCH_TABLE_PROCFS);
	ck_assert_int_eq(reader_table_failure(reading.reader).error, refusals[_i]);
	ck_assert_uint_eq(reading_table(&reading)->count, 1);
	end();
}
END_TEST

START_TEST(a_dump_that_is_refused_and_forced)
{
	fixture = fixture_start(SANDBOX_NETNS);
	refuse(SYS_socket, AF_NETLINK, EPERM);
	reading_start(&reading, fixture.pid, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_DIAG);
	ck_assert_int_eq(reading_take(&reading), READER_BROKEN);
	ck_assert_int_eq(reader_failure(reading.reader).error, EPERM);
	ck_assert_str_eq(reader_failure(reading.reader).step, "open a sock_diag socket");
	end();
}
END_TEST

static void enter_by_no_right(void *data)
{
	reading_start(&reading, *(pid_t *)data, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO);
	ck_assert_int_eq(reading_take(&reading), READER_BROKEN);
	ck_assert_int_eq(reader_failure(reading.reader).error, EPERM);
	ck_assert_str_eq(reader_failure(reading.reader).step,
	                 "enter the network namespace (setns)");
	reading_end(&reading);
}

/* Opens our own namespace, which an ordinary user may open but not enter. */
static void open_own(void *data)
{
	pid_t pid = getpid();

	(void)data;
	/* Another user's process can't be opened. Our own process is not dumpable until it asks to
	 * be. */
	prctl(PR_SET_DUMPABLE, 1);
	enter_by_no_right(&pid);
}

START_TEST(setns_that_is_refused)
{
	sandbox_run_as_nobody(open_own, NULL);
}
END_TEST

static void open_other(void *data)
{
	reading_aim(&reading, *(pid_t *)data);
	ck_assert_int_eq(reading_open(&reading, PORTWATCH_READER_SETNS, PORTWATCH_TABLE_AUTO),
	                 -EACCES);
	ck_assert_str_eq(reading.failure.step, "open /proc/PID/ns/net");
}

START_TEST(a_process_of_another_user)
{
	pid_t pid = getpid();

	sandbox_run_as_nobody(open_other, &pid);
}
END_TEST

/* Returns the helper's private memory in KiB. */
static long helper_private(void)
{
	char value[64];

	read_line("smaps_rollup", "Private_Dirty:", value, sizeof(value));
	return atol(value);
}

/* The host changes all of its memory before and after the fork. The helper must keep none of this
 * memory. */
START_TEST(the_memory_of_the_host_is_let_go)
{
	const size_t size = (size_t)200 << 20;
	void *memory;

	if (!helper_can_drop_memory())
		test_skip("memory isn't let go under sanitizers, valgrind, or without ld -z now");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	memset(memory, 1, size);
	start(_i);
	memset(memory, 2, size);
	reading_table(&reading);
	ck_assert_int_lt(helper_private(), 64);
	munmap(memory, size);
	end();
}
END_TEST

static TCase *make_lives(void)
{
	TCase *lives = tcase_create("lives");

	tcase_add_test(lives, a_helper_that_is_killed);
	tcase_add_test(lives, a_request_to_a_dead_helper);
	tcase_add_test(lives, a_helper_that_is_killed_before_it_answers);
	tcase_add_test(lives, a_helper_that_is_stopped_is_closed);
	tcase_add_test(lives, a_stopped_helper);
	tcase_add_loop_test(lives, a_late_answer_is_passed_over, 0, 3);
	tcase_add_loop_test(lives, the_namespace_is_let_go, 0, 3);
	tcase_add_loop_test(lives, the_cookie_of_the_namespace, 0, 3);
	return lives;
}

static Suite *make(void)
{
	Suite *suite = suite_create("helper");
	TCase *rights = tcase_create("rights");
	TCase *hosts = tcase_create("hosts");
	TCase *silence = tcase_create("silence");
	TCase *refused = tcase_create("refused");

	tcase_add_loop_test(rights, the_helper_has_no_privilege, 0, 3);
	tcase_add_test(rights, a_host_that_has_limited_itself);
	tcase_add_loop_test(rights, the_helper_has_its_own_limits, 0, 3);
	tcase_add_test(rights, nsenter_has_its_own_limits);
	tcase_add_test(rights, the_helper_has_its_own_signals);
	tcase_add_loop_test(rights, the_helper_has_only_its_own_descriptors, 0, 3);
	tcase_add_loop_test(rights, descriptors_without_close_range, 0, 2);
	suite_add_tcase(suite, rights);
	suite_add_tcase(suite, make_lives());
	tcase_add_test(hosts, a_host_that_hammers_malloc);
	tcase_add_test(hosts, a_host_without_stdio);
	tcase_add_loop_test(hosts, the_memory_of_the_host_is_let_go, 0, 3);
	suite_add_tcase(suite, hosts);
	tcase_add_test(silence, an_unchanged_table_is_not_sent);
	tcase_add_test(silence, another_socket_is_a_change);
	tcase_add_test(silence, a_request_after_an_unnoticed_silence_is_answered);
	tcase_add_test(silence, a_large_table_is_always_sent);
	tcase_add_loop_test(silence, other_requests_are_answered, 0, 3);
	suite_add_tcase(suite, silence);
	tcase_add_loop_test(refused, the_text_takes_over, 0, 4);
	tcase_add_test(refused, a_dump_that_is_refused_and_forced);
	tcase_add_test(refused, setns_that_is_refused);
	tcase_add_test(refused, a_process_of_another_user);
	suite_add_tcase(suite, refused);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
