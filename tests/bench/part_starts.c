/* SPDX-License-Identifier: MIT */
/* part_starts.c - time from listen(2) to the callback for a server that was just started, where the
 * kernel does not report listen(2) */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "rights.h"
#include "samples.h"
#include "watching.h"

#define PART 8
#define PATIENCE 10

/* A message of the server. */
struct server_message {
	int port;
	uint64_t before; /* CLOCK_MONOTONIC just before listen(2) or close(2) */
};

struct start {
	unsigned int delay; /* from its exec to its listen(2), in ms */
	bool notifier;
	unsigned int count; /* of starts in a full run */
	double opened, closed;
};

static const struct start table[] = {
	{2, true, 40, NAN, NAN},    {20, true, 40, NAN, NAN},  {200, true, 40, NAN, NAN},
	{2000, true, 16, NAN, NAN}, {20, false, 40, NAN, NAN},
};
#define STARTS ((int)(sizeof(table) / sizeof(table[0])))

/* --- the server */

static void send_message(int channel, struct server_message message)
{
	if (send(channel, &message, sizeof(message), MSG_NOSIGNAL) != sizeof(message))
		_exit(1);
}

/* argument: "CHANNEL,MILLISECONDS" */
void starts_serve(const char *argument)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int channel = atoi(argument), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *delay = strchr(argument, ',');
	socklen_t size = sizeof(address);
	struct server_message message;
	char byte;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bench_sleep(delay ? strtoull(delay + 1, NULL, 10) * NSEC_PER_MSEC : 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		_exit(1);
	message.port = ntohs(address.sin_port);
	message.before = clock_now(CLOCK_MONOTONIC);
	if (listen(fd, 16) < 0)
		_exit(1);
	send_message(channel, message);
	if (recv(channel, &byte, 1, 0) != 1)
		_exit(1);
	message.before = clock_now(CLOCK_MONOTONIC);
	close(fd);
	send_message(channel, message);
	_exit(0);
}

/* --- its parent, which is watched */

static void start_server(int channel, unsigned int delay)
{
	char argument[64];

	if (fork() != 0)
		return;
	snprintf(argument, sizeof(argument), STARTS_SERVE "%d,%u", channel, delay);
	execl("/proc/self/exe", "server", argument, (char *)NULL);
	_exit(1);
}

static pid_t parent_start(int *channel, unsigned int delay)
{
	int ends[2];
	pid_t pid;
	char byte;

	/* Not close-on-exec: the server inherits the channel. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
		bench_fail("socketpair: %s", strerror(errno));
	pid = bench_fork();
	if (pid == 0) {
		close(ends[0]);
		signal(SIGCHLD, SIG_IGN);
		if (recv(ends[1], &byte, 1, 0) == 1)
			start_server(ends[1], delay);
		for (;;)
			pause();
	}
	close(ends[1]);
	*channel = ends[0];
	return pid;
}

static void parent_stop(pid_t pid, int channel)
{
	close(channel);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- measuring */

static bool receive_message(int channel, struct server_message *message)
{
	return recv(channel, message, sizeof(*message), 0) == sizeof(*message);
}

static bool observe(struct watching *watching, int channel, struct samples *opened,
                    struct samples *closed)
{
	struct server_message message;

	/* The random pause avoids a fixed position within the poll interval. */
	bench_sleep(200 * NSEC_PER_MSEC + bench_random(200 * NSEC_PER_MSEC));
	if (send(channel, "", 1, MSG_NOSIGNAL) != 1 || !receive_message(channel, &message) ||
	    !sightings_wait(watching->opened, message.port, message.before, PATIENCE))
		return false;
	samples_add(opened, seconds(watching->opened->when[message.port] - message.before));
	bench_sleep(bench_random(100 * NSEC_PER_MSEC));
	if (send(channel, "", 1, MSG_NOSIGNAL) != 1 || !receive_message(channel, &message) ||
	    !sightings_wait(watching->closed, message.port, message.before, PATIENCE))
		return false;
	samples_add(closed, seconds(watching->closed->when[message.port] - message.before));
	return true;
}

/* Each start has a watcher of its own, so that the allowance for bursts is full. */
static bool measure_start(const struct start *start, struct samples *opened, struct samples *closed)
{
	struct way way = {.notifier = start->notifier};
	struct watching watching;
	int channel;
	pid_t parent = parent_start(&channel, start->delay);
	bool done = watching_start(&watching, parent, &way) == 0;

	if (done) {
		done = observe(&watching, channel, opened, closed);
		watching_stop(&watching);
	}
	parent_stop(parent, channel);
	return done;
}

static void measure(struct bench *bench, struct start *start)
{
	const char *by = start->notifier ? "no privilege" : "no privilege, polling alone";
	unsigned int count = bench->quick ? start->count / 4 : start->count;
	static struct samples opened, closed;
	char what[REPORT_TEXT];

	snprintf(what, sizeof(what), "%s, %u ms after its exec", by, start->delay);
	opened.count = closed.count = 0;
	for (unsigned int i = 0; i < count; i++) {
		if (measure_start(start, &opened, &closed))
			continue;
		report_impossible(bench->report, PART, what, "an event is missing");
		return;
	}
	start->opened = samples_median(&opened);
	start->closed = samples_median(&closed);
	report_figure(bench->report, PART, UNIT_SECONDS, start->opened,
	              samples_quantile(&opened, 0.99), "%s", what);
	report_figure(bench->report, PART, UNIT_SECONDS, start->closed,
	              samples_quantile(&closed, 0.99), "%s: close", what);
}

static void budgets(struct bench *bench, const struct start *starts)
{
	for (int i = 0; i < STARTS; i++) {
		double tenth = starts[i].delay * 1e-4;

		if (!starts[i].notifier)
			continue;
		report_budget(bench->report, UNIT_SECONDS, starts[i].opened,
		              tenth > 5e-3 ? tenth : 5e-3,
		              "without privilege, a server that listens %u ms after its exec, "
		              "median",
		              starts[i].delay);
	}
	report_budget(bench->report, UNIT_SECONDS, starts[1].closed, 1e-3,
	              "without privilege, end of listening to callback, median");
}

/* The change of user is permanent, and each part has a process of its own. */
void part_starts(struct bench *bench)
{
	struct start starts[STARTS];

	memcpy(starts, table, sizeof(starts));
	if (bench->root && !rights_take(&rights_none)) {
		report_impossible(bench->report, PART, "the whole part",
		                  "the user cannot be changed");
		return;
	}
	for (int i = 0; i < STARTS; i++) {
		bench_log("   %u ms after its exec%s", starts[i].delay,
		          starts[i].notifier ? "" : ", polling");
		measure(bench, &starts[i]);
	}
	budgets(bench, starts);
}
