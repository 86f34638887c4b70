/* SPDX-License-Identifier: MIT */
/* test_kernel_events.c - which namespaces, trees and subscriptions a kernel event concerns, and
 * when the notifier is open
 *
 * The test has the place of the notifier, and of the modules that locate processes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proc/process_scan.h"
#include "support/check_main.h"
#include "support/subscriber.h"
#include "watch/elsewhere.h"
#include "watch/kernel_events.h"
#include "watch/placement.h"
#include "watch/unseen.h"

/* --- the notifier */

struct notifier {
	int fd;
	bool open;
};

enum { NOTIFIERS = 16 };

static struct notifier notifiers[NOTIFIERS];
static size_t opened;
static const struct notifier_hooks *hooks;
static void *hooks_data;
static struct failure refusal;                 /* of notifier_open() */
static enum notifier_way ways[NOTIFIER_KINDS]; /* in use */
static struct failure failures[NOTIFIER_WAYS];
static bool waitable, more, behind, unapplied;
static unsigned int drained, widened, resets, applied;
static pid_t kept[8];
static size_t kept_count;

int __wrap_notifier_open(struct notifier **notifier, const struct notifier_hooks *with, void *data,
                         unsigned int wanted, struct failure *failure);
void __wrap_notifier_close(struct notifier *notifier);
enum notifier_way __wrap_notifier_way(const struct notifier *notifier, enum notifier_kind kind);
struct failure __wrap_notifier_failure(const struct notifier *notifier, enum notifier_way way);
int __wrap_notifier_fd(const struct notifier *notifier);
void __wrap_notifier_keep(struct notifier *notifier, pid_t pid);
void __wrap_notifier_widen(struct notifier *notifier);
void __wrap_notifier_reset(struct notifier *notifier);
bool __wrap_notifier_is_unapplied(const struct notifier *notifier);
void __wrap_notifier_apply(struct notifier *notifier, pid_t last);
bool __wrap_notifier_drain(struct notifier *notifier, unsigned int records);
bool __wrap_notifier_is_behind(const struct notifier *notifier);

int __wrap_notifier_open(struct notifier **notifier, const struct notifier_hooks *with, void *data,
                         unsigned int wanted, struct failure *failure)
{
	ck_assert_uint_eq(wanted, NOTIFIER_ALL_WAYS);
	ck_assert_uint_lt(opened, NOTIFIERS);
	hooks = with;
	hooks_data = data;
	*notifier = &notifiers[opened++];
	(*notifier)->fd = waitable ? eventfd(0, EFD_CLOEXEC) : open("/dev/null", O_CLOEXEC);
	(*notifier)->open = refusal.error == 0;
	*failure = refusal;
	if (refusal.error)
		close((*notifier)->fd);
	return -refusal.error;
}

void __wrap_notifier_close(struct notifier *notifier)
{
	ck_assert(notifier->open);
	notifier->open = false;
	close(notifier->fd);
}

enum notifier_way __wrap_notifier_way(const struct notifier *notifier, enum notifier_kind kind)
{
	ck_assert(notifier->open);
	return ways[kind];
}

struct failure __wrap_notifier_failure(const struct notifier *notifier, enum notifier_way way)
{
	ck_assert(notifier->open);
	return failures[way];
}

int __wrap_notifier_fd(const struct notifier *notifier)
{
	return notifier->fd;
}

void __wrap_notifier_keep(struct notifier *notifier, pid_t pid)
{
	ck_assert(notifier->open && kept_count < 8);
	kept[kept_count++] = pid;
}

void __wrap_notifier_widen(struct notifier *notifier)
{
	ck_assert(notifier->open);
	widened++;
}

void __wrap_notifier_reset(struct notifier *notifier)
{
	ck_assert(notifier->open);
	kept_count = 0;
	resets++;
}

bool __wrap_notifier_is_unapplied(const struct notifier *notifier)
{
	ck_assert(notifier->open);
	return unapplied;
}

void __wrap_notifier_apply(struct notifier *notifier, pid_t last)
{
	(void)last;
	ck_assert(notifier->open);
	applied++;
}

bool __wrap_notifier_drain(struct notifier *notifier, unsigned int records)
{
	ck_assert(notifier->open);
	ck_assert_uint_gt(records, 0);
	drained++;
	return more;
}

bool __wrap_notifier_is_behind(const struct notifier *notifier)
{
	ck_assert(notifier->open);
	return behind;
}

/* --- the modules that locate processes: what they were asked, one letter for each */

static char calls[64];
static struct netns_id where; /* the namespace that placement_find() finds */
static pid_t looked_at;
static uint64_t ended;

static void note_call(char call)
{
	size_t used = strlen(calls);

	ck_assert_uint_lt(used, sizeof(calls) - 1);
	calls[used] = call;
	calls[used + 1] = '\0';
}

void __wrap_placement_find(struct placement *placement, struct process *process);
void __wrap_placement_update(struct placement *placement);
void __wrap_unseen_listened(struct unseen *unseen, const struct process *process,
                            const struct tcp_change *change);
void __wrap_unseen_ended(struct unseen *unseen, uint64_t socket);
void __wrap_elsewhere_look_at(struct elsewhere *elsewhere, const struct process *process,
                              pid_t tid);

void __wrap_placement_find(struct placement *placement, struct process *process)
{
	(void)placement;
	process->netns = where;
	process->netns_known = true;
	note_call('f');
}

void __wrap_placement_update(struct placement *placement)
{
	(void)placement;
	note_call('u');
}

void __wrap_unseen_listened(struct unseen *unseen, const struct process *process,
                            const struct tcp_change *change)
{
	(void)unseen, (void)process;
	ck_assert(change->listening);
	note_call('l');
}

void __wrap_unseen_ended(struct unseen *unseen, uint64_t socket)
{
	(void)unseen;
	ended = socket;
	note_call('e');
}

void __wrap_elsewhere_look_at(struct elsewhere *elsewhere, const struct process *process, pid_t tid)
{
	(void)elsewhere, (void)process;
	looked_at = tid;
	note_call('t');
}

/* --- one subscription to the tree of 10 and 20 */

static struct subscriber it;
static struct elsewhere elsewhere;
static struct unseen unseen;
static struct placement placement;
static struct kernel_events events;

static void setup(void)
{
	memset(notifiers, 0, sizeof(notifiers));
	memset(failures, 0, sizeof(failures));
	opened = kept_count = 0;
	drained = widened = resets = applied = 0;
	refusal = (struct failure){0};
	ways[NOTIFIER_LISTEN] = NOTIFIER_BPF;
	ways[NOTIFIER_PROCESSES] = NOTIFIER_PERF;
	waitable = true;
	more = behind = unapplied = false;
	calls[0] = '\0';
	where = (struct netns_id){.dev = 1, .ino = 7};
	looked_at = 0;
	ended = 0;
	subscriber_setup(&it);
	ck_assert_int_eq(loop_open(&it.context.loop), 0);
	elsewhere_init(&elsewhere, &it.table);
	unseen_init(&unseen, &elsewhere);
	kernel_events_init(&events, &it.table, &placement, &unseen);
}

static void teardown(void)
{
	kernel_events_clear(&events);
	for (size_t i = 0; i < opened; i++)
		ck_assert(!notifiers[i].open);
	unseen_clear(&unseen);
	elsewhere_clear(&elsewhere);
	subscriber_teardown(&it);
	loop_close(&it.context.loop);
}

static void begin(enum portwatch_scope scope, bool notifier)
{
	struct options options = subscriber_options();

	options.scope = scope;
	options.notifier = notifier;
	fake_proc_directory(&it.fake, "10/fd");
	fake_proc_directory(&it.fake, "20/fd");
	subscriber_begin(&it, &options);
	subscription_advance(it.subscription, it.subscription->created);
	subscriber_place(&it);
	subscriber_read(&it, NULL, 0);
	subscriber_run(&it);
}

static void update(void)
{
	ck_assert_int_eq(kernel_events_update(&events), 0);
}

static void begin_notified(enum portwatch_scope scope)
{
	begin(scope, true);
	update();
	ck_assert_ptr_nonnull(it.context.notifier);
	it.context.forked = it.context.exited = false;
}

/* Another watcher starts: its subscription wants the notifier, too. */
static struct subscription *start_another(void)
{
	struct options options = subscriber_options();
	struct subscription_setup another = {
		.pid = 10, .start_time = 100, .options = options, .outbox = it.outbox};
	struct subscription *subscription;

	another.options.notifier = true;
	it.outbox->references++;
	ck_assert_int_eq(subscription_new(&subscription, &it.table, &another), 0);
	return subscription;
}

static struct process *member(pid_t pid)
{
	return process_table_find(it.context.processes, pid);
}

static void expect_calls(const char *expected)
{
	ck_assert_str_eq(calls, expected);
	calls[0] = '\0';
}

static uint64_t records(void)
{
	return it.context.stats[PORTWATCH_STAT_NOTIFIER_RECORDS];
}

/* --- when the notifier is open */

START_TEST(the_notifier_is_open_while_a_subscription_wants_it)
{
	begin(PORTWATCH_SCOPE_TREE, true);
	it.context.forked = false;
	update();
	ck_assert_ptr_eq(it.context.notifier, &notifiers[0]);
	/* Forks before the first record are found by a scan. */
	ck_assert(it.context.forked);
	ck_assert_uint_eq(subscriber_messages(&it, "the kernel reports listen(2) at once (bpf)"),
	                  1);
	ck_assert_uint_eq(subscriber_messages(&it, "the kernel reports processes at once (perf)"),
	                  1);
	/* Without a change, nothing is done. */
	update();
	it.table.changed = true;
	update();
	ck_assert_uint_eq(opened, 1);
	ck_assert_uint_eq(subscriber_messages(&it, "the kernel reports"), 2);
	it.subscription->state = SUBSCRIPTION_ENDED;
	it.table.changed = true;
	update();
	ck_assert_ptr_null(it.context.notifier);
	ck_assert(!notifiers[0].open);
}
END_TEST

START_TEST(no_subscription_wants_the_notifier)
{
	begin(PORTWATCH_SCOPE_TREE, false);
	update();
	ck_assert_uint_eq(opened, 0);
	ck_assert_ptr_null(it.context.notifier);
	ck_assert_uint_eq(subscriber_messages(&it, "notifier"), 0);
	ck_assert(!kernel_events_is_behind(&events));
	/* All of these are possible without one. */
	kernel_events_drain(&events);
	kernel_events_before_scan(&events);
	kernel_events_after_scan(&events);
	kernel_events_apply(&events, true);
}
END_TEST

/* Each start of a watcher tries again. */
START_TEST(a_refused_notifier_is_tried_again)
{
	struct subscription *another;
	char text[NOTIFIER_TEXT];

	refusal = (struct failure){"make room for a notifier", ENOMEM};
	begin(PORTWATCH_SCOPE_TREE, true);
	update();
	ck_assert_ptr_null(it.context.notifier);
	ck_assert_uint_eq(opened, 1);
	ck_assert_uint_eq(subscriber_messages(&it, "no notifier for listen(2), polling instead: "
	                                           "cannot make room for a notifier"),
	                  1);
	kernel_events_reason(&it.context, NOTIFIER_LISTEN, text);
	ck_assert_ptr_nonnull(strstr(text, "make room for a notifier"));
	it.table.changed = true;
	update();
	ck_assert_uint_eq(opened, 1);
	refusal = (struct failure){0};
	another = start_another();
	update();
	ck_assert_ptr_nonnull(it.context.notifier);
	ck_assert_int_eq(it.context.notifier_failure.error, 0);
	/* The ways have changed for the first one as well. */
	ck_assert_uint_eq(subscriber_messages(&it, "the kernel reports listen(2) at once"), 1);
	subscription_free(another);
}
END_TEST

START_TEST(a_notifier_without_listen_is_opened_again)
{
	struct subscription *another;

	ways[NOTIFIER_LISTEN] = NOTIFIER_NONE;
	failures[NOTIFIER_BPF] = (struct failure){"load a program", EPERM};
	begin(PORTWATCH_SCOPE_TREE, true);
	update();
	ck_assert_uint_eq(subscriber_messages(&it, "no notifier for listen(2), polling instead"),
	                  1);
	ck_assert_uint_eq(subscriber_messages(&it, "bpf: cannot load a program"), 1);
	/* Other changes are no reason. */
	it.table.changed = true;
	update();
	ck_assert_uint_eq(opened, 1);
	another = start_another();
	/* A new one that cannot be opened does not replace the old one. */
	if (_i)
		refusal = (struct failure){"make room for a notifier", ENOMEM};
	update();
	ck_assert_uint_eq(opened, 2);
	ck_assert_ptr_eq(it.context.notifier, &notifiers[_i ? 0 : 1]);
	ck_assert(notifiers[0].open == (_i == 1));
	/* What the old one still had is handled. */
	ck_assert_uint_eq(drained, _i ? 0 : 1);
	subscription_free(another);
}
END_TEST

START_TEST(a_notifier_that_the_loop_refuses_is_closed)
{
	waitable = false;
	begin(PORTWATCH_SCOPE_TREE, true);
	update();
	ck_assert_uint_eq(opened, 1);
	ck_assert_ptr_null(it.context.notifier);
	ck_assert(!notifiers[0].open);
	ck_assert_uint_eq(subscriber_messages(&it, "cannot wait for the notifier"), 2);
}
END_TEST

START_TEST(reasons_belong_to_their_kinds)
{
	char text[NOTIFIER_TEXT];

	begin_notified(PORTWATCH_SCOPE_TREE);
	failures[NOTIFIER_BPF] = (struct failure){"load a program", EPERM};
	failures[NOTIFIER_TRACEPOINT] = (struct failure){"read a number", EACCES};
	failures[NOTIFIER_CONNECTOR] = (struct failure){"bind a socket", EPERM};
	kernel_events_reason(&it.context, NOTIFIER_LISTEN, text);
	ck_assert_ptr_nonnull(strstr(text, "bpf: cannot load a program"));
	ck_assert_ptr_nonnull(strstr(text, "; tracepoint: cannot read a number"));
	ck_assert_ptr_null(strstr(text, "bind a socket"));
	kernel_events_reason(&it.context, NOTIFIER_PROCESSES, text);
	ck_assert_ptr_nonnull(strstr(text, "connector: cannot bind a socket"));
	ck_assert_ptr_null(strstr(text, "bpf"));
	memset(failures, 0, sizeof(failures));
	kernel_events_reason(&it.context, NOTIFIER_LISTEN, text);
	ck_assert_str_eq(text, "");
}
END_TEST

/* --- sockets */

static struct tcp_change change_of(pid_t pid, uint64_t socket, bool listening)
{
	return (struct tcp_change){
		.listening = listening,
		.pid = pid,
		.tid = pid,
		.family = AF_INET,
		.port = 80,
		.socket = socket,
	};
}

static void listened(pid_t pid, uint64_t socket)
{
	struct tcp_change change = change_of(pid, socket, true);

	hooks->changed(hooks_data, &change);
}

static void closed(pid_t pid, uint64_t socket)
{
	struct tcp_change change = change_of(pid, socket, false);

	hooks->changed(hooks_data, &change);
}

static void expect_expected(unsigned int count, unsigned int candidates)
{
	ck_assert_uint_eq(it.ns->expected.count, count);
	ck_assert_uint_eq(it.subscription->owners.candidate_count, candidates);
}

START_TEST(a_member_listens)
{
	begin_notified(PORTWATCH_SCOPE_TREE);
	listened(20, 1);
	/* The process is found before its namespace gets a worker. */
	expect_calls("flu");
	expect_expected(1, 1);
	ck_assert_int_eq(it.ns->expected.list[0].pid, 20);
	ck_assert_int_eq(it.subscription->owners.candidates[0], 20);
	ck_assert_uint_eq(records(), 1);
	closed(20, 1);
	expect_calls("e");
	ck_assert_uint_eq(ended, 1);
	expect_expected(0, 1);
	ck_assert_uint_eq(records(), 2);
}
END_TEST

START_TEST(a_member_lives_elsewhere)
{
	begin_notified(PORTWATCH_SCOPE_TREE);
	where.ino = 8;
	listened(20, 1);
	expect_calls("flu");
	/* The other namespace has no worker. */
	expect_expected(0, 1);
}
END_TEST

/* A socket ends in the process that has its last copy. */
START_TEST(a_socket_of_a_member_is_closed_by_another)
{
	begin_notified(PORTWATCH_SCOPE_TREE);
	listened(20, 1);
	listened(20, 2);
	expect_expected(2, 2);
	closed(4711, 1);
	expect_expected(1, 2);
	ck_assert_uint_eq(records(), 3);
	/* It is not known any more. */
	closed(4711, 1);
	closed(4711, 3);
	expect_expected(1, 2);
	ck_assert_uint_eq(records(), 3);
	closed(0, 2);
	expect_expected(0, 2);
}
END_TEST

/* Makes a process that is no member. Returns the worker of its namespace, which the subscription
 * reads. */
static struct netns *get_netns_of(pid_t pid)
{
	struct netns_id id;
	struct netns *ns;

	fake_proc_add(&it.fake, pid, 1, 300);
	ck_assert_int_eq(procfs_netns_of(&it.context.procfs, pid, &id), 0);
	ns = netns_get(&it.namespaces, &id, PORTWATCH_READER_AUTO, PORTWATCH_TABLE_AUTO);
	ck_assert_ptr_nonnull(view_get(it.subscription, ns));
	return ns;
}

START_TEST(non_members_do_not_count_in_scope_tree)
{
	struct netns *ns;

	begin_notified(PORTWATCH_SCOPE_TREE);
	ns = get_netns_of(30);
	listened(30, 1);
	expect_calls("");
	ck_assert_uint_eq(ns->expected.count, 0);
	expect_expected(0, 0);
	ck_assert_uint_eq(records(), 0);
}
END_TEST

/* In scope netns, non-members count in the namespaces that are read. */
START_TEST(everybody_counts_in_a_namespace)
{
	struct netns *ns;

	begin_notified(PORTWATCH_SCOPE_NETNS);
	ns = get_netns_of(30);
	fake_proc_add(&it.fake, 40, 1, 400);
	fake_proc_netns(&it.fake, 40, "net:2");
	listened(40, 1);
	listened(0, 1);
	listened(50, 1);
	ck_assert_uint_eq(ns->expected.count, 0);
	ck_assert_uint_eq(records(), 0);
	listened(30, 1);
	ck_assert_uint_eq(ns->expected.count, 1);
	ck_assert_int_eq(it.subscription->owners.candidates[0], 30);
	ck_assert_uint_eq(records(), 1);
	closed(30, 1);
	ck_assert_uint_eq(ns->expected.count, 0);
}
END_TEST

/* All records of one drain are older than the drain. */
START_TEST(a_process_is_found_once_in_a_drain)
{
	struct tcp_change change = change_of(20, 3, true);

	begin_notified(PORTWATCH_SCOPE_TREE);
	kernel_events_drain(&events);
	listened(20, 1);
	listened(20, 2);
	expect_calls("flulu");
	kernel_events_drain(&events);
	change.tid = 21;
	hooks->changed(hooks_data, &change);
	expect_calls("fltu");
	ck_assert_int_eq(looked_at, 21);
	/* Each thread may have a namespace of its own. */
	change.tid = 22;
	hooks->changed(hooks_data, &change);
	hooks->changed(hooks_data, &change);
	expect_calls("ltulu");
	ck_assert_int_eq(looked_at, 22);
}
END_TEST

/* --- processes */

START_TEST(a_member_forks)
{
	begin_notified(PORTWATCH_SCOPE_TREE);
	fake_proc_add(&it.fake, 21, 20, 210);
	fake_proc_add(&it.fake, 30, 1, 300);
	ck_assert(hooks->forked(hooks_data, 20, 21));
	ck_assert_ptr_nonnull(member(21));
	ck_assert_uint_eq(records(), 1);
	ck_assert(!hooks->forked(hooks_data, 1, 30));
	ck_assert(!hooks->forked(hooks_data, 0, 30));
	ck_assert_ptr_null(member(30));
	ck_assert_uint_eq(records(), 1);
}
END_TEST

START_TEST(a_member_calls_exec)
{
	struct fake_process *process;

	begin_notified(PORTWATCH_SCOPE_TREE);
	process = fake_proc_find(&it.fake, 20);
	process->name = "another";
	fake_proc_write(&it.fake, process);
	member(20)->netns = where;
	member(20)->netns_known = true;
	/* The burst of the new view is over, and another one is useful where listen(2) is not
	 * reported. */
	list_remove(&it.view->burst.link);
	ways[NOTIFIER_LISTEN] = NOTIFIER_NONE;
	ck_assert(hooks->execed(hooks_data, 20));
	ck_assert_str_eq(member(20)->name, "another");
	ck_assert(!list_empty(&it.ns->bursts));
	ck_assert(!hooks->execed(hooks_data, 30));
	ck_assert_uint_eq(records(), 1);
}
END_TEST

START_TEST(a_member_exits)
{
	begin_notified(PORTWATCH_SCOPE_TREE);
	ck_assert(!hooks->exited(hooks_data, 30));
	ck_assert(!it.context.exited);
	ck_assert(hooks->exited(hooks_data, 20));
	ck_assert(it.context.exited);
	ck_assert_uint_eq(records(), 1);
}
END_TEST

/* Nothing was reported of it before. */
START_TEST(a_member_is_followed)
{
	struct fake_process *process;

	begin_notified(PORTWATCH_SCOPE_TREE);
	process = fake_proc_find(&it.fake, 20);
	process->name = "another";
	fake_proc_write(&it.fake, process);
	hooks->followed(hooks_data, 20);
	ck_assert_str_eq(member(20)->name, "another");
	hooks->followed(hooks_data, 30);
	ck_assert_uint_eq(records(), 0);
}
END_TEST

START_TEST(after_a_loss_everything_is_read)
{
	begin_notified(PORTWATCH_SCOPE_TREE);
	listened(20, 1);
	kernel_events_after_scan(&events);
	ck_assert_uint_eq(resets, 1);
	if (_i)
		ways[NOTIFIER_LISTEN] = NOTIFIER_NONE;
	hooks->lost(hooks_data, 0);
	ck_assert(it.context.forked);
	ck_assert_uint_eq(it.context.stats[PORTWATCH_STAT_NOTIFIER_LOST], 1);
	/* Reports of processes say nothing of sockets. */
	ck_assert(it.ns->expected.overflow == (_i == 0));
	ck_assert_uint_eq(events.known_socket_count, (size_t)_i);
	/* The set of followed processes may lack one. */
	kernel_events_after_scan(&events);
	ck_assert_uint_eq(resets, 2);
}
END_TEST

/* --- drains and scans */

START_TEST(the_set_of_followed_processes_follows_a_scan)
{
	begin_notified(PORTWATCH_SCOPE_TREE);
	kernel_events_before_scan(&events);
	ck_assert_uint_eq(widened, 1);
	kernel_events_after_scan(&events);
	ck_assert_uint_eq(resets, 1);
	ck_assert_uint_eq(kept_count, process_table_count(it.context.processes));
	ck_assert(kept[0] != kept[1] && (kept[0] == 10 || kept[0] == 20));
	/* Not after each scan. */
	kernel_events_after_scan(&events);
	ck_assert_uint_eq(resets, 1);
	events.refollow_due = 0;
	kernel_events_after_scan(&events);
	ck_assert_uint_eq(resets, 2);
	kernel_events_apply(&events, false);
	ck_assert_uint_eq(applied, 0);
	unapplied = true;
	kernel_events_apply(&events, false);
	unapplied = false;
	kernel_events_apply(&events, true);
	ck_assert_uint_eq(applied, 2);
}
END_TEST

/* The children of a process that has exited may be in records that are not handled yet. */
START_TEST(exited_processes_stay_while_records_are_left)
{
	begin_notified(PORTWATCH_SCOPE_TREE);
	fake_proc_remove(&it.fake, 20);
	ck_assert_int_eq(process_table_refresh(it.context.processes), 0);
	ck_assert(process_table_has_dropping(it.context.processes));
	if (_i)
		behind = true;
	else
		more = true;
	kernel_events_drain(&events);
	ck_assert_uint_eq(drained, 1);
	ck_assert(kernel_events_is_behind(&events));
	ck_assert(process_table_has_dropping(it.context.processes));
	behind = more = false;
	kernel_events_drain(&events);
	ck_assert(!kernel_events_is_behind(&events));
	ck_assert(!process_table_has_dropping(it.context.processes));
	ck_assert_ptr_null(member(20));
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("kernel_events");
	TCase *open = tcase_create("open"), *sockets = tcase_create("sockets");
	TCase *processes = tcase_create("processes"), *scans = tcase_create("scans");

	tcase_add_checked_fixture(open, setup, teardown);
	tcase_add_test(open, the_notifier_is_open_while_a_subscription_wants_it);
	tcase_add_test(open, no_subscription_wants_the_notifier);
	tcase_add_test(open, a_refused_notifier_is_tried_again);
	tcase_add_loop_test(open, a_notifier_without_listen_is_opened_again, 0, 2);
	tcase_add_test(open, a_notifier_that_the_loop_refuses_is_closed);
	tcase_add_test(open, reasons_belong_to_their_kinds);
	suite_add_tcase(suite, open);
	tcase_add_checked_fixture(sockets, setup, teardown);
	tcase_add_test(sockets, a_member_listens);
	tcase_add_test(sockets, a_member_lives_elsewhere);
	tcase_add_test(sockets, a_socket_of_a_member_is_closed_by_another);
	tcase_add_test(sockets, non_members_do_not_count_in_scope_tree);
	tcase_add_test(sockets, everybody_counts_in_a_namespace);
	tcase_add_test(sockets, a_process_is_found_once_in_a_drain);
	suite_add_tcase(suite, sockets);
	tcase_add_checked_fixture(processes, setup, teardown);
	tcase_add_test(processes, a_member_forks);
	tcase_add_test(processes, a_member_calls_exec);
	tcase_add_test(processes, a_member_exits);
	tcase_add_test(processes, a_member_is_followed);
	tcase_add_loop_test(processes, after_a_loss_everything_is_read, 0, 2);
	suite_add_tcase(suite, processes);
	tcase_add_checked_fixture(scans, setup, teardown);
	tcase_add_test(scans, the_set_of_followed_processes_follows_a_scan);
	tcase_add_loop_test(scans, exited_processes_stay_while_records_are_left, 0, 2);
	suite_add_tcase(suite, scans);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
