/* SPDX-License-Identifier: MIT */
/* test_owner.c - properties of an event's owner, which the getters read from /proc on request */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/event.h"
#include "proc/procfs.h"
#include "support/check_main.h"
#include "support/deny.h"
#include "support/fixture.h"
#include "support/process_list.h"
#include "support/puppet.h"
#include "support/skip.h"
#include "util/fd.h"

/* The length at which the library cuts a command line. */
#define CUT 4096

/* Makes an event as the monitor would: its owner is a living process. */
static struct portwatch_event *event_of(pid_t pid)
{
	struct portwatch_event content = {
		.kind = PORTWATCH_EVENT_OPEN,
		.listener = {.family = AF_INET, .port = 80},
		.pid = pid,
		.start_time = process_start_time(pid),
	};
	struct portwatch_event *event = event_new();

	ck_assert_ptr_nonnull(event);
	event_fill(event, &content);
	return event;
}

static void expect_nothing(const struct portwatch_event *event)
{
	ck_assert_str_eq(portwatch_event_get_command_line(event), "");
	ck_assert_uint_eq(portwatch_event_get_uid(event), (uid_t)-1);
	ck_assert_str_eq(portwatch_event_get_cgroup(event), "");
}

/* --- processes that wait for the end of a pipe */

struct waiting {
	pid_t pid;
	int pipe;
};

/* Starts cat(1) with these arguments, which reads its standard input first. */
static struct waiting start_program(char *const arguments[])
{
	struct waiting waiting;
	int input[2], executed[2];
	char byte;

	ck_assert_int_eq(pipe2(input, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(executed, O_CLOEXEC), 0);
	waiting.pid = fork();
	if (waiting.pid == 0) {
		dup2(input[0], STDIN_FILENO);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		execv("/bin/cat", arguments);
		_exit(1);
	}
	close(input[0]);
	close(executed[1]);
	/* Ends when the program is executed. */
	ck_assert_int_eq(read(executed[0], &byte, 1), 0);
	close(executed[0]);
	waiting.pipe = input[1];
	return waiting;
}

/* Forks a child with other user IDs. Returns false if there are none. */
static bool start_user(struct waiting *waiting, uid_t real, uid_t effective)
{
	int input[2], ready[2];
	char byte = 1;

	ck_assert_int_eq(pipe2(input, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	waiting->pid = fork();
	if (waiting->pid == 0) {
		close(input[1]);
		byte = setresuid(real, effective, real) == 0;
		if (write(ready[1], &byte, 1) == 1)
			_exit(read(input[0], &byte, 1) != 0);
		_exit(1);
	}
	close(input[0]);
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	waiting->pipe = input[1];
	return byte;
}

static void end(const struct waiting *waiting)
{
	close(waiting->pipe);
	ck_assert_int_eq(waitpid(waiting->pid, NULL, 0), waiting->pid);
}

/* --- properties */

START_TEST(the_command_line)
{
	char *arguments[] = {"a program", "-", "two words", "", "", NULL};
	struct waiting program = start_program(arguments);
	struct portwatch_event *event = event_of(program.pid);

	ck_assert_str_eq(portwatch_event_get_command_line(event), "a program - two words");
	end(&program);
	portwatch_event_unref(event);
}
END_TEST

START_TEST(a_long_command_line_is_cut)
{
	static char argument[3000];
	char *arguments[] = {"a", "-", argument, argument, NULL}, expected[CUT + 1];
	struct portwatch_event *event;
	struct waiting program;

	memset(argument, 'x', sizeof(argument) - 1);
	snprintf(expected, sizeof(expected), "a - %s %s", argument, argument);
	program = start_program(arguments);
	event = event_of(program.pid);
	ck_assert_uint_eq(strlen(portwatch_event_get_command_line(event)), CUT);
	ck_assert_str_eq(portwatch_event_get_command_line(event), expected);
	end(&program);
	portwatch_event_unref(event);
}
END_TEST

START_TEST(the_effective_user)
{
	struct portwatch_event *event;
	struct waiting child;
	uid_t uid = 4711;

	if (!start_user(&child, 4712, uid)) {
		end(&child);
		/* Without privilege there is only one user. */
		uid = geteuid();
		ck_assert(start_user(&child, uid, uid));
	}
	event = event_of(child.pid);
	ck_assert_uint_eq(portwatch_event_get_uid(event), uid);
	end(&child);
	portwatch_event_unref(event);
}
END_TEST

/* The cgroups of a process differ between machines, so the test supplies the file. */
static const char *cgroups;

ssize_t __real_procfs_read(int directory, const char *name, char *buffer, size_t size);
ssize_t __wrap_procfs_read(int directory, const char *name, char *buffer, size_t size);

ssize_t __wrap_procfs_read(int directory, const char *name, char *buffer, size_t size)
{
	if (!cgroups || strcmp(name, "cgroup") != 0)
		return __real_procfs_read(directory, name, buffer, size);
	ck_assert_uint_gt(size, strlen(cgroups));
	memcpy(buffer, cgroups, strlen(cgroups) + 1);
	return (ssize_t)strlen(cgroups);
}

START_TEST(the_cgroup)
{
	static const struct {
		const char *file, *path;
	} cases[] = {
		{"0::/a.slice/b\n", "/a.slice/b"},
		{"", ""},
		{"12:pids:/x\n0::/\n", "/"},
		{"12:pids:/x\n1:name=systemd:/y:z\n", "/y:z"},
		{"12:pids:/x\n1:name=systemd:/y\n0::/v2\n", "/v2"},
		{"0::/v2\n1:name=systemd:/y\n", "/v2"},
		{"10::/x\n2:name=other:/y\n", ""},
		/* A process chooses the names of its cgroups, apart from newlines. */
		{"3:cpu:/0::/x\n4:pids:/:name=systemd:/y\n", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct portwatch_event *event = event_of(getpid());

		cgroups = cases[i].file;
		ck_assert_str_eq(portwatch_event_get_cgroup(event), cases[i].path);
		portwatch_event_unref(event);
	}
	cgroups = NULL;
}
END_TEST

static bool cgroup_is(const char *file, const char *path)
{
	char line[4200];
	bool found = false, any = false;
	FILE *lines = fopen(file, "r");

	while (lines && fgets(line, sizeof(line), lines)) {
		const char *first = strchr(line, ':'),
			   *second = first ? strchr(first + 1, ':') : NULL;

		line[strcspn(line, "\n")] = '\0';
		any |= strncmp(line, "0::", 3) == 0 || strstr(line, ":name=systemd:");
		found |= second && strcmp(second + 1, path) == 0;
	}
	if (lines)
		fclose(lines);
	return any ? found && path[0] == '/' : path[0] == '\0';
}

START_TEST(the_real_cgroup)
{
	struct fixture child = fixture_start(0);
	struct portwatch_event *event = event_of(child.pid);

	/* A child is in the cgroup of its parent. */
	ck_assert(cgroup_is("/proc/self/cgroup", portwatch_event_get_cgroup(event)));
	fixture_end(&child);
	portwatch_event_unref(event);
}
END_TEST

START_TEST(an_answer_is_kept)
{
	char *arguments[] = {"program", "-", NULL};
	struct waiting program = start_program(arguments);
	struct portwatch_event *event = event_of(program.pid);
	const char *text = portwatch_event_get_command_line(event);

	end(&program);
	ck_assert_ptr_eq(portwatch_event_get_command_line(event), text);
	ck_assert_str_eq(text, "program -");
	/* The other properties are not known any more. */
	ck_assert_uint_eq(portwatch_event_get_uid(event), (uid_t)-1);
	ck_assert_str_eq(portwatch_event_get_cgroup(event), "");
	portwatch_event_unref(event);
}
END_TEST

enum { THREADS = 8, EVENTS = 50 };

struct asking {
	const struct portwatch_event *event;
	pthread_barrier_t *barrier;
	const char *text;
};

static void *ask(void *data)
{
	struct asking *asking = data;

	pthread_barrier_wait(asking->barrier);
	asking->text = portwatch_event_get_command_line(asking->event);
	return NULL;
}

static void ask_at_once(const struct portwatch_event *event)
{
	struct asking asking[THREADS];
	pthread_t threads[THREADS];
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++) {
		asking[i] = (struct asking){.event = event, .barrier = &barrier};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask, &asking[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	for (int i = 0; i < THREADS; i++)
		ck_assert_ptr_eq(asking[i].text, portwatch_event_get_command_line(event));
}

/* All threads that ask at once get the same text, which lives as long as the event. */
START_TEST(threads_get_the_same_answer)
{
	char *arguments[] = {"program", "-", NULL};
	struct waiting program = start_program(arguments);

	for (int i = 0; i < EVENTS; i++) {
		struct portwatch_event *event = event_of(program.pid);

		ask_at_once(event);
		portwatch_event_unref(event);
	}
	end(&program);
}
END_TEST

/* --- no owner */

START_TEST(the_properties_of_an_unknown_owner_are_unknown)
{
	struct portwatch_event *event = event_of(getpid()), queued = {.pid = getpid()};

	/* The process with the PID may be another one. */
	event->start_time = 0;
	expect_nothing(event);
	event->start_time = process_start_time(getpid()) + 1;
	expect_nothing(event);
	event->start_time--;
	event->pid = 0;
	expect_nothing(event);
	event->pid = getpid();
	ck_assert_uint_eq(portwatch_event_get_uid(event), geteuid());
	portwatch_event_unref(event);
	/* An event that waits in the queue has no place for an answer. */
	queued.start_time = process_start_time(getpid());
	expect_nothing(&queued);
}
END_TEST

START_TEST(the_properties_of_a_dead_owner_are_not_read)
{
	struct fixture root = fixture_start(0), child = fixture_fork(&root);
	struct portwatch_event *event = event_of(child.pid);

	event->netns = sandbox_netns(child.pid);
	/* The child is a zombie, and is then reaped. */
	fixture_exit(&child, 0);
	expect_nothing(event);
	ck_assert_int_eq(portwatch_event_open_netns(event), -ESRCH);
	fixture_end(&root);
	expect_nothing(event);
	ck_assert_int_eq(portwatch_event_open_netns(event), -ESRCH);
	portwatch_event_unref(event);
}
END_TEST

/* Another process gets the owner's PID. */
START_TEST(an_owner_is_not_mistaken_for_another)
{
	struct fixture outsider = fixture_start(0), server = fixture_fork(&outsider), impostor;
	struct portwatch_event *event = event_of(server.pid);
	uint64_t netns = sandbox_netns(server.pid);
	pid_t pid = server.pid;

	fixture_end(&server);
	wait_tick(event->start_time);
	if (!fixture_respawn(&outsider, pid, &impostor)) {
		portwatch_event_unref(event);
		test_skip("may not choose a PID (clone3)");
	}
	ck_assert_int_eq(impostor.pid, event->pid);
	event->netns = netns;
	expect_nothing(event);
	ck_assert_int_eq(portwatch_event_open_netns(event), -ESRCH);
	portwatch_event_unref(event);
	fixture_end(&impostor);
	fixture_end(&outsider);
}
END_TEST

/* --- its network namespace */

static struct portwatch_event *event_in(const struct fixture *owner, struct fixture_socket socket)
{
	struct portwatch_event *event = event_of(owner->pid);

	event->listener.inode = socket.inode;
	event->netns = sandbox_netns(owner->pid);
	return event;
}

START_TEST(the_namespace_of_the_owner)
{
	struct fixture owner = fixture_start(SANDBOX_NETNS);
	struct fixture_socket socket = fixture_listen(&owner, "127.0.0.1", 0);
	struct portwatch_event *event = event_in(&owner, socket);
	unsigned int room = fd_room();
	int descriptor;

	/* The socket is not needed. */
	fixture_close(&owner, socket);
	descriptor = portwatch_event_open_netns(event);
	sandbox_expect_netns(descriptor, event->netns);
	/* The descriptor is not one of the library's. */
	ck_assert_uint_eq(fd_room(), room);
	fd_close_all();
	sandbox_expect_netns(descriptor, event->netns);
	close(descriptor);
	portwatch_event_unref(event);
	fixture_end(&owner);
}
END_TEST

/* The socket remains in its namespace when the process leaves: the library opens the socket's
 * namespace, not the process's. */
START_TEST(the_namespace_is_that_of_the_socket)
{
	struct fixture owner = fixture_start(SANDBOX_NETNS);
	struct fixture_socket socket = fixture_listen(&owner, "127.0.0.1", 0);
	struct portwatch_event *event = event_in(&owner, socket);
	unsigned int room = fd_room();
	int descriptor;

	fixture_unshare(&owner);
	ck_assert_uint_ne(sandbox_netns(owner.pid), event->netns);
	descriptor = portwatch_event_open_netns(event);
	if (descriptor == -EPERM || descriptor == -ENOSYS || descriptor == -EACCES) {
		portwatch_event_unref(event);
		test_skip("may not copy a descriptor of another process (pidfd_getfd): %s",
		          strerror(-descriptor));
	}
	sandbox_expect_netns(descriptor, event->netns);
	close(descriptor);
	fixture_close(&owner, socket);
	ck_assert_int_eq(portwatch_event_open_netns(event), -ENOENT);
	ck_assert_uint_eq(fd_room(), room);
	portwatch_event_unref(event);
	fixture_end(&owner);
}
END_TEST

/* The namespace of the process is refused as well as the copy of its socket. */
START_TEST(a_refusal_is_reported)
{
	struct fixture owner = fixture_start(SANDBOX_NETNS);
	struct fixture_socket socket = fixture_listen(&owner, "127.0.0.1", 0);
	struct portwatch_event *event = event_in(&owner, socket);

	fixture_unshare(&owner);
	if (deny_call(SYS_pidfd_getfd, EPERM) < 0)
		test_skip("no seccomp filter");
	ck_assert_int_eq(portwatch_event_open_netns(event), -EPERM);
	portwatch_event_unref(event);
	fixture_end(&owner);
}
END_TEST

START_TEST(the_event_of_the_end_has_no_namespace)
{
	struct portwatch_event *event = event_of(getpid());

	event->netns = sandbox_netns(0);
	event->listener.family = 0;
	ck_assert_int_eq(portwatch_event_open_netns(event), -EINVAL);
	ck_assert_int_eq(portwatch_event_open_netns(NULL), -EINVAL);
	portwatch_event_unref(event);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("owner");
	TCase *properties = tcase_create("properties"), *none = tcase_create("none");
	TCase *netns = tcase_create("netns");

	tcase_add_test(properties, the_command_line);
	tcase_add_test(properties, a_long_command_line_is_cut);
	tcase_add_test(properties, the_effective_user);
	tcase_add_test(properties, the_cgroup);
	tcase_add_test(properties, the_real_cgroup);
	tcase_add_test(properties, an_answer_is_kept);
	tcase_add_test(properties, threads_get_the_same_answer);
	suite_add_tcase(suite, properties);
	tcase_add_test(none, the_properties_of_an_unknown_owner_are_unknown);
	tcase_add_test(none, the_properties_of_a_dead_owner_are_not_read);
	tcase_add_test(none, an_owner_is_not_mistaken_for_another);
	suite_add_tcase(suite, none);
	tcase_add_test(netns, the_namespace_of_the_owner);
	tcase_add_test(netns, the_namespace_is_that_of_the_socket);
	tcase_add_test(netns, a_refusal_is_reported);
	tcase_add_test(netns, the_event_of_the_end_has_no_namespace);
	suite_add_tcase(suite, netns);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
