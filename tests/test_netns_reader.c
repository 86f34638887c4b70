/* SPDX-License-Identifier: MIT */
/* test_netns_reader.c - which reader reads a namespace, and which one follows after a failure
 *
 * The test has the place of the readers and of the observer. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/check_main.h"
#include "table/step.h"
#include "util/clock.h"
#include "util/fd.h"
#include "util/spawn.h"
#include "watch/netns_reader.h"

#define SETNS PORTWATCH_READER_SETNS
#define NSENTER PORTWATCH_READER_NSENTER
#define PROCFS PORTWATCH_READER_PROCFS
#define LOCAL PORTWATCH_READER_LOCAL

/* --- the readers */

enum { READERS = PORTWATCH_READER_PROCFS + 1, OPENED_MAX = 64 };

/* A reader that is open. */
struct fake {
	enum portwatch_reader kind;
	pid_t pid;
	bool closes;
	bool open;
};

static struct fake fakes[OPENED_MAX];
static size_t opened;                   /* how many were opened or refused */
static struct failure refusal[READERS]; /* why a kind cannot be opened */
static struct failure table_failure;
static uint64_t cookie;
static int reports;
static int source_fd; /* on which the next reader answers */

int __wrap_reader_open(struct reader **reader, enum portwatch_reader kind,
                       enum portwatch_table table, const struct reader_target *target,
                       struct failure *failure);
void __wrap_reader_close(struct reader *reader, struct child *child);
int __wrap_reader_fd(const struct reader *reader);
pid_t __wrap_reader_pid(const struct reader *reader);
int __wrap_reader_reports_closed(const struct reader *reader);
uint64_t __wrap_reader_cookie(const struct reader *reader);
enum portwatch_table __wrap_reader_table(const struct reader *reader);
struct failure __wrap_reader_table_failure(const struct reader *reader);

int __wrap_reader_open(struct reader **reader, enum portwatch_reader kind,
                       enum portwatch_table table, const struct reader_target *target,
                       struct failure *failure)
{
	struct fake *fake = &fakes[opened++];

	ck_assert_uint_le(opened, OPENED_MAX);
	ck_assert_int_eq(table, PORTWATCH_TABLE_AUTO);
	*failure = refusal[kind];
	*reader = NULL;
	*fake = (struct fake){.kind = kind, .closes = target->closes};
	if (failure->error)
		return -failure->error;
	fake->open = true;
	/* No process has such a PID. */
	fake->pid = kind == SETNS || kind == NSENTER ? 0x7f0000 + (pid_t)opened : 0;
	*reader = (struct reader *)fake;
	return 0;
}

void __wrap_reader_close(struct reader *reader, struct child *child)
{
	struct fake *fake = (struct fake *)reader;

	ck_assert(fake->open);
	fake->open = false;
	*child = (struct child){0, -1};
}

int __wrap_reader_fd(const struct reader *reader)
{
	(void)reader;
	return source_fd;
}

pid_t __wrap_reader_pid(const struct reader *reader)
{
	return ((const struct fake *)reader)->pid;
}

int __wrap_reader_reports_closed(const struct reader *reader)
{
	(void)reader;
	return reports;
}

uint64_t __wrap_reader_cookie(const struct reader *reader)
{
	(void)reader;
	return cookie;
}

enum portwatch_table __wrap_reader_table(const struct reader *reader)
{
	(void)reader;
	return table_failure.error ? PORTWATCH_TABLE_PROCFS : PORTWATCH_TABLE_DIAG;
}

struct failure __wrap_reader_table_failure(const struct reader *reader)
{
	(void)reader;
	return table_failure;
}

/* --- the observer */

static int enter_result, descriptor;
static bool closes_wanted;
static unsigned int exhausted;
static char messages[16384];
static enum portwatch_log_level level; /* of the last one */

static int enter(void *data, struct netns *ns, struct reader_target *target)
{
	(void)data, (void)ns;
	target->descriptor = descriptor;
	return enter_result;
}

static bool wants_closes(void *data, const struct netns *ns)
{
	(void)data, (void)ns;
	return closes_wanted;
}

static void note_exhausted(void *data, struct netns *ns)
{
	(void)data, (void)ns;
	exhausted++;
}

static void note_message(void *data, struct netns *ns, enum portwatch_log_level of,
                         const char *text)
{
	size_t used = strlen(messages);

	(void)data, (void)ns;
	level = of;
	snprintf(messages + used, sizeof(messages) - used, "%s\n", text);
}

static size_t count_messages(const char *part)
{
	size_t count = 0;

	for (const char *at = messages; (at = strstr(at, part)); at++)
		count++;
	return count;
}

static struct turn *no_turn(void *data, const struct netns *ns)
{
	(void)data, (void)ns;
	return NULL;
}

static const struct netns_observer observer = {
	.exhausted = note_exhausted,
	.log = note_message,
	.enter = enter,
	.wants_closes = wants_closes,
	.turn = no_turn,
};

/* --- the namespaces */

static struct context context;
static struct schedule schedule;
static struct netns_table table;
static struct netns *it;
static uint64_t now;

static struct netns *get(uint64_t ino, enum portwatch_reader forced)
{
	struct netns_id id = {.dev = 1, .ino = ino};
	struct netns *ns = netns_get(&table, &id, forced, PORTWATCH_TABLE_AUTO);

	ck_assert_ptr_nonnull(ns);
	return ns;
}

static void setup(void)
{
	context = (struct context){0};
	ck_assert_int_eq(loop_open(&context.loop), 0);
	schedule = (struct schedule){0};
	memset(refusal, 0, sizeof(refusal));
	refusal[LOCAL] = (struct failure){STEP_LOCAL_NETNS, EXDEV};
	table_failure = (struct failure){0};
	opened = 0;
	cookie = 0;
	reports = 0;
	source_fd = -1;
	enter_result = descriptor = 0;
	closes_wanted = false;
	exhausted = 0;
	messages[0] = '\0';
	now = clock_now(CLOCK_MONOTONIC);
	netns_table_init(&table, &context, &schedule, &observer, NULL);
	it = get(7, PORTWATCH_READER_AUTO);
}

static void teardown(void)
{
	netns_table_clear(&table);
	for (size_t i = 0; i < opened; i++)
		ck_assert(!fakes[i].open);
	loop_close(&context.loop);
}

/* A first complete read. */
static void work(struct netns *ns)
{
	ns->reads++;
	netns_reader_works(ns, now);
}

static void open_and_work(struct netns *ns)
{
	ck_assert(netns_open_reader(ns));
	work(ns);
}

static void break_reader(struct netns *ns)
{
	netns_reader_broke(ns, (struct failure){STEP_ANSWER, EPIPE}, now);
	ck_assert_ptr_null(ns->reader);
}

/* --- the first reader */

START_TEST(the_best_that_can_be_opened)
{
	static const enum portwatch_reader order[] = {LOCAL, SETNS, NSENTER, PROCFS};

	for (size_t last = 0; last < 4; last++) {
		struct netns *ns = get(100 + last, PORTWATCH_READER_AUTO);

		opened = 0;
		for (size_t i = 0; i < 4; i++)
			refusal[order[i]] = i < last ? (struct failure){STEP_SETNS, EPERM}
			                             : (struct failure){0};
		ck_assert(netns_open_reader(ns));
		ck_assert_uint_eq(opened, last + 1);
		for (size_t i = 0; i <= last; i++)
			ck_assert_int_eq(fakes[i].kind, order[i]);
		/* It counts when it has read. */
		ck_assert_int_eq(netns_reader(ns), PORTWATCH_READER_AUTO);
		work(ns);
		ck_assert_int_eq(netns_reader(ns), order[last]);
		netns_free(ns);
	}
}
END_TEST

START_TEST(no_reader_can_be_opened)
{
	for (int kind = LOCAL; kind <= PROCFS; kind++)
		refusal[kind] = (struct failure){STEP_OPEN_TEXT, EACCES};
	ck_assert(!netns_open_reader(it));
	ck_assert_uint_eq(opened, 4);
	ck_assert_int_eq(it->failure.error, EACCES);
	ck_assert_ptr_eq(it->failure.step, STEP_OPEN_TEXT);
	ck_assert_int_eq(netns_reader(it), PORTWATCH_READER_AUTO);
}
END_TEST

/* A reader that the host has chosen has no substitute. */
START_TEST(only_the_chosen_one)
{
	struct netns *ns = get(7, LOCAL);

	ck_assert(!netns_open_reader(ns));
	ck_assert_uint_eq(opened, 1);
	ck_assert_int_eq(fakes[0].kind, LOCAL);
	/* Here, the reason is worth a word. */
	ck_assert_ptr_nonnull(strstr(ns->reason, "local"));
	ck_assert_int_eq(ns->failure.error, EXDEV);
	netns_free(ns);
	ns = get(8, NSENTER);
	open_and_work(ns);
	ck_assert_int_eq(netns_reader(ns), NSENTER);
	ck_assert_uint_eq(ns->improve, UINT64_MAX);
	netns_free(ns);
}
END_TEST

START_TEST(the_reader_is_logged_once_with_its_reasons)
{
	refusal[SETNS] = (struct failure){STEP_OPEN_NETNS, EACCES};
	table_failure = (struct failure){STEP_OPEN_DIAG, ENOENT};
	refusal[NSENTER] = (struct failure){STEP_NSENTER_FIND, ENOENT};
	open_and_work(it);
	ck_assert_int_eq(level, PORTWATCH_LOG_INFO);
	ck_assert_uint_eq(count_messages("read by the procfs reader, procfs table, because "), 1);
	ck_assert_uint_eq(count_messages(STEP_OPEN_NETNS), 1);
	ck_assert_uint_eq(count_messages(STEP_NSENTER_FIND), 1);
	ck_assert_uint_eq(count_messages(STEP_OPEN_DIAG), 1);
	/* It is always true of other namespaces that they are not ours. */
	ck_assert_uint_eq(count_messages("local"), 0);
	netns_close_reader(it);
	open_and_work(it);
	ck_assert_uint_eq(count_messages("read by"), 1);
	/* The better form works now. */
	table_failure = (struct failure){0};
	netns_close_reader(it);
	open_and_work(it);
	ck_assert_uint_eq(count_messages("procfs reader, diag table, because "), 1);
	ck_assert_ptr_null(strstr(it->reason, STEP_OPEN_DIAG));
	ck_assert_ptr_nonnull(strstr(it->reason, STEP_OPEN_NETNS));
}
END_TEST

START_TEST(the_best_needs_no_reason)
{
	reports = 1;
	open_and_work(it);
	ck_assert_str_eq(it->reason, "");
	ck_assert_uint_eq(count_messages("read by the setns reader, diag table; the kernel "
	                                 "reports closed sockets"),
	                  1);
	ck_assert_uint_eq(it->improve, UINT64_MAX);
	ck_assert_int_eq(it->table, PORTWATCH_TABLE_DIAG);
}
END_TEST

/* A cookie that is unknown for once is not forgotten. */
START_TEST(the_cookie_stays)
{
	cookie = 4711;
	open_and_work(it);
	ck_assert_uint_eq(it->cookie, 4711);
	cookie = 0;
	work(it);
	ck_assert_uint_eq(it->cookie, 4711);
}
END_TEST

START_TEST(a_reader_is_waited_for)
{
	int ready = fd_own(eventfd(1, EFD_CLOEXEC));

	source_fd = ready;
	ck_assert(netns_open_reader(it));
	ck_assert_int_eq(it->source.fd, ready);
	netns_close_reader(it);
	ck_assert_int_eq(it->source.fd, -1);
	/* If epoll refuses one, the next one takes its place. */
	source_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	refusal[NSENTER] = refusal[PROCFS] = (struct failure){STEP_OPEN_TEXT, EACCES};
	ck_assert(!netns_open_reader(it));
	ck_assert_ptr_nonnull(strstr(it->reason, "epoll_ctl"));
	ck_assert_ptr_null(it->reader);
	close(source_fd);
	fd_close(ready);
}
END_TEST

/* --- the way into the namespace */

START_TEST(a_namespace_without_a_process)
{
	enter_result = -ESRCH;
	ck_assert(!netns_open_reader(it));
	ck_assert_uint_eq(opened, 0);
	ck_assert_ptr_eq(it->failure.step, STEP_FIND_PROCESS);
	ck_assert_int_eq(it->failure.error, ESRCH);
	/* This is no fault. */
	netns_exhaust(it, now);
	ck_assert_str_eq(messages, "");
	ck_assert_uint_eq(exhausted, 1);
}
END_TEST

START_TEST(the_way_cannot_be_determined)
{
	enter_result = -EMFILE;
	ck_assert(!netns_open_reader(it));
	ck_assert_uint_eq(opened, 0);
	ck_assert_int_eq(it->failure.error, EMFILE);
	netns_exhaust(it, now);
	ck_assert_int_eq(level, PORTWATCH_LOG_WARNING);
	ck_assert_uint_eq(count_messages("cannot be read, trying again"), 1);
	ck_assert_uint_eq(count_messages(STEP_FIND_PROCESS), 1);
}
END_TEST

START_TEST(the_descriptor_of_the_target_is_closed)
{
	unsigned int room = fd_room();

	for (int i = 0; i < 2; i++) {
		descriptor = fd_own(dup(STDERR_FILENO));
		enter_result = i ? -EMFILE : 0;
		netns_open_reader(it);
		ck_assert_uint_eq(fd_room(), room);
		netns_close_reader(it);
	}
}
END_TEST

START_TEST(reports_of_closed_sockets)
{
	uint64_t delay = 0;

	open_and_work(it);
	ck_assert(!fakes[opened - 1].closes);
	closes_wanted = true;
	netns_close_reader(it);
	open_and_work(it);
	ck_assert(fakes[opened - 1].closes);
	reports = 1;
	ck_assert_int_eq(netns_reports_closed(it), 1);
	/* They are too many: without them, for a longer time each time. */
	for (int i = 0; i < 12; i++) {
		uint64_t before = delay;

		netns_silence_closes(it, now);
		ck_assert_ptr_null(it->reader);
		ck_assert(it->again);
		ck_assert_int_eq(netns_reports_closed(it), -EBUSY);
		delay = it->closes_retry - now;
		ck_assert(i == 0 || delay == 2 * before || delay == 3600 * NSEC_PER_SEC);
		open_and_work(it);
		ck_assert(!fakes[opened - 1].closes);
	}
	ck_assert_uint_eq(delay, 3600 * NSEC_PER_SEC);
	it->closes_retry = 0;
	netns_close_reader(it);
	open_and_work(it);
	ck_assert(fakes[opened - 1].closes);
}
END_TEST

/* --- after a failure */

START_TEST(a_reader_that_never_worked_is_replaced_at_once)
{
	ck_assert(netns_open_reader(it));
	break_reader(it);
	ck_assert_uint_eq(it->next, now);
	ck_assert(netns_open_reader(it));
	ck_assert_int_eq(fakes[opened - 1].kind, NSENTER);
	work(it);
	ck_assert_uint_eq(count_messages("nsenter reader, diag table, because setns: cannot get an "
	                                 "answer"),
	                  1);
	ck_assert_uint_eq(context.stats[PORTWATCH_STAT_RESTARTS], 0);
}
END_TEST

START_TEST(a_reader_that_has_worked_is_reopened)
{
	uint64_t pause = 0;
	unsigned int restarts = 0;

	open_and_work(it);
	for (;;) {
		break_reader(it);
		ck_assert(netns_open_reader(it));
		if (fakes[opened - 1].kind != SETNS)
			break;
		restarts++;
		/* The first time at once, then after pauses that grow. */
		ck_assert(restarts == 1 ? it->next == now : it->next - now > pause);
		pause = it->next - now;
		ck_assert_uint_lt(restarts, 10);
	}
	ck_assert_uint_ge(restarts, 4);
	ck_assert_int_eq(fakes[opened - 1].kind, NSENTER);
	ck_assert_uint_eq(context.stats[PORTWATCH_STAT_RESTARTS], restarts);
	/* The same text is not repeated. */
	ck_assert_uint_eq(count_messages("the setns reader is started again"), 1);
}
END_TEST

/* Failures count only if they follow each other soon. */
START_TEST(a_reliable_reader_is_not_replaced)
{
	for (int i = 0; i < 20; i++) {
		ck_assert(netns_open_reader(it));
		ck_assert_int_eq(fakes[opened - 1].kind, SETNS);
		ck_assert(!netns_is_reliable(it, now));
		work(it);
		ck_assert(!netns_is_reliable(it, it->opened + NSEC_PER_SEC));
		now = it->opened + 11 * NSEC_PER_SEC;
		ck_assert(netns_is_reliable(it, now));
		break_reader(it);
		ck_assert_uint_eq(it->next, now);
	}
}
END_TEST

/* The process through which the namespace was entered has exited: another one is chosen. */
START_TEST(an_exit_is_not_a_warning)
{
	open_and_work(it);
	netns_reader_broke(it, (struct failure){STEP_CHECK_NETNS, ENOENT}, now);
	ck_assert_int_eq(level, PORTWATCH_LOG_DEBUG);
	ck_assert_uint_eq(count_messages("started again"), 1);
	open_and_work(it);
	netns_reader_broke(it, (struct failure){STEP_REACH_NETNS, ESTALE}, now);
	ck_assert_int_eq(level, PORTWATCH_LOG_DEBUG);
	open_and_work(it);
	netns_reader_broke(it, (struct failure){STEP_NSENTER_FIND, ENOENT}, now);
	ck_assert_int_eq(level, PORTWATCH_LOG_WARNING);
}
END_TEST

START_TEST(after_the_last_the_best_follows)
{
	uint64_t pause = 0;

	for (int kind = LOCAL; kind <= PROCFS; kind++)
		refusal[kind] = (struct failure){STEP_OPEN_TEXT, EACCES};
	for (unsigned int i = 1; i <= 20; i++) {
		opened = 0;
		ck_assert(!netns_open_reader(it));
		ck_assert_uint_eq(opened, 4);
		ck_assert_int_eq(fakes[0].kind, LOCAL);
		netns_exhaust(it, now);
		ck_assert(it->exhausted);
		ck_assert_uint_eq(exhausted, i);
		/* The pauses double, up to a limit. */
		ck_assert(i == 1 || it->next - now == 2 * pause ||
		          it->next - now == 30 * NSEC_PER_SEC);
		pause = it->next - now;
		ck_assert_uint_gt(pause, 0);
	}
	ck_assert_uint_eq(pause, 30 * NSEC_PER_SEC);
	ck_assert_uint_eq(count_messages("cannot be read"), 1);
	refusal[SETNS] = (struct failure){0};
	open_and_work(it);
	ck_assert(!it->exhausted);
}
END_TEST

START_TEST(a_better_one_is_tried_again)
{
	uint64_t delay = 0;

	refusal[SETNS] = (struct failure){STEP_OPEN_NETNS, EACCES};
	for (int i = 0; i < 12; i++) {
		uint64_t before = delay;

		it->kind = 0;
		open_and_work(it);
		ck_assert_int_eq(netns_reader(it), NSENTER);
		delay = it->improve - now;
		ck_assert(i == 0 ? delay == 60 * NSEC_PER_SEC
		                 : delay == 2 * before || delay >= 3600 * NSEC_PER_SEC);
		netns_close_reader(it);
	}
	/* No longer than two hours. */
	ck_assert_uint_lt(delay, 7201 * NSEC_PER_SEC);
	refusal[SETNS] = (struct failure){0};
	it->kind = 0;
	open_and_work(it);
	ck_assert_uint_eq(it->improve, UINT64_MAX);
}
END_TEST

START_TEST(a_warning_is_not_repeated)
{
	netns_warn_once(it, "one");
	netns_warn_once(it, "one");
	ck_assert_int_eq(level, PORTWATCH_LOG_WARNING);
	netns_warn_once(it, "two");
	netns_log(it, PORTWATCH_LOG_DEBUG, "%s", "three");
	netns_warn_once(it, "two");
	netns_warn_once(it, "one");
	ck_assert_str_eq(messages, "one\ntwo\nthree\none\n");
}
END_TEST

/* --- helpers */

START_TEST(a_helper_is_known_by_its_pid)
{
	pid_t pid;

	open_and_work(it);
	pid = fakes[opened - 1].pid;
	ck_assert(netns_table_has_helper(&table, pid));
	ck_assert_uint_eq(context.stats[PORTWATCH_STAT_HELPERS], 1);
	netns_close_reader(it);
	ck_assert(!netns_table_has_helper(&table, pid));
	ck_assert_int_eq(netns_reader(it), PORTWATCH_READER_AUTO);
	/* It may be closed twice. */
	netns_close_reader(it);
	/* Other readers have none. */
	refusal[SETNS] = refusal[NSENTER] = (struct failure){STEP_SETNS, EPERM};
	open_and_work(it);
	ck_assert_uint_eq(context.stats[PORTWATCH_STAT_HELPERS], 1);
	ck_assert(!netns_table_has_helper(&table, 0));
}
END_TEST

/* The one that was used longest ago gives up its helper, and keeps all that it has read. */
START_TEST(helpers_are_limited)
{
	struct netns *all[4];

	table.helpers_max = 3;
	for (size_t i = 0; i < 4; i++)
		all[i] = get(100 + i, PORTWATCH_READER_AUTO);
	for (size_t i = 0; i < 3; i++) {
		ck_assert(netns_make_room(all[i]));
		open_and_work(all[i]);
	}
	netns_note_use(all[0]);
	ck_assert(netns_make_room(all[3]));
	ck_assert_ptr_null(all[1]->reader);
	ck_assert(all[1]->parked);
	ck_assert_int_eq(netns_reader(all[1]), SETNS);
	ck_assert_ptr_nonnull(all[0]->reader);
	ck_assert_ptr_nonnull(all[2]->reader);
	open_and_work(all[3]);
	/* Those that are being read keep theirs. */
	all[2]->pending = true;
	ck_assert(netns_make_room(all[1]));
	ck_assert_ptr_null(all[0]->reader);
	open_and_work(all[1]);
	ck_assert(!all[1]->parked);
	all[1]->pending = all[3]->pending = true;
	ck_assert(!netns_make_room(all[0]));
	for (size_t i = 1; i < 4; i++) {
		ck_assert_ptr_nonnull(all[i]->reader);
		all[i]->pending = false;
	}
	for (size_t i = 0; i < 4; i++)
		netns_free(all[i]);
}
END_TEST

/* Without any helper the limit is no obstacle. */
START_TEST(one_helper_is_always_allowed)
{
	table.helpers_max = 0;
	ck_assert(netns_make_room(it));
}
END_TEST

static TCase *make_failures(void)
{
	TCase *failures = tcase_create("failures");

	tcase_add_checked_fixture(failures, setup, teardown);
	tcase_add_test(failures, a_reader_that_never_worked_is_replaced_at_once);
	tcase_add_test(failures, a_reader_that_has_worked_is_reopened);
	tcase_add_test(failures, a_reliable_reader_is_not_replaced);
	tcase_add_test(failures, an_exit_is_not_a_warning);
	tcase_add_test(failures, after_the_last_the_best_follows);
	tcase_add_test(failures, a_better_one_is_tried_again);
	tcase_add_test(failures, a_warning_is_not_repeated);
	return failures;
}

static Suite *make(void)
{
	Suite *suite = suite_create("netns_reader");
	TCase *first = tcase_create("first"), *ways = tcase_create("ways");
	TCase *helpers = tcase_create("helpers");

	tcase_add_checked_fixture(first, setup, teardown);
	tcase_add_test(first, the_best_that_can_be_opened);
	tcase_add_test(first, no_reader_can_be_opened);
	tcase_add_test(first, only_the_chosen_one);
	tcase_add_test(first, the_reader_is_logged_once_with_its_reasons);
	tcase_add_test(first, the_best_needs_no_reason);
	tcase_add_test(first, the_cookie_stays);
	tcase_add_test(first, a_reader_is_waited_for);
	suite_add_tcase(suite, first);
	tcase_add_checked_fixture(ways, setup, teardown);
	tcase_add_test(ways, a_namespace_without_a_process);
	tcase_add_test(ways, the_way_cannot_be_determined);
	tcase_add_test(ways, the_descriptor_of_the_target_is_closed);
	tcase_add_test(ways, reports_of_closed_sockets);
	suite_add_tcase(suite, ways);
	suite_add_tcase(suite, make_failures());
	tcase_add_checked_fixture(helpers, setup, teardown);
	tcase_add_test(helpers, a_helper_is_known_by_its_pid);
	tcase_add_test(helpers, helpers_are_limited);
	tcase_add_test(helpers, one_helper_is_always_allowed);
	suite_add_tcase(suite, helpers);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
