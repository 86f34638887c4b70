/* SPDX-License-Identifier: MIT */
/* test_event.c - events that the host keeps, and what they report about their owners */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proc/procfs.h"
#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/process_list.h"
#include "support/skip.h"
#include "util/fd.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define KEPT_MAX 64

/* Events that were kept, in the order of their delivery. */
struct kept {
	struct portwatch *watcher;
	struct collect collect;
	const struct portwatch_event *events[KEPT_MAX];
	size_t count;
};

static void keep(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	struct kept *kept = data;

	if (kept->count < KEPT_MAX)
		kept->events[kept->count++] = portwatch_event_ref(event);
	collect_event(watcher, event, &kept->collect);
}

static void ignore_message(struct portwatch *watcher, enum portwatch_log_level level,
                           const char *message, void *data)
{
	(void)watcher;
	(void)level;
	(void)message;
	(void)data;
}

static void watch(struct kept *kept, pid_t pid)
{
	memset(kept, 0, sizeof(*kept));
	collect_init(&kept->collect);
	ck_assert_int_eq(portwatch_new(&kept->watcher, pid, keep, kept), 0);
	ck_assert_int_eq(portwatch_set_events(kept->watcher, COLLECT_KINDS), 0);
	ck_assert_int_eq(portwatch_set_log(kept->watcher, PORTWATCH_LOG_ERROR, ignore_message), 0);
	ck_assert_int_eq(portwatch_start(kept->watcher), 0);
}

/* Ends the watcher, which then delivers no more events. The kept events remain. */
static void end_watch(struct kept *kept)
{
	portwatch_free(kept->watcher);
	kept->watcher = NULL;
}

static void forget(struct kept *kept)
{
	for (size_t i = 0; i < kept->count; i++)
		portwatch_event_unref(kept->events[i]);
	collect_free(&kept->collect);
}

static const struct portwatch_event *find(const struct kept *kept, enum portwatch_event_kind kind,
                                          uint16_t port)
{
	for (size_t i = 0; i < kept->count; i++)
		if (portwatch_event_get_kind(kept->events[i]) == kind &&
		    portwatch_event_get_port(kept->events[i]) == port)
			return kept->events[i];
	ck_abort_msg("no event %d of port %u was kept", (int)kind, (unsigned int)port);
	return NULL;
}

START_TEST(kept_events_outlive_their_watcher)
{
	struct fixture server = fixture_start(0);
	struct fixture_socket sockets[3];
	const struct portwatch_event *event;
	struct kept kept;

	sockets[0] = fixture_listen(&server, "127.0.0.1", 0);
	watch(&kept, server.pid);
	for (int i = 1; i < 3; i++) {
		sockets[i] = fixture_listen(&server, "127.0.0.1", 0);
		collect_wait(&kept.collect, OPEN, NULL, sockets[i].port);
	}
	fixture_close(&server, sockets[1]);
	collect_wait(&kept.collect, CLOSE, NULL, sockets[1].port);
	end_watch(&kept);
	for (int i = 0; i < 3; i++) {
		event = find(&kept, OPEN, sockets[i].port);
		ck_assert_str_eq(portwatch_event_get_address_text(event), "127.0.0.1");
		ck_assert_uint_eq(portwatch_event_get_inode(event), sockets[i].inode);
		ck_assert_int_eq(portwatch_event_get_pid(event), server.pid);
		ck_assert_int_eq(portwatch_event_get_initial(event), i == 0);
	}
	event = find(&kept, CLOSE, sockets[1].port);
	ck_assert_uint_eq(portwatch_event_get_id(event),
	                  portwatch_event_get_id(find(&kept, OPEN, sockets[1].port)));
	/* Each reference has to be released. */
	ck_assert_ptr_eq(portwatch_event_ref(event), event);
	portwatch_event_unref(event);
	ck_assert_uint_eq(portwatch_event_get_port(event), sockets[1].port);
	ck_assert_ptr_null(portwatch_event_ref(NULL));
	portwatch_event_unref(NULL);
	forget(&kept);
	fixture_end(&server);
}
END_TEST

START_TEST(events_say_more_of_their_owner)
{
	struct fixture server = fixture_start(0);
	const struct portwatch_event *event;
	struct fixture_socket socket;
	struct kept kept;
	const char *text;

	watch(&kept, server.pid);
	socket = fixture_listen(&server, "127.0.0.1", 0);
	collect_wait(&kept.collect, OPEN, NULL, socket.port);
	end_watch(&kept);
	event = find(&kept, OPEN, socket.port);
	ck_assert_uint_eq(portwatch_event_get_start_time(event), process_start_time(server.pid));
	ck_assert_uint_eq(portwatch_event_get_uid(event), geteuid());
	/* A text that was returned stays the same. */
	text = portwatch_event_get_command_line(event);
	fixture_end(&server);
	ck_assert_ptr_eq(portwatch_event_get_command_line(event), text);
	ck_assert_uint_eq(portwatch_event_get_uid(event), geteuid());
	forget(&kept);
}
END_TEST

static void expect_nothing(const struct portwatch_event *event)
{
	ck_assert_str_eq(portwatch_event_get_command_line(event), "");
	ck_assert_uint_eq(portwatch_event_get_uid(event), (uid_t)-1);
	ck_assert_str_eq(portwatch_event_get_cgroup(event), "");
}

START_TEST(the_properties_of_an_exited_owner_are_unknown)
{
	struct fixture root = fixture_start(0), server = fixture_fork(&root);
	struct fixture_socket socket;
	struct kept kept;

	watch(&kept, root.pid);
	socket = fixture_listen(&server, "127.0.0.1", 0);
	collect_wait(&kept.collect, OPEN, NULL, socket.port);
	/* The process is a zombie of the root, and is then reaped. */
	fixture_exit(&server, 0);
	expect_nothing(find(&kept, OPEN, socket.port));
	fixture_end(&root);
	collect_wait(&kept.collect, PORTWATCH_EVENT_END, NULL, 0);
	end_watch(&kept);
	expect_nothing(find(&kept, OPEN, socket.port));
	/* The event of the end never has an owner. */
	expect_nothing(find(&kept, PORTWATCH_EVENT_END, 0));
	ck_assert_uint_eq(portwatch_event_get_start_time(find(&kept, PORTWATCH_EVENT_END, 0)), 0);
	forget(&kept);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("event");
	TCase *kept = tcase_create("kept"), *owner = tcase_create("owner");

	tcase_add_test(kept, kept_events_outlive_their_watcher);
	suite_add_tcase(suite, kept);
	tcase_add_test(owner, events_say_more_of_their_owner);
	tcase_add_test(owner, the_properties_of_an_exited_owner_are_unknown);
	suite_add_tcase(suite, owner);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
