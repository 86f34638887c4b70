/* SPDX-License-Identifier: MIT */
/* test_placement.c - which network namespaces are read for living processes, and how each is
 * entered
 *
 * The processes and namespaces are real. There are no readers, no notifier and no thread. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc/process_scan.h"
#include "support/check_main.h"
#include "support/fixture.h"
#include "support/process_list.h"
#include "support/puppet.h"
#include "support/sandbox.h"
#include "support/skip.h"
#include "util/clock.h"
#include "util/fd.h"
#include "util/lock.h"
#include "watch/elsewhere.h"
#include "watch/placement.h"
#include "watch/subscription.h"

/* --- the objects of the layer */

enum { SUBSCRIPTIONS = 3 };

static struct context context;
static struct schedule schedule;
static struct netns_table namespaces;
static struct subscription_table table;
static struct elsewhere elsewhere;
static struct placement it;
static struct subscription *subscriptions[SUBSCRIPTIONS];
static struct outbox *outboxes[SUBSCRIPTIONS];
static size_t count;

static bool ignores_nobody(void *data, pid_t pid)
{
	(void)data, (void)pid;
	return false;
}

static void joined(void *data, struct process_tree *tree, struct process *process)
{
	struct subscription *subscription = subscription_find(&table, tree);

	(void)data;
	for (; subscription; subscription = subscription_find_next(subscription))
		placement_joined(subscription, process);
}

static void left(void *data, struct process_tree *tree, struct process *process)
{
	struct subscription *subscription = subscription_find(&table, tree);

	(void)data;
	for (; subscription; subscription = subscription_find_next(subscription))
		placement_left(&it, subscription, process);
}

static const struct process_hooks process_hooks = {ignores_nobody, joined, left, NULL};

static bool wants_no_closes(void *data, const struct netns *ns)
{
	(void)data, (void)ns;
	return false;
}

static void ignore_log(void *data, struct netns *ns, enum portwatch_log_level level,
                       const char *text)
{
	(void)data, (void)ns, (void)level, (void)text;
}

static const struct netns_observer observer = {
	.log = ignore_log,
	.wants_closes = wants_no_closes,
};

static void wake(struct outbox *outbox, void *data)
{
	(void)outbox, (void)data;
}

static void setup(void)
{
	puppets_setup();
	count = 0;
	context = (struct context){0};
	schedule = (struct schedule){0};
	ck_assert_int_eq(procfs_open(&context.procfs, "/proc"), 0);
	ck_assert_int_eq(loop_open(&context.loop), 0);
	ck_assert_int_eq(
		process_table_new(&context.processes, &context.procfs, &process_hooks, NULL), 0);
	netns_table_init(&namespaces, &context, &schedule, &observer, NULL);
	subscription_table_init(&table, &context, &namespaces);
	elsewhere_init(&elsewhere, &table);
	placement_init(&it, &table, &elsewhere);
}

static void end_subscription(size_t i)
{
	bool last;

	subscription_free(subscriptions[i]);
	library_lock();
	last = outbox_unref(outboxes[i]);
	library_unlock();
	ck_assert(last);
	outbox_free(outboxes[i]);
}

static void teardown(void)
{
	while (count > 0)
		end_subscription(--count);
	placement_clear(&it);
	elsewhere_clear(&elsewhere);
	subscription_table_clear(&table);
	netns_table_clear(&namespaces);
	process_table_free(context.processes);
	loop_close(&context.loop);
	procfs_close(&context.procfs);
	puppets_teardown();
}

/* Subscribes to the tree of a process, and finds the namespaces of its members. */
static struct subscription *watch_with(pid_t pid, unsigned int interval)
{
	struct subscription_setup setup = {
		.pid = pid,
		.start_time = process_start_time(pid),
		.options = {.addresses = PORTWATCH_ADDRESSES_ALL,
	                    .interval = interval,
	                    .members = 1000,
	                    .ports = 1000},
	};
	struct subscription *subscription;

	ck_assert_uint_lt(count, SUBSCRIPTIONS);
	setup.outbox = outboxes[count] = outbox_new(wake, NULL);
	ck_assert_ptr_nonnull(setup.outbox);
	setup.outbox->references++;
	ck_assert_int_eq(subscription_new(&subscription, &table, &setup), 0);
	subscriptions[count++] = subscription;
	subscription_advance(subscription, subscription->created);
	ck_assert_ptr_nonnull(subscription->scope);
	ck_assert(placement_is_due(&it));
	placement_update(&it);
	ck_assert(!placement_is_due(&it));
	return subscription;
}

static struct subscription *watch(pid_t pid)
{
	return watch_with(pid, 0);
}

static void refresh(void)
{
	ck_assert_int_eq(process_table_refresh(context.processes), 0);
}

static struct process *member(pid_t pid)
{
	struct process *process = process_table_find(context.processes, pid);

	ck_assert_ptr_nonnull(process);
	return process;
}

/* The view of the namespace of a living process; NULL: there is none. */
static struct view *view_of(const struct subscription *subscription, pid_t pid)
{
	struct netns_id id;

	ck_assert_int_eq(procfs_netns_of(&context.procfs, pid, &id), 0);
	return view_find_netns(subscription, &id);
}

static size_t count_workers(void)
{
	size_t workers = 0;

	for (const struct list *link = namespaces.list.next; link != &namespaces.list;
	     link = link->next)
		workers++;
	return workers;
}

static void expect_members(const struct view *view, size_t members)
{
	ck_assert_ptr_nonnull(view);
	ck_assert(view->marked);
	ck_assert_uint_eq(view->members, members);
}

static void unshare_puppet(int puppet)
{
	int error = puppet_unshare_net(puppet);

	if (error < 0)
		test_skip("no network namespace: %s", strerror(-error));
}

/* --- the namespaces that are read */

START_TEST(each_namespace_with_a_member_is_read)
{
	pid_t root = puppet_start(0), child = puppet_fork(0, 1);
	struct subscription *subscription;

	unshare_puppet(1);
	subscription = watch(root);
	expect_members(view_of(subscription, root), 1);
	expect_members(view_of(subscription, child), 1);
	ck_assert_ptr_ne(view_of(subscription, root), view_of(subscription, child));
	ck_assert_uint_eq(count_workers(), 2);
	ck_assert(!subscription->unplaced);
	/* Another subscription shares the workers. */
	expect_members(view_of(watch(child), child), 1);
	ck_assert_uint_eq(count_workers(), 2);
}
END_TEST

START_TEST(a_member_that_moves_is_followed)
{
	pid_t root = puppet_start(0), child = puppet_fork(0, 1);
	struct subscription *subscription = watch(root);

	expect_members(view_of(subscription, root), 2);
	placement_find(&it, member(child));
	ck_assert(!placement_is_due(&it));
	unshare_puppet(1);
	placement_find(&it, member(child));
	ck_assert(placement_is_due(&it));
	placement_update(&it);
	expect_members(view_of(subscription, root), 1);
	expect_members(view_of(subscription, child), 1);
	ck_assert_uint_eq(count_workers(), 2);
	/* The namespace that it leaves is not read any more. */
	unshare_puppet(1);
	placement_find(&it, member(child));
	placement_update(&it);
	expect_members(view_of(subscription, child), 1);
	ck_assert_uint_eq(count_workers(), 2);
	ck_assert(!context.exited);
}
END_TEST

START_TEST(a_namespace_goes_with_its_last_member)
{
	pid_t root = puppet_start(0), child = puppet_fork(0, 1);
	struct subscription *subscription;
	struct view *view;

	unshare_puppet(1);
	puppet_fork(1, 2);
	subscription = watch(root);
	view = view_of(subscription, child);
	expect_members(view, 2);
	puppet_exit(2);
	puppet_reap(1, 2);
	refresh();
	placement_update(&it);
	expect_members(view, 1);
	puppet_exit(1);
	puppet_reap(0, 1);
	refresh();
	ck_assert(placement_is_due(&it));
	placement_update(&it);
	ck_assert_uint_eq(count_workers(), 1);
	expect_members(view_of(subscription, root), 1);
}
END_TEST

/* The number of members changes without a walk over all of them. */
START_TEST(new_members_are_only_counted)
{
	pid_t root = puppet_start(0), child;
	struct subscription *subscription = watch(root);

	puppet_fork(0, 1);
	refresh();
	ck_assert(!placement_is_due(&it));
	expect_members(view_of(subscription, root), 2);
	child = puppet_fork(0, 2);
	unshare_puppet(2);
	refresh();
	/* Its namespace has no view yet. */
	ck_assert(placement_is_due(&it));
	placement_update(&it);
	expect_members(view_of(subscription, root), 2);
	expect_members(view_of(subscription, child), 1);
	/* One that leaves others behind is only counted, too, unless its exit is watched. */
	puppet_exit(1);
	puppet_reap(0, 1);
	refresh();
	expect_members(view_of(subscription, root), 1);
}
END_TEST

/* A pidfd reports the exit of a member, and the next one takes its place. */
START_TEST(an_exit_is_reported_at_once)
{
	pid_t root = puppet_start(0), child = puppet_fork(0, 1), other;
	struct subscription *subscription;
	struct view *view;

	unshare_puppet(1);
	other = puppet_fork(1, 2);
	subscription = watch(root);
	ck_assert(!subscription->exit_unwatched);
	view = view_of(subscription, child);
	if (view->exit.fd < 0)
		test_skip("no pidfds");
	ck_assert(view->watch_exit == child || view->watch_exit == other);
	loop_wait(&context.loop, 0);
	ck_assert(!context.exited);
	other = view->watch_exit == child ? other : child;
	puppet_exit(view->watch_exit == child ? 1 : 2);
	loop_wait(&context.loop, 0);
	ck_assert(context.exited);
	ck_assert_int_eq(view->exit.fd, -1);
	refresh();
	ck_assert(placement_is_due(&it));
	placement_update(&it);
	expect_members(view, 1);
	ck_assert_int_eq(view->watch_exit, other);
	ck_assert_int_ge(view->exit.fd, 0);
}
END_TEST

START_TEST(a_member_without_namespace_has_exited)
{
	pid_t root = puppet_start(0), child = puppet_fork(0, 1);

	watch(root);
	placement_find(&it, member(child));
	ck_assert(!context.exited);
	puppet_exit(1);
	if (_i)
		puppet_reap(0, 1);
	placement_find(&it, member(child));
	ck_assert(context.exited);
}
END_TEST

START_TEST(the_shortest_interval_counts)
{
	pid_t root = puppet_start(0);
	const struct netns *ns = view_of(watch_with(root, 500), root)->ns;

	ck_assert_uint_eq(ns->interval, 500);
	ck_assert(!ns->adapts);
	watch_with(root, 100);
	ck_assert_uint_eq(ns->interval, 100);
	ck_assert(!ns->adapts);
	watch_with(root, 0);
	ck_assert_uint_eq(ns->interval, 100);
	ck_assert(ns->adapts);
	end_subscription(--count);
	end_subscription(--count);
	ck_assert(placement_is_due(&it));
	placement_update(&it);
	ck_assert_uint_eq(ns->interval, 500);
	ck_assert(!ns->adapts);
	end_subscription(--count);
	placement_update(&it);
	ck_assert_uint_eq(count_workers(), 0);
}
END_TEST

/* Without a report, members are located from time to time. */
START_TEST(members_are_located)
{
	pid_t root = puppet_start(0), child = puppet_fork(0, 1);
	struct subscription *subscription = watch(root);
	uint64_t now = clock_now(CLOCK_MONOTONIC) + 3600 * NSEC_PER_SEC;

	placement_locate(&it, now);
	ck_assert(!placement_is_due(&it));
	unshare_puppet(1);
	/* Not again so soon. */
	placement_locate(&it, now + 1);
	ck_assert(!placement_is_due(&it));
	now += 3600 * NSEC_PER_SEC;
	placement_locate(&it, now);
	ck_assert(placement_is_due(&it));
	placement_update(&it);
	expect_members(view_of(subscription, child), 1);
	/* Members that were found a moment ago are located each time. */
	unshare_puppet(1);
	now += NSEC_PER_SEC;
	it.locate_earliest = UINT64_MAX;
	placement_locate(&it, now);
	ck_assert(!placement_is_due(&it));
	now += NSEC_PER_SEC;
	member(child)->seen = now;
	placement_locate(&it, now);
	ck_assert(placement_is_due(&it));
}
END_TEST

/* --- how a namespace is entered */

static void expect_process(const struct reader_target *target, pid_t pid)
{
	ck_assert_int_eq(target->pid, pid);
	ck_assert_uint_eq(target->start_time, process_start_time(pid));
	ck_assert_int_eq(target->descriptor, 0);
	ck_assert_ptr_eq(target->procfs, &context.procfs);
}

/* The oldest process there, because it will probably live longest. */
START_TEST(by_the_oldest_process)
{
	pid_t root = puppet_start(0), child = puppet_fork(0, 1);
	struct reader_target target;
	struct netns *ns;

	unshare_puppet(1);
	puppet_fork(1, 2);
	puppet_fork(2, 3);
	ns = view_of(watch(root), child)->ns;
	ck_assert_int_eq(placement_enter(&it, ns, &target), 0);
	expect_process(&target, child);
	ck_assert_int_eq(ns->pid, child);
	ck_assert_uint_eq(ns->inode, sandbox_netns(child));
	ck_assert(netns_id_is_same(&target.netns, &ns->id));
}
END_TEST

/* An ancestor that is no member is older still. */
START_TEST(by_an_ancestor)
{
	struct reader_target target;
	pid_t parent, child;
	struct netns *ns;

	puppet_start(0);
	parent = puppet_fork(0, 1);
	unshare_puppet(1);
	wait_tick(process_start_time(parent));
	child = puppet_fork(1, 2);
	ns = view_of(watch(child), child)->ns;
	ck_assert_int_eq(placement_enter(&it, ns, &target), 0);
	expect_process(&target, parent);
	ck_assert_uint_eq(ns->inode, sandbox_netns(parent));
}
END_TEST

/* Whether or not the links of the processes are readable. */
START_TEST(the_own_namespace_is_known)
{
	struct fixture root = fixture_start(0);
	struct reader_target target;
	struct netns_id id;
	struct netns *ns;

	ns = view_of(watch(root.pid), root.pid)->ns;
	fixture_hide(&root);
	ck_assert_int_eq(placement_enter(&it, ns, &target), 0);
	ck_assert_int_eq(procfs_netns_of(&context.procfs, target.pid, &id), 0);
	ck_assert(netns_id_is_same(&id, &ns->id));
	ck_assert_uint_eq(ns->inode, sandbox_netns(0));
	fixture_end(&root);
}
END_TEST

/* In a PID namespace of its own. */
START_TEST(by_an_init_process)
{
	struct fixture init = fixture_start(SANDBOX_NETNS | SANDBOX_PIDNS);
	struct fixture child = fixture_fork(&init);
	struct reader_target target;
	struct netns *ns;

	/* The init process itself is no member. */
	ns = view_of(watch(child.pid), child.pid)->ns;
	ck_assert_int_eq(placement_enter(&it, ns, &target), 0);
	expect_process(&target, init.pid);
	ck_assert_uint_eq(ns->inode, sandbox_netns(init.pid));
	fixture_end(&child);
	fixture_end(&init);
}
END_TEST

/* A read has shown the socket, and the process holds it. */
static void hold(struct view *view, pid_t pid, const struct listener *listener)
{
	struct holder_answer answer;
	struct socket *socket;

	ck_assert_int_eq(snapshot_add(&view->ns->known, listener), 0);
	snapshot_seal(&view->ns->known);
	view->ns->completed = ++view->ns->requests;
	view_completed(view);
	socket = view_find(view, listener);
	ck_assert_ptr_nonnull(socket);
	holder_answer_begin(&answer, &view->subscription->owners.holders, pid,
	                    process_start_time(pid), false);
	holder_answer_holds(&answer, &socket->holders);
	ck_assert_int_eq(holder_answer_end(&answer, true), 0);
	socket_hold(socket);
}

/* Skips the case if the kernel refuses to copy a descriptor of the process. */
static void skip_unless_copied(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int copied = (int)syscall(SYS_pidfd_getfd, pidfd, SANDBOX_FD, 0);

	if (copied < 0)
		test_skip("may not copy a descriptor of another process: %s", strerror(errno));
	close(copied);
	close(pidfd);
}

/* The only way into a namespace in which no process lives any more. */
START_TEST(by_a_socket)
{
	struct fixture owner = fixture_start(SANDBOX_NETNS);
	struct fixture_socket socket = fixture_listen(&owner, "127.0.0.1", 0);
	struct listener listener = {.inode = socket.inode,
	                            .address = {127, 0, 0, 1},
	                            .port = socket.port,
	                            .family = AF_INET,
	                            .v6only = -1};
	struct subscription *subscription = watch(owner.pid);
	struct view *view = view_of(subscription, owner.pid);
	uint64_t inode = sandbox_netns(owner.pid);
	struct reader_target target;
	struct stat status;

	skip_unless_copied(owner.pid);
	hold(view, owner.pid, &listener);
	fixture_unshare(&owner);
	placement_find(&it, member(owner.pid));
	placement_update(&it);
	/* The view stays because of its port. */
	ck_assert(!view->marked);
	ck_assert_uint_eq(count_workers(), 2);
	ck_assert_int_eq(placement_enter(&it, view->ns, &target), 0);
	ck_assert_int_eq(target.pid, 0);
	ck_assert_int_eq(view->ns->pid, 0);
	ck_assert_int_gt(target.descriptor, 2);
	ck_assert_int_eq(fstat(target.descriptor, &status), 0);
	ck_assert_uint_eq(status.st_ino, inode);
	fd_close(target.descriptor);
	/* Nothing leads there any more. */
	fixture_close(&owner, socket);
	ck_assert_int_eq(placement_enter(&it, view->ns, &target), -ESRCH);
	ck_assert_int_eq(target.descriptor, 0);
	fixture_end(&owner);
}
END_TEST

/* A shortage does not mean that nobody lives there. */
START_TEST(without_descriptors_nothing_is_known)
{
	pid_t root = puppet_start(0);
	struct netns *ns = view_of(watch(root), root)->ns;
	struct rlimit limit, none;
	struct reader_target target;
	int result;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){0, limit.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	result = placement_enter(&it, ns, &target);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(result, -EMFILE);
	ck_assert_int_eq(placement_enter(&it, ns, &target), 0);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("placement");
	TCase *views = tcase_create("views"), *ways = tcase_create("ways");

	tcase_add_checked_fixture(views, setup, teardown);
	tcase_add_test(views, each_namespace_with_a_member_is_read);
	tcase_add_test(views, a_member_that_moves_is_followed);
	tcase_add_test(views, a_namespace_goes_with_its_last_member);
	tcase_add_test(views, new_members_are_only_counted);
	tcase_add_test(views, an_exit_is_reported_at_once);
	tcase_add_loop_test(views, a_member_without_namespace_has_exited, 0, 2);
	tcase_add_test(views, the_shortest_interval_counts);
	tcase_add_test(views, members_are_located);
	suite_add_tcase(suite, views);
	tcase_add_checked_fixture(ways, setup, teardown);
	tcase_add_test(ways, by_the_oldest_process);
	tcase_add_test(ways, by_an_ancestor);
	tcase_add_test(ways, the_own_namespace_is_known);
	tcase_add_test(ways, by_an_init_process);
	tcase_add_test(ways, by_a_socket);
	tcase_add_test(ways, without_descriptors_nothing_is_known);
	suite_add_tcase(suite, ways);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
