/* SPDX-License-Identifier: MIT */
/* test_fault_sweep.c - every call of a start and a stop fails once, at each of its first uses */
#include <errno.h>
#include <string.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/process_list.h"
#include "support/wrap.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE
#define END PORTWATCH_EVENT_END

/* Starts, sees a port, and stops. Returns what start said. */
static int run_scenario(const struct fixture *server, const char *call, bool *false_close)
{
	struct collect collect;
	struct fixture_socket socket;
	int result;

	collect_init(&collect);
	result = wrap_inside(portwatch_new(&collect.watcher, server->pid, collect_event, &collect));
	if (result < 0) {
		collect.watcher = NULL;
		collect_free(&collect);
		return result;
	}
	portwatch_set_events(collect.watcher, OPEN | CLOSE | END);
	portwatch_set_interval(collect.watcher, 10);
	portwatch_set_log(collect.watcher, PORTWATCH_LOG_DEBUG, collect_message);
	result = wrap_inside(portwatch_start(collect.watcher));
	if (result == 0) {
		socket = fixture_listen(server, "127.0.0.1", 0);
		collect_wait(&collect, OPEN, NULL, socket.port);
		*false_close = collect_count(&collect, CLOSE, NULL, 0) > 0 ||
		               collect_count(&collect, END, NULL, 0) > 0;
		fixture_close(server, socket);
		wrap_clear(call);
		collect_wait(&collect, CLOSE, NULL, socket.port);
	}
	wrap_enter(true);
	portwatch_free(collect.watcher);
	wrap_enter(false);
	collect.watcher = NULL;
	collect_free(&collect);
	return result;
}

/* Fails each of the first uses of the call in turn, once: whatever comes of it, nothing is left
 * over. */
static void sweep(const struct fixture *server, const char *call, int error)
{
	size_t descriptors = process_descriptors();
	bool struck = true;

	for (unsigned int nth = 1; struck && nth <= 40; nth++) {
		bool false_close = false;
		int result;

		wrap_reset();
		wrap_fail(call, WRAP_ANYWHERE, nth, 1, error);
		result = run_scenario(server, call, &false_close);
		struck = wrap_struck() > 0;
		ck_assert_msg(!false_close, "%s, use %u: a false close", call, nth);
		ck_assert_msg(result <= 0, "%s, use %u: start returned %d", call, nth, result);
		ck_assert_msg(process_descriptors() <= descriptors,
		              "%s, use %u, start %d: a descriptor is left", call, nth, result);
		ck_assert_msg(process_children() == 1, "%s, use %u: a child is left", call, nth);
	}
}

START_TEST(each_call_may_fail_once)
{
	const char *call = wrap_name((size_t)_i);
	struct fixture server = fixture_start(SANDBOX_NETNS);
	bool unused;

	/* A failed close is a lost descriptor nowhere, and these end a process whose parent asked.
	 */
	fixture_listen(&server, "127.0.0.1", 8000);
	wrap_reset();
	ck_assert_int_eq(run_scenario(&server, call, &unused), 0);
	sweep(&server, call,
	      strstr(call, "alloc") || strcmp(call, "tsearch") == 0 ? ENOMEM : EMFILE);
	fixture_end(&server);
}
END_TEST

static int count_calls(void)
{
	int count = 0;

	while (wrap_name((size_t)count))
		count++;
	return count;
}

static Suite *make(void)
{
	Suite *suite = suite_create("fault sweep");
	TCase *all = tcase_create("every call");

	tcase_add_loop_test(all, each_call_may_fail_once, 0, count_calls());
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
