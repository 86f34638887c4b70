/* SPDX-License-Identifier: MIT */
/* brief_watch.c - a watcher that is started and freed shortly after */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak.h"

struct brief_watch {
	atomic_uint initial;
	bool stops; /* the callback stops the watcher */
};

/* The watched process, and the expected events. */
struct plan {
	pid_t pid;
	bool lives;            /* the process lives until the end of the soak */
	unsigned int expected; /* initial events; 0: any number */
	bool dispatches;
};

static void on_event(struct portwatch *watcher, const struct portwatch_event *event,
                     void *user_data)
{
	struct brief_watch *watch = user_data;

	if (portwatch_event_get_initial(event))
		atomic_fetch_add(&watch->initial, 1);
	if (watch->stops)
		portwatch_stop(watcher);
}

static void on_message(struct portwatch *watcher, enum portwatch_log_level level,
                       const char *message, void *user_data)
{
	(void)user_data;
	fprintf(stderr, "brief watch of %d: %d: %s\n", portwatch_get_pid(watcher), (int)level,
	        message);
}

static struct plan choose(struct soak *soak, pid_t root, uint32_t *random)
{
	uint32_t which = soak_random(random, SOAK_KEEPERS + SOAK_TRANSIENTS + 1);

	if (which < (uint32_t)soak->keepers && which != 1)
		return (struct plan){.pid = atomic_load(&soak->keeper_pids[which]),
		                     .lives = true,
		                     .expected = SOAK_KEEPER_PORTS};
	if (which >= SOAK_KEEPERS && which < SOAK_KEEPERS + SOAK_TRANSIENTS)
		return (struct plan){.pid = atomic_load(&soak->transients[which - SOAK_KEEPERS])};
	return (struct plan){.pid = root, .lives = true};
}

static void set_options(struct portwatch *watcher, struct plan *plan, struct brief_watch *watch,
                        uint32_t *random)
{
	static const unsigned int intervals[] = {0, 0, 10, 100};
	static const enum portwatch_reader readers[] = {PORTWATCH_READER_AUTO,
	                                                PORTWATCH_READER_PROCFS};
	static const enum portwatch_table tables[] = {PORTWATCH_TABLE_AUTO, PORTWATCH_TABLE_PROCFS};

	portwatch_set_events(watcher, soak_random(random, 16));
	portwatch_set_interval(watcher, intervals[soak_random(random, 4)]);
	portwatch_set_reader(watcher, readers[soak_random(random, 4) == 0]);
	portwatch_set_table(watcher, tables[soak_random(random, 4) == 0]);
	portwatch_set_notifier(watcher, (int)soak_random(random, 2));
	if (getenv("SOAK_LOG"))
		portwatch_set_log(watcher, PORTWATCH_LOG_INFO, on_message);
	watch->stops = soak_random(random, 16) == 0;
	if (watch->stops)
		plan->expected = 0;
	else
		portwatch_set_events(watcher, PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE);
	if (soak_random(random, 4) == 0) {
		portwatch_set_scope(watcher, PORTWATCH_SCOPE_NETNS);
		plan->expected = 0;
	}
	plan->dispatches = soak_random(random, 2);
	if (plan->dispatches)
		portwatch_set_delivery(watcher, PORTWATCH_DELIVERY_DISPATCH);
}

static void run_watch(struct soak *soak, struct portwatch *watcher, const struct plan *plan,
                      struct brief_watch *watch, int milliseconds)
{
	if (plan->dispatches)
		portwatch_dispatch(watcher);
	if (plan->expected && atomic_load(&watch->initial) != plan->expected)
		soak_fail(soak,
		          "%u ports of process %d were reported at the start of a watcher, "
		          "not %u",
		          atomic_load(&watch->initial), plan->pid, plan->expected);
	soak_sleep(soak, milliseconds);
	if (plan->dispatches)
		portwatch_dispatch(watcher);
}

void soak_watch_briefly(struct soak *soak, pid_t root, uint32_t *random)
{
	struct plan plan = choose(soak, root, random);
	struct brief_watch watch = {.initial = 0};
	struct portwatch *watcher;
	char reason[400] = "";
	int error;

	if (plan.pid <= 0)
		return;
	error = portwatch_new(&watcher, plan.pid, on_event, &watch);
	if (error == 0) {
		set_options(watcher, &plan, &watch, random);
		error = portwatch_start(watcher);
		if (error < 0)
			portwatch_get_error(watcher, reason, sizeof(reason));
		if (error == 0)
			run_watch(soak, watcher, &plan, &watch, (int)soak_random(random, 50));
		if (soak_random(random, 2))
			portwatch_stop(watcher);
		portwatch_free(watcher);
		atomic_fetch_add(&soak->brief_watches, 1);
	}
	if (error < 0 && (plan.lives || error != -ESRCH))
		soak_fail(soak, "a watcher of the %s process %d: %s: %s",
		          plan.lives ? "long-lived" : "short-lived", plan.pid, strerror(-error),
		          reason);
	soak_sleep(soak, (int)soak_random(random, 100));
}
