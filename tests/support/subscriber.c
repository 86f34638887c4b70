/* SPDX-License-Identifier: MIT */
/* subscriber.c - one subscription with all the objects that it needs */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "support/subscriber.h"
#include "util/lock.h"

static int enter(void *data, struct netns *ns, struct reader_target *target)
{
	(void)data, (void)ns, (void)target;
	return -ESRCH;
}

static bool wants_closes(void *data, const struct netns *ns)
{
	(void)data, (void)ns;
	return false;
}

static void exhausted(void *data, struct netns *ns)
{
	(void)data, (void)ns;
}

static void ns_log(void *data, struct netns *ns, enum portwatch_log_level level, const char *text)
{
	(void)data, (void)ns, (void)level, (void)text;
}

static const struct netns_observer observer = {
	.exhausted = exhausted,
	.log = ns_log,
	.enter = enter,
	.wants_closes = wants_closes,
};

static bool ignored(void *data, pid_t pid)
{
	(void)data, (void)pid;
	return false;
}

static void changed(void *data, struct process_tree *tree, struct process *process)
{
	(void)data, (void)tree, (void)process;
}

static const struct process_hooks hooks = {ignored, changed, changed, NULL};

static void wake(struct outbox *outbox, void *data)
{
	(void)outbox, (void)data;
}

static void write_message(struct portwatch *watcher, enum portwatch_log_level level,
                          const char *message, void *data)
{
	struct subscriber *subscriber = data;
	size_t size = strlen(subscriber->messages);

	(void)watcher, (void)level;
	snprintf(subscriber->messages + size, sizeof(subscriber->messages) - size, "%s\n", message);
}

void subscriber_setup(struct subscriber *subscriber)
{
	struct fake_proc *fake = &subscriber->fake;

	*subscriber = (struct subscriber){0};
	fake_proc_setup(fake, true);
	fake_proc_self(fake, 1);
	fake_proc_add(fake, 1, 0, 0);
	fake_proc_add(fake, 10, 1, 100);
	fake_proc_add(fake, 20, 10, 200);
	subscriber->context.procfs = fake->procfs;
	ck_assert_int_eq(process_table_new(&subscriber->context.processes,
	                                   &subscriber->context.procfs, &hooks, NULL),
	                 0);
	netns_table_init(&subscriber->namespaces, &subscriber->context, &subscriber->schedule,
	                 &observer, NULL);
	subscription_table_init(&subscriber->table, &subscriber->context, &subscriber->namespaces);
}

struct options subscriber_options(void)
{
	return (struct options){
		.kinds = PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE | PORTWATCH_EVENT_END |
	                 PORTWATCH_EVENT_OWNER,
		.addresses = PORTWATCH_ADDRESSES_ALL,
		.members = 100,
		.ports = 100,
		.helpers = 64,
		.warnings = 10,
	};
}

void subscriber_begin(struct subscriber *subscriber, const struct options *options)
{
	struct subscription_setup setup = {
		.pid = 10,
		.start_time = 100,
		.options = *options,
		.log = {.callback = write_message,
	                .level = PORTWATCH_LOG_DEBUG,
	                .warnings_max = 10,
	                .user_data = subscriber},
	};

	subscriber->outbox = outbox_new(wake, NULL);
	ck_assert_ptr_nonnull(subscriber->outbox);
	subscriber->outbox->references++;
	subscriber->outbox->ports.reports_owners = options->kinds & PORTWATCH_EVENT_OWNER;
	setup.outbox = subscriber->outbox;
	ck_assert_int_eq(subscription_new(&subscriber->subscription, &subscriber->table, &setup),
	                 0);
}

void subscriber_place(struct subscriber *subscriber)
{
	struct netns_id id = {.dev = 1, .ino = 7};

	subscriber->ns = netns_get(&subscriber->namespaces, &id, PORTWATCH_READER_AUTO,
	                           PORTWATCH_TABLE_AUTO);
	ck_assert_ptr_nonnull(subscriber->ns);
	subscriber->ns->inode = 4711;
	subscriber->view = view_get(subscriber->subscription, subscriber->ns);
	ck_assert_ptr_nonnull(subscriber->view);
	subscriber->view->marked = true;
}

void subscriber_run(struct subscriber *subscriber)
{
	subscriber->subscription->state = SUBSCRIPTION_RUNNING;
	outbox_decide(subscriber->outbox, 0);
}

void subscriber_teardown(struct subscriber *subscriber)
{
	bool last;

	if (subscriber->subscription)
		subscription_free(subscriber->subscription);
	library_lock();
	last = subscriber->outbox && outbox_unref(subscriber->outbox);
	library_unlock();
	if (last)
		outbox_free(subscriber->outbox);
	subscription_table_clear(&subscriber->table);
	netns_table_clear(&subscriber->namespaces);
	process_table_free(subscriber->context.processes);
	fake_proc_teardown(&subscriber->fake);
}

struct listener subscriber_listener(uint16_t port, uint64_t inode)
{
	return (struct listener){
		.inode = inode,
		.address = {127, 0, 0, 1},
		.port = port,
		.family = AF_INET,
		.v6only = -1,
	};
}

static void pass_on(void *data, enum snapshot_change change, const struct listener *listener)
{
	view_change(data, change, listener);
}

void subscriber_read(struct subscriber *subscriber, const struct listener *listeners, size_t count)
{
	struct netns *ns = subscriber->ns;
	struct snapshot read = {0};

	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(snapshot_add(&read, &listeners[i]), 0);
	snapshot_seal(&read);
	ns->requests++;
	ck_assert_int_ge(snapshot_update(&ns->known, &read, pass_on, subscriber->view), 0);
	ns->completed = ns->requests;
	view_completed(subscriber->view);
	snapshot_clear(&read);
}

struct socket *subscriber_socket(struct subscriber *subscriber, const struct listener *listener)
{
	struct socket *socket = view_find(subscriber->view, listener);

	ck_assert_ptr_nonnull(socket);
	return socket;
}

void subscriber_holds(struct subscriber *subscriber, pid_t pid, uint64_t start_time,
                      struct socket **sockets, size_t count)
{
	struct holder_answer answer;

	holder_answer_begin(&answer, &subscriber->subscription->owners.holders, pid, start_time,
	                    false);
	for (size_t i = 0; i < count; i++)
		holder_answer_holds(&answer, &sockets[i]->holders);
	ck_assert_int_eq(holder_answer_end(&answer, true), 0);
}

static bool take(struct subscriber *subscriber, struct portwatch_event *event)
{
	bool taken;

	library_lock();
	taken = outbox_take(subscriber->outbox, event);
	subscriber->outbox->woken = false;
	library_unlock();
	return taken;
}

struct portwatch_event subscriber_event(struct subscriber *subscriber,
                                        enum portwatch_event_kind kind)
{
	struct portwatch_event event;

	ck_assert(take(subscriber, &event));
	ck_assert_int_eq(event.kind, kind);
	return event;
}

void subscriber_no_event(struct subscriber *subscriber)
{
	struct portwatch_event event;

	ck_assert_msg(!take(subscriber, &event), "an event of kind %d", (int)event.kind);
}

size_t subscriber_messages(const struct subscriber *subscriber, const char *part)
{
	const char *at = subscriber->messages;
	size_t count = 0;

	while ((at = strstr(at, part))) {
		count++;
		at++;
	}
	return count;
}
