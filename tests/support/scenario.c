/* SPDX-License-Identifier: MIT */
/* scenario.c - the short life of a watcher, during which one call may fail */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/caps.h"
#include "check_main.h"
#include "loopback.h"
#include "process_list.h"
#include "puppet.h"
#include "patience.h"
#include "scenario.h"
#include "skip.h"
#include "wrap_errors.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define END PORTWATCH_EVENT_END

/* In milliseconds of the library's time, which is faster than real time while the library waits. */
#define INTERVAL 100
#define HASTE patience_haste(20)
/* A start has a deadline, which a busy machine may miss when time is faster. Each further attempt
 * divides the speed of time by this factor. */
#define CALM 5

#define FOREIGN_PORT 8000

static bool lowered;

struct stage {
	struct fixture root;
	struct fixture_socket stable; /* in root, open from beginning to end */
	struct fixture foreign;       /* its child, in another namespace, with FOREIGN_PORT open */
};

static bool set_table_size(void)
{
	int fd = open("/proc/sys/net/ipv4/tcp_child_ehash_entries", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, "64", 2) == 2;

	if (fd >= 0)
		close(fd);
	return done;
}

static void make_tables_small(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return;
	if (set_table_size())
		ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(loopback_up(), 0);
	set_table_size();
}

static void lower_capabilities(void)
{
	cap_t caps = cap_get_proc();

	ck_assert_ptr_nonnull(caps);
	ck_assert_int_eq(cap_clear_flag(caps, CAP_EFFECTIVE), 0);
	ck_assert_int_eq(cap_set_proc(caps), 0);
	cap_free(caps);
}

static bool has_raised(const char *thread)
{
	char path[300], line[256];
	unsigned long long effective = 1;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", thread);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status) &&
	       sscanf(line, "CapEff: %llx", &effective) != 1)
		continue;
	if (status)
		fclose(status);
	return status && effective;
}

static bool all_lowered(void *unused)
{
	DIR *threads = opendir("/proc/self/task");
	struct dirent *entry;
	bool raised = false;

	(void)unused;
	ck_assert_ptr_nonnull(threads);
	while ((entry = readdir(threads)))
		raised |= entry->d_name[0] != '.' && has_raised(entry->d_name);
	closedir(threads);
	return !raised;
}

void scenario_prepare(struct way way, bool lower)
{
	if (lower && !caps_effective(CAP_SYS_ADMIN))
		test_skip("there are no capabilities to lower");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (geteuid() != 0 && way.table == PORTWATCH_TABLE_PROCFS)
		sandbox_enter();
	make_tables_small();
	if (lower)
		lower_capabilities();
	lowered = lower;
}

static struct stage set_up(void)
{
	/* If we have no privilege, the scenario takes place in a user namespace. */
	struct stage stage = {.root = fixture_start(geteuid() == 0 ? 0 : SANDBOX_USERNS)};

	stage.stable = fixture_listen(&stage.root, "127.0.0.1", 0);
	stage.foreign = fixture_fork(&stage.root);
	fixture_unshare(&stage.foreign);
	fixture_listen(&stage.foreign, "0.0.0.0", FOREIGN_PORT);
	return stage;
}

static int start(struct collect *collect, const struct stage *stage, struct way way)
{
	int result;

	result = wrap_inside(
		portwatch_new(&collect->watcher, stage->root.pid, collect_event, collect));
	if (result < 0) {
		collect->watcher = NULL;
		return result;
	}
	portwatch_set_events(collect->watcher, OPEN | CLOSE | END);
	portwatch_set_interval(collect->watcher, INTERVAL);
	portwatch_set_log(collect->watcher, PORTWATCH_LOG_DEBUG, collect_message);
	portwatch_set_reader(collect->watcher, way.reader);
	portwatch_set_table(collect->watcher, way.table);
	portwatch_set_notifier(collect->watcher, way.notifier);
	portwatch_set_delivery(collect->watcher, way.delivery);
	result = wrap_inside(portwatch_start(collect->watcher));
	collect->dispatches = result == 0 && way.delivery == PORTWATCH_DELIVERY_DISPATCH;
	return result;
}

/* Waits with real time, because the release waits for the exit of helpers, which takes long on a
 * busy machine. */
static void release(struct collect *collect)
{
	wrap_hasten(1);
	wrap_enter(true);
	portwatch_free(collect->watcher);
	wrap_enter(false);
	collect->watcher = NULL;
}

/* A watcher whose start fails can only be freed. The start of the next watcher succeeds. */
static bool start_until_it_works(struct collect *collect, const struct stage *stage, struct way way)
{
	unsigned int haste = HASTE;
	bool struck = false;
	int result;

	while ((result = start(collect, stage, way)) != 0) {
		bool slow = result == -ETIMEDOUT && haste > 1;

		ck_assert_int_lt(result, 0);
		ck_assert_msg(slow || (wrap_struck() > 0 && !struck), "start: %s",
		              strerror(-result));
		struck = wrap_struck() > 0;
		haste = slow && haste > CALM ? haste / CALM : slow ? 1 : haste;
		release(collect);
		wrap_hasten(haste);
		collect_free(collect);
		collect_init(collect);
	}
	wrap_hasten(HASTE);
	return !struck;
}

static void open_and_close(struct collect *collect, const struct stage *stage)
{
	struct fixture_socket ours = fixture_listen(&stage->root, "127.0.0.1", 0);
	struct fixture_socket theirs = fixture_listen(&stage->foreign, "::1", 0);

	collect_wait(collect, OPEN, "127.0.0.1", ours.port);
	collect_wait(collect, OPEN, "::1", theirs.port);
	fixture_close(&stage->root, ours);
	fixture_close(&stage->foreign, theirs);
	collect_wait(collect, CLOSE, "127.0.0.1", ours.port);
	collect_wait(collect, CLOSE, "::1", theirs.port);
}

/* Kills a helper, if there is one; the library then replaces the helper. */
static void kill_helper(struct collect *collect, const struct stage *stage)
{
	const pid_t known[] = {stage->root.pid, 0};
	pid_t helper = process_other_child(known);
	struct fixture_socket socket;

	if (helper)
		kill(helper, SIGKILL);
	socket = fixture_listen(&stage->foreign, "127.0.0.1", 0);
	collect_wait(collect, OPEN, "127.0.0.1", socket.port);
	fixture_close(&stage->foreign, socket);
	collect_wait(collect, CLOSE, "127.0.0.1", socket.port);
}

static void end_process(struct fixture *fixture)
{
	fixture_end(fixture);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
}

static void fork_and_end(struct collect *collect, struct stage *stage)
{
	struct fixture child = fixture_fork(&stage->root);
	struct fixture_socket socket = fixture_listen(&child, "0.0.0.0", 0);
	struct collected event = collect_wait(collect, OPEN, "0.0.0.0", socket.port);

	ck_assert_msg(event.pid == child.pid || event.pid == 0, "PID %d reported for %d",
	              (int)event.pid, (int)child.pid);
	ck_assert_uint_eq(collect_count(collect, CLOSE, "0.0.0.0", FOREIGN_PORT), 0);
	end_process(&stage->foreign);
	collect_wait(collect, CLOSE, "0.0.0.0", FOREIGN_PORT);
	end_process(&child);
	collect_wait(collect, CLOSE, "0.0.0.0", socket.port);
}

/* Waits until the watcher has recovered after the fault. */
static void recover(struct collect *collect, const struct stage *stage)
{
	struct fixture_socket last = fixture_listen(&stage->root, "127.0.0.1", 0);

	collect_wait(collect, OPEN, "127.0.0.1", last.port);
	collect_wait(collect, OPEN, "127.0.0.1", stage->stable.port);
	collect_wait(collect, OPEN, "0.0.0.0", FOREIGN_PORT);
	ck_assert_uint_eq(collect_count(collect, CLOSE, "127.0.0.1", stage->stable.port), 0);
	ck_assert_uint_eq(collect_count(collect, CLOSE, NULL, 0), 5);
	ck_assert_uint_eq(collect_count(collect, END, NULL, 0), 0);
}

/* The helpers exit before portwatch_free() returns. A process that a killed shell behind nsenter
 * has started exits a moment later and becomes our child. */
static void check_nothing_left(size_t descriptors)
{
	if (process_descriptors() != descriptors)
		process_show();
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	ck_assert_uint_eq(process_children(), 0);
	ck_assert_uint_eq(process_descriptors(), descriptors);
}

bool scenario_run(struct way way, const struct scenario_fault *fault)
{
	size_t descriptors = process_descriptors();
	struct collect collect;
	struct stage stage;
	bool started;

	stage = set_up();
	collect_init(&collect);
	wrap_reset();
	wrap_hasten(HASTE);
	if (fault->call)
		wrap_fail_by(fault->call, fault->where, fault->nth, fault->way);
	started = start_until_it_works(&collect, &stage, way);
	collect_wait(&collect, OPEN, "127.0.0.1", stage.stable.port);
	collect_wait(&collect, OPEN, "0.0.0.0", FOREIGN_PORT);
	open_and_close(&collect, &stage);
	kill_helper(&collect, &stage);
	fork_and_end(&collect, &stage);
	recover(&collect, &stage);
	ck_assert_msg(!lowered || wait_until(all_lowered, NULL), "a capability is still raised");
	release(&collect);
	collect_free(&collect);
	end_process(&stage.root);
	check_nothing_left(descriptors);
	return started;
}
