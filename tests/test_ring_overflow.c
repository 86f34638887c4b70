/* SPDX-License-Identifier: MIT */
/* test_ring_overflow.c - a watcher that is stopped while more events occur than the notifier's ring
 * holds */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "support/check_main.h"
#include "support/collect.h"
#include "support/fixture.h"
#include "support/remote.h"
#include "support/skip.h"

#define OPEN PORTWATCH_EVENT_OPEN
#define CLOSE PORTWATCH_EVENT_CLOSE

#define CHURN 10001 /* each is reported when it opens and when it closes */
#define BEFORE 20   /* half of them may be closed meanwhile */
#define STABLE 50
#define A_DAY 86400000 /* ms */

/* All events of the fixture go through one ring. */
static void keep_on_one_cpu(const struct fixture *fixture)
{
	cpu_set_t allowed, one;

	ck_assert_int_eq(sched_getaffinity(fixture->pid, sizeof(allowed), &allowed), 0);
	CPU_ZERO(&one);
	for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			CPU_SET(cpu, &one);
	ck_assert_int_eq(sched_setaffinity(fixture->pid, sizeof(one), &one), 0);
}

static void stop(const struct remote *remote)
{
	int status;

	ck_assert_int_eq(kill(remote->pid, SIGSTOP), 0);
	ck_assert_int_eq(waitpid(remote->pid, &status, WUNTRACED), remote->pid);
	ck_assert(WIFSTOPPED(status));
}

/* Opens ports that stay open between many that do not, while a process outside of the tree fills
 * the ring. */
static void happen(const struct fixture *outsider, const struct fixture *server,
                   struct fixture_socket before[BEFORE], struct fixture_socket stable[STABLE],
                   int closed)
{
	fixture_churn(outsider, "127.0.0.1", CHURN);
	for (int i = 0; i < STABLE; i++)
		stable[i] = fixture_listen(server, i % 2 ? "127.0.0.1" : "0.0.0.0", 0);
	for (int i = 0; i < closed; i++)
		fixture_close(server, before[i]);
	fixture_churn(server, "127.0.0.1", CHURN);
}

static void open_before(const struct fixture *server, struct fixture_socket before[BEFORE])
{
	for (int i = 0; i < BEFORE; i++)
		before[i] = fixture_listen(server, "127.0.0.1", 0);
}

/* The next scheduled poll is a day away, so the loss causes the read. If a port was closed, a full
 * check of the owners would find the change too, but later. */
START_TEST(open_ports_are_reported_after_an_overflow)
{
	struct fixture server = fixture_start(_i % 2 ? SANDBOX_NETNS : 0),
		       outsider = fixture_start(0);
	struct fixture_socket before[BEFORE], stable[STABLE], after;
	int closed = _i / 2 ? BEFORE / 2 : 0;
	struct remote watcher;

	keep_on_one_cpu(&server);
	keep_on_one_cpu(&outsider);
	open_before(&server, before);
	remote_start(&watcher, server.pid, A_DAY);
	if (!watcher.notifier)
		test_skip("no notifier here whose ring could overflow");
	stop(&watcher);
	happen(&outsider, &server, before, stable, closed);
	ck_assert_int_eq(kill(watcher.pid, SIGCONT), 0);
	for (int i = 0; i < STABLE; i++)
		remote_wait(&watcher, OPEN, NULL, stable[i].port, 1);
	for (int i = 0; i < closed; i++)
		remote_wait(&watcher, CLOSE, NULL, before[i].port, 1);
	after = fixture_listen(&server, "127.0.0.1", 0);
	remote_wait(&watcher, OPEN, NULL, after.port, 1);
	ck_assert_uint_gt(remote_stat(&watcher, PORTWATCH_STAT_NOTIFIER_LOST), 0);
	ck_assert_uint_eq(remote_count(&watcher, OPEN, NULL, 0), BEFORE + STABLE + 1);
	ck_assert_uint_eq(remote_count(&watcher, CLOSE, NULL, 0), (size_t)closed);
	remote_end(&watcher);
	fixture_end(&outsider);
	fixture_end(&server);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("ring overflow");
	TCase *ring = tcase_create("ring");

	tcase_add_loop_test(ring, open_ports_are_reported_after_an_overflow, 0, 4);
	suite_add_tcase(suite, ring);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
