/* SPDX-License-Identifier: MIT */
/* part_starts.c - how long after listen(2) a server is reported that has just been started, where
 * the kernel doesn't report listen(2) */
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

/* What a server says of itself. */
struct word {
	int port;
	uint64_t before; /* CLOCK_MONOTONIC just before listen(2) or close(2) */
};

struct start {
	unsigned int delay; /* from its exec to its listen(2), in ms */
	bool notifier;
	unsigned int count; /* starts, in a full run */
	double opened, closed;
};

static const struct start table[] = {
	{2, true, 40, NAN, NAN},    {20, true, 40, NAN, NAN},  {200, true, 40, NAN, NAN},
	{2000, true, 16, NAN, NAN}, {20, false, 40, NAN, NAN},
};
#define STARTS ((int)(sizeof(table) / sizeof(table[0])))

/* --- the server */

static void say(int channel, struct word word)
{
	if (send(channel, &word, sizeof(word), MSG_NOSIGNAL) != sizeof(word))
		_exit(1);
}

/* "CHANNEL,MILLISECONDS" */
void starts_serve(const char *argument)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int channel = atoi(argument), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *delay = strchr(argument, ',');
	socklen_t size = sizeof(address);
	struct word word;
	char byte;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	bench_sleep(delay ? strtoull(delay + 1, NULL, 10) * NSEC_PER_MSEC : 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		_exit(1);
	word.port = ntohs(address.sin_port);
	word.before = clock_now(CLOCK_MONOTONIC);
	if (listen(fd, 16) < 0)
		_exit(1);
	say(channel, word);
	if (recv(channel, &byte, 1, 0) != 1)
		_exit(1);
	word.before = clock_now(CLOCK_MONOTONIC);
	close(fd);
	say(channel, word);
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

	/* Not close-on-exec: the server has it. */
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

static bool hear(int channel, struct word *word)
{
	return recv(channel, word, sizeof(*word), 0) == sizeof(*word);
}

static bool observe(struct watching *watching, int channel, struct samples *opened,
                    struct samples *closed)
{
	struct word word;

	/* At no particular moment of the polls. */
	bench_sleep(200 * NSEC_PER_MSEC + bench_random(200 * NSEC_PER_MSEC));
	if (send(channel, "", 1, MSG_NOSIGNAL) != 1 || !hear(channel, &word) ||
	    !sightings_wait(watching->opened, word.port, word.before, PATIENCE))
		return false;
	samples_add(opened, seconds(watching->opened->when[word.port] - word.before));
	bench_sleep(bench_random(100 * NSEC_PER_MSEC));
	if (send(channel, "", 1, MSG_NOSIGNAL) != 1 || !hear(channel, &word) ||
	    !sightings_wait(watching->closed, word.port, word.before, PATIENCE))
		return false;
	samples_add(closed, seconds(watching->closed->when[word.port] - word.before));
	return true;
}

/* With a watcher of its own: what it may spend on bursts was saved in quiet time. */
static bool once(const struct start *start, struct samples *opened, struct samples *closed)
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
		if (once(start, &opened, &closed))
			continue;
		report_impossible(bench->report, PART, what, "an event did not come");
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

/* As another user for good. */
void part_starts(struct bench *bench)
{
	struct start starts[STARTS];

	memcpy(starts, table, sizeof(starts));
	if (bench->root && !rights_take(&rights_none)) {
		report_impossible(bench->report, PART, "all of it", "no other user can be had");
		return;
	}
	for (int i = 0; i < STARTS; i++) {
		bench_say("   %u ms after its exec%s", starts[i].delay,
		          starts[i].notifier ? "" : ", polling");
		measure(bench, &starts[i]);
	}
	budgets(bench, starts);
}
