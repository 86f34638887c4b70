/* SPDX-License-Identifier: MIT */
/* part_others.c - the cost of forks and connections of other processes, which are not reported */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "bench.h"
#include "load.h"
#include "rights.h"
#include "watching.h"

#define PART 9
#define FORKS 5000
#define CONNECTIONS 10000
/* Forks of each young process. */
#define FAMILY 10
/* The load process wakes up so often in a second, and then does all that is due. */
#define WAKEUPS 1000

struct watch {
	const char *who;
	bool notifier;
	const struct rights *rights; /* NULL: those of the benchmark */
};

static const struct watch watches[] = {
	{"as root", true, NULL},
	{"no privilege", true, &rights_none},
	{"polling alone", false, NULL},
};
#define WATCHES ((int)(sizeof(watches) / sizeof(watches[0])))

/* --- the load */

struct load {
	const char *what;
	unsigned int rate;         /* a second */
	unsigned int (*act)(void); /* returns the number of actions done; 0: failed */
};

static struct sockaddr_in server;
static int listener;

static unsigned int connect_once(void)
{
	struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), other;

	if (fd < 0)
		return 0;
	/* With a reset, no socket stays behind in TIME_WAIT. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) < 0) {
		close(fd);
		return 0;
	}
	other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(fd);
	if (other >= 0)
		close(other);
	return other >= 0;
}

static unsigned int fork_once(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

/* A young process forks the others, as happens in a shell or in make. */
static unsigned int fork_family(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		for (int i = 0; i < FAMILY; i++)
			fork_once();
		_exit(0);
	}
	return pid > 0 && waitpid(pid, NULL, 0) == pid ? FAMILY + 1 : 0;
}

static const struct load loads[] = {
	{"at rest", 0, NULL},
	{"5,000 foreign forks a second by an old process", FORKS, fork_once},
	{"5,000 foreign forks a second by young processes", FORKS, fork_family},
	{"10,000 foreign connections a second", CONNECTIONS, connect_once},
};
#define LOADS ((int)(sizeof(loads) / sizeof(loads[0])))

static void open_listener(void)
{
	socklen_t size = sizeof(server);

	server = (struct sockaddr_in){.sin_family = AF_INET};
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&server, size) < 0 ||
	    listen(listener, 128) < 0 ||
	    getsockname(listener, (struct sockaddr *)&server, &size) < 0)
		_exit(1);
}

/* Runs until it is killed. *done counts the actions. */
static _Noreturn void run_load(const struct load *load, _Atomic unsigned long *done)
{
	uint64_t begin, now;

	open_listener();
	begin = clock_now(CLOCK_MONOTONIC);
	for (;;) {
		now = clock_now(CLOCK_MONOTONIC);
		while (*done < (now - begin) / (NSEC_PER_SEC / load->rate)) {
			unsigned int count = load->act();

			if (count == 0)
				_exit(1);
			*done += count;
		}
		bench_sleep(NSEC_PER_SEC / WAKEUPS);
	}
}

/* --- measuring */

static double measure_cpu(const struct tasks *helpers, double duration,
                          const _Atomic unsigned long *done, double *rate)
{
	unsigned long first = *done;
	double before = load_cpu(helpers), took;
	uint64_t start = clock_now(CLOCK_MONOTONIC);

	bench_sleep((uint64_t)(duration * (double)NSEC_PER_SEC));
	took = seconds(clock_now(CLOCK_MONOTONIC) - start);
	*rate = (double)(*done - first) / took;
	return (load_cpu(helpers) - before) / took * 100;
}

static void measure(struct bench *bench, const struct watch *watch, const struct load *load,
                    _Atomic unsigned long *done, double *percent)
{
	struct way way = {.notifier = watch->notifier};
	static struct tasks helpers;
	struct watching watching;
	struct figure *figure;
	struct actor actor;
	double rate;
	pid_t pid = 0;

	if (!actor_start(&actor, PLACE_OWN, 1) || watching_start(&watching, actor.root, &way) < 0)
		bench_fail("%s: the actor cannot be watched", watch->who);
	*done = 0;
	if (load->act) {
		pid = bench_fork();
		if (pid == 0)
			run_load(load, done);
	}
	bench_sleep(NSEC_PER_SEC);
	load_helpers(&helpers, actor.root);
	for (size_t i = 0; i < helpers.count; i++)
		if (helpers.each[i] == pid)
			helpers.each[i] = helpers.each[--helpers.count];
	*percent = measure_cpu(&helpers, bench->quick ? 2 : 10, done, &rate);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	figure = report_figure(bench->report, PART, UNIT_PERCENT, *percent, NAN, "%s, %s",
	                       load->what, watch->who);
	if (load->act)
		report_note(figure, "%.0f a second were reached", rate);
	watching_stop(&watching);
	actor_stop(&actor);
}

/* Runs in a child, because the change of user is permanent. */
static void measure_in_child(struct bench *bench, const struct watch *watch, double *percents,
                             _Atomic unsigned long *done)
{
	pid_t pid = bench_fork();

	if (pid == 0) {
		if (bench->root && watch->rights && !rights_take(watch->rights))
			bench_fail("the user cannot be changed");
		for (int i = 0; i < LOADS; i++)
			measure(bench, watch, &loads[i], done, &percents[i]);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

void part_others(struct bench *bench)
{
	struct shared {
		_Atomic unsigned long done;
		double percents[WATCHES][LOADS];
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                 -1, 0);

	if (shared == MAP_FAILED)
		bench_fail("mmap: %s", strerror(errno));
	for (int i = 0; i < WATCHES; i++) {
		for (int j = 0; j < LOADS; j++)
			shared->percents[i][j] = NAN;
		bench_log("   %s", watches[i].who);
		measure_in_child(bench, &watches[i], shared->percents[i], &shared->done);
	}
	/* Row 1 is without privilege. The first load is none, the last is the connections. */
	report_budget(
		bench->report, UNIT_PERCENT,
		shared->percents[1][LOADS - 1] - shared->percents[1][0], 1,
		"CPU of 10,000 foreign connections a second, no privilege, more than at rest");
}
