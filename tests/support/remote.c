/* SPDX-License-Identifier: MIT */
/* remote.c - a watcher in a process of its own */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_main.h"
#include "remote.h"

#define EVENTS_MAX 65536

/* A report to the test: an event or an answer. */
struct report {
	bool is_event;
	struct collected event;
	uint64_t answer;
};

/* --- in the watching process ------------------------------------------------------------------ */

static void report(int link, const struct report *report)
{
	if (send(link, report, sizeof(*report), MSG_NOSIGNAL) != (ssize_t)sizeof(*report))
		_exit(1);
}

static void report_events(int link, struct collect *collect)
{
	ck_assert_int_ge(portwatch_dispatch(collect->watcher), 0);
	for (size_t i = 0; i < collect->count; i++)
		report(link, &(struct report){.is_event = true, .event = collect->events[i]});
	collect_forget(collect);
}

static void answer(int link, struct collect *collect)
{
	enum portwatch_stat stat;

	if (recv(link, &stat, sizeof(stat), 0) != (ssize_t)sizeof(stat))
		_exit(0);
	report(link, &(struct report){.answer = portwatch_get_stat(collect->watcher, stat)});
}

static _Noreturn void serve(int link, pid_t pid, unsigned int interval, unsigned int kinds)
{
	struct collect collect;
	struct pollfd wait[2];

	collect_new(&collect, pid);
	ck_assert_int_eq(portwatch_set_delivery(collect.watcher, PORTWATCH_DELIVERY_DISPATCH), 0);
	ck_assert_int_eq(portwatch_set_interval(collect.watcher, interval), 0);
	ck_assert_int_eq(portwatch_set_events(collect.watcher, kinds), 0);
	collect_start(&collect);
	report_events(link, &collect);
	report(link, &(struct report){.answer = portwatch_get_notifier(collect.watcher,
	                                                               PORTWATCH_NOTICE_LISTEN,
	                                                               NULL, 0) > 0});
	wait[0] = (struct pollfd){.fd = portwatch_get_fd(collect.watcher), .events = POLLIN};
	wait[1] = (struct pollfd){.fd = link, .events = POLLIN};
	for (;;) {
		poll(wait, 2, -1);
		report_events(link, &collect);
		if (wait[1].revents)
			answer(link, &collect);
	}
}

/* --- in the test ------------------------------------------------------------------------------ */

/* Receives one report. Returns true if the report is an answer. */
static bool receive(struct remote *remote, uint64_t *value)
{
	struct pollfd wait = {.fd = remote->link, .events = POLLIN};
	struct report report;

	ck_assert_msg(poll(&wait, 1, COLLECT_PATIENCE * 1000) == 1, "nothing after %zu events",
	              remote->count);
	ck_assert_int_eq(recv(remote->link, &report, sizeof(report), 0), sizeof(report));
	if (!report.is_event) {
		*value = report.answer;
		return true;
	}
	ck_assert_uint_lt(remote->count, EVENTS_MAX);
	remote->events[remote->count++] = report.event;
	return false;
}

static uint64_t await_answer(struct remote *remote)
{
	uint64_t value = 0;

	while (!receive(remote, &value))
		continue;
	return value;
}

void remote_start(struct remote *remote, pid_t pid, unsigned int interval)
{
	remote_start_for(remote, pid, interval, COLLECT_KINDS);
}

void remote_start_for(struct remote *remote, pid_t pid, unsigned int interval, unsigned int kinds)
{
	int ends[2];

	*remote = (struct remote){0};
	remote->events = mmap(NULL, EVENTS_MAX * sizeof(*remote->events), PROT_READ | PROT_WRITE,
	                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(remote->events, MAP_FAILED);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	remote->pid = fork();
	ck_assert_int_ge(remote->pid, 0);
	if (remote->pid == 0) {
		/* A failed test may have left this process stopped, so the kernel has to kill this
		 * process. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		serve(ends[1], pid, interval, kinds);
	}
	close(ends[1]);
	remote->link = ends[0];
	remote->notifier = await_answer(remote) == 1;
}

void remote_end(struct remote *remote)
{
	close(remote->link);
	ck_assert_int_eq(waitpid(remote->pid, NULL, 0), remote->pid);
	munmap(remote->events, EVENTS_MAX * sizeof(*remote->events));
}

size_t remote_count(const struct remote *remote, enum portwatch_event_kind kind,
                    const char *address, uint16_t port)
{
	size_t found = 0;

	for (size_t i = 0; i < remote->count; i++) {
		const struct collected *event = &remote->events[i];

		found += event->kind == kind && (port == 0 || event->port == port) &&
		         (!address || strcmp(event->address, address) == 0);
	}
	return found;
}

void remote_wait(struct remote *remote, enum portwatch_event_kind kind, const char *address,
                 uint16_t port, size_t count)
{
	uint64_t unasked = 0;

	while (remote_count(remote, kind, address, port) < count)
		ck_assert(!receive(remote, &unasked));
	ck_assert_uint_eq(remote_count(remote, kind, address, port), count);
}

uint64_t remote_stat(struct remote *remote, enum portwatch_stat stat)
{
	ck_assert_int_eq(send(remote->link, &stat, sizeof(stat), MSG_NOSIGNAL), sizeof(stat));
	return await_answer(remote);
}
