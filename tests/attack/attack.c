/* SPDX-License-Identifier: MIT */
/* attack.c - the effect of a hostile tree on the watchers of other trees
 *
 *   attack [--short] [--first] [NAME]...
 *
 * One process watches two trees. While the first tree attacks, the second tree, the probe, opens
 * ports. The program measures the time from each listen(2) to the event, and prints a row for each
 * attack: the numbers of ports that were opened and missed, the times, and the cost of watching.
 * The status is 1 if a port was missed. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/loopback.h"
#include "support/patience.h"
#include "support/process_list.h"
#include "portwatch.h"
#include "util/clock.h"

#define PROBES_MAX 1000
/* Pause between two ports of the probe. */
#define PROBE_PAUSE_MSEC 50

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "attack: %s: %s\n", what, strerror(errno));
	_exit(1);
}

/* --- the probe */

struct opened {
	uint64_t time; /* CLOCK_MONOTONIC before listen(2) */
	uint16_t port;
};

/* Opens a port for each byte from `control`, and sends the time and the port. Ports stay open. */
static _Noreturn void probe(int control)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	char byte;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while (read(control, &byte, 1) == 1) {
		socklen_t size = sizeof(address);
		struct opened opened;
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		address.sin_port = 0;
		if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
			fail("bind");
		opened = (struct opened){clock_now(CLOCK_MONOTONIC), ntohs(address.sin_port)};
		if (listen(fd, 1) < 0)
			fail("listen");
		if (write(control, &opened, sizeof(opened)) != sizeof(opened))
			fail("write");
	}
	_exit(0);
}

/* --- the attackers: each prepares its attack, and then runs until it is killed */

static bool is_short; /* --short: smaller numbers, a shorter run */
static bool is_first; /* --first: the library and the probe run before all other processes */

/* On a busy machine the figures show how long processes wait for a CPU. With --first they do not:
 * only the attackers share the CPUs with the other processes. */
static void run_first(bool before_others)
{
	struct sched_param priority = {.sched_priority = before_others ? 1 : 0};

	if (is_first &&
	    sched_setscheduler(0, before_others ? SCHED_RR : SCHED_OTHER, &priority) < 0)
		fail("sched_setscheduler");
}

static pid_t fork_child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail("prctl");
	return pid;
}

static void listen_on(const struct sockaddr_in *address, int *fd)
{
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0 || bind(*fd, (const void *)address, sizeof(*address)) < 0 || listen(*fd, 1) < 0)
		fail("listen");
}

/* Opens and closes a port without end. The library searches for the owner of each port. */
static _Noreturn void churn(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	int fd;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (;;) {
		listen_on(&address, &fd);
		sched_yield();
		close(fd);
	}
}

/* Many processes share one large descriptor table. */
static void attack_descriptors(void)
{
	struct rlimit files;
	int number = is_short ? 2000 : 19900, processes = is_short ? 100 : 1000;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		fail("getrlimit");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		fail("setrlimit");
	for (int i = 0; i < number && dup(0) >= 0; i++)
		continue;
	for (int i = 0; i < processes; i++)
		if (syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL) == 0)
			for (;;)
				pause();
}

/* Many processes, four of which fork without a pause. */
static void attack_forks(void)
{
	int processes = is_short ? 300 : 15000;

	for (int i = 0; i < processes; i++)
		if (fork_child() == 0)
			for (;;)
				pause();
	for (int i = 0; i < 4; i++)
		if (fork_child() == 0)
			for (;;) {
				pid_t pid = fork();

				if (pid == 0)
					_exit(0);
				if (pid > 0)
					waitpid(pid, NULL, 0);
			}
}

/* Many network namespaces, with a listener in each. */
static void attack_namespaces(void)
{
	int number = is_short ? 40 : 2000;

	for (int i = 0; i < number; i++) {
		struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(8000)};
		int fd;

		if (fork_child() > 0)
			continue;
		if (unshare(CLONE_NEWNET) < 0)
			fail("unshare");
		listen_on(&address, &fd);
		for (;;)
			pause();
	}
}

/* Many listeners in one namespace, spread over processes because of the limit of descriptors. */
static void attack_listeners(void)
{
	int number = is_short ? 4000 : 300000, each = is_short ? 1000 : 15000;

	for (int i = 0; i < number / each; i++) {
		struct rlimit files;

		if (fork_child() > 0)
			continue;
		getrlimit(RLIMIT_NOFILE, &files);
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
		for (int j = 0; j < each; j++) {
			struct sockaddr_in address = {.sin_family = AF_INET};
			int fd;

			address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (uint32_t)i);
			address.sin_port = htons((uint16_t)(10000 + j));
			listen_on(&address, &fd);
		}
		for (;;)
			pause();
	}
}

static void attack_churn(void)
{
	for (int i = 0; i < 7; i++)
		if (fork_child() == 0)
			churn();
}

static const struct attack {
	const char *name;
	void (*begin)(void);
	bool own_namespace; /* false: the attacker and the probe share the network namespace */
	enum portwatch_addresses addresses;
} attacks[] = {
	{"none", NULL, true, PORTWATCH_ADDRESSES_DEFAULT},
	{"descriptors", attack_descriptors, true, PORTWATCH_ADDRESSES_DEFAULT},
	{"forks", attack_forks, true, PORTWATCH_ADDRESSES_DEFAULT},
	{"namespaces", attack_namespaces, true, PORTWATCH_ADDRESSES_DEFAULT},
	{"listeners", attack_listeners, true, PORTWATCH_ADDRESSES_ALL},
	{"churn", attack_churn, true, PORTWATCH_ADDRESSES_DEFAULT},
	{"churn, shared namespace", attack_churn, false, PORTWATCH_ADDRESSES_DEFAULT},
};

/* --- the watching process */

struct seen {
	uint64_t times[65536]; /* CLOCK_MONOTONIC of the event, by port; 0: none. Atomic. */
	uint64_t log_bytes;    /* sum of both watchers. Atomic. */
};

static struct seen *seen;

static void on_probe(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	(void)watcher;
	(void)data;
	if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_OPEN)
		__atomic_store_n(&seen->times[portwatch_event_get_port(event)],
		                 clock_now(CLOCK_MONOTONIC), __ATOMIC_RELEASE);
}

static void on_attacker(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	(void)watcher;
	(void)event;
	(void)data;
}

static void on_message(struct portwatch *watcher, enum portwatch_log_level level,
                       const char *message, void *data)
{
	(void)watcher;
	(void)level;
	(void)data;
	__atomic_fetch_add(&seen->log_bytes, strlen(message) + 1, __ATOMIC_RELAXED);
}

static struct portwatch *watch(pid_t pid, portwatch_callback callback,
                               enum portwatch_addresses addresses)
{
	struct portwatch *watcher;
	int result = portwatch_new(&watcher, pid, callback, NULL);

	if (result == 0) {
		portwatch_set_events(watcher, PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE);
		portwatch_set_addresses(watcher, addresses);
		portwatch_set_log(watcher, PORTWATCH_LOG_WARNING, on_message);
		result = portwatch_start(watcher);
	}
	errno = -result;
	if (result < 0)
		fail("portwatch_start");
	return watcher;
}

struct figures {
	uint64_t latencies[PROBES_MAX];
	size_t count, missed;
	uint64_t cpu, wall;
	size_t resident, descriptors, children;
};

static int compare(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

static uint64_t wait_for_event(uint16_t port, uint64_t deadline)
{
	uint64_t time;

	while ((time = __atomic_load_n(&seen->times[port], __ATOMIC_ACQUIRE)) == 0 &&
	       clock_now(CLOCK_MONOTONIC) < deadline)
		poll(NULL, 0, 1);
	return time;
}

/* The probe opens ports, one after the other, for the given time. */
static void measure(struct portwatch *watcher, int control, unsigned int seconds,
                    struct figures *figures)
{
	uint64_t begin = clock_now(CLOCK_MONOTONIC), end = begin + seconds * NSEC_PER_SEC;
	uint64_t cpu = portwatch_get_stat(watcher, PORTWATCH_STAT_CPU);
	uint16_t ports[PROBES_MAX];

	while (figures->count < PROBES_MAX && clock_now(CLOCK_MONOTONIC) < end) {
		struct opened opened;
		uint64_t time;

		if (write(control, "", 1) != 1 ||
		    read(control, &opened, sizeof(opened)) != sizeof(opened))
			fail("cannot command the probe");
		ports[figures->count] = opened.port;
		/* A port that is not reported within a second is missed only if it is not reported
		 * until the end either. */
		time = wait_for_event(opened.port, opened.time + NSEC_PER_SEC);
		figures->latencies[figures->count++] = time > opened.time ? time - opened.time
		                                       : time             ? 0
		                                                          : UINT64_MAX;
		poll(NULL, 0, PROBE_PAUSE_MSEC);
	}
	figures->wall = clock_now(CLOCK_MONOTONIC) - begin;
	figures->cpu = portwatch_get_stat(watcher, PORTWATCH_STAT_CPU) - cpu;
	figures->resident = process_resident();
	figures->descriptors = process_descriptors();
	figures->children = process_children();
	for (size_t i = 0; i < figures->count; i++)
		if (figures->latencies[i] == UINT64_MAX &&
		    wait_for_event(ports[i], clock_now(CLOCK_MONOTONIC) +
		                                     (uint64_t)patience(10) * NSEC_PER_SEC) == 0)
			figures->missed++;
	qsort(figures->latencies, figures->count, sizeof(figures->latencies[0]), compare);
}

/* Starts a tree in a new session. Without `begin`, the tree is the probe. Returns its PID. */
static pid_t start(bool own_namespace, void (*begin)(void), int control)
{
	char ready;
	pid_t pid = fork_child();

	if (pid > 0)
		return pid;
	setsid();
	if (own_namespace) {
		if (unshare(CLONE_NEWNET) < 0)
			fail("unshare");
		loopback_up();
	}
	if (!begin)
		probe(control);
	run_first(false);
	/* The attack starts after the watcher. */
	if (read(control, &ready, 1) != 1)
		_exit(0);
	begin();
	if (write(control, "", 1) != 1)
		fail("write");
	churn();
}

static void end(pid_t pid)
{
	/* All processes of the tree are in the process group of its root. */
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void print_time(uint64_t time)
{
	if (time == UINT64_MAX)
		printf(" | > 1 s");
	else
		printf(" | %.2f ms", (double)time / 1e6);
}

static bool run(const struct attack *attack, unsigned int seconds)
{
	struct portwatch *attacker = NULL, *probed;
	static struct figures figures;
	int probe_ends[2], attack_ends[2];
	pid_t probe_pid, attack_pid = 0;
	char ready;

	memset(&figures, 0, sizeof(figures));
	memset(seen, 0, sizeof(*seen));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, probe_ends) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, attack_ends) < 0)
		fail("socketpair");
	probe_pid = start(attack->own_namespace, NULL, probe_ends[1]);
	probed = watch(probe_pid, on_probe, PORTWATCH_ADDRESSES_DEFAULT);
	if (attack->begin) {
		attack_pid = start(attack->own_namespace, attack->begin, attack_ends[1]);
		attacker = watch(attack_pid, on_attacker, attack->addresses);
		if (write(attack_ends[0], "", 1) != 1 || read(attack_ends[0], &ready, 1) != 1)
			fail("start the attack");
	}
	measure(probed, probe_ends[0], seconds, &figures);
	printf("| %s | %zu | %zu", attack->name, figures.count, figures.missed);
	print_time(figures.latencies[figures.count / 2]);
	print_time(figures.latencies[figures.count - 1]);
	printf(" | %.1f%% | %zu KiB | %zu | %zu | %llu |\n",
	       100.0 * (double)figures.cpu / (double)figures.wall, figures.resident,
	       figures.descriptors, figures.children, (unsigned long long)seen->log_bytes);
	fflush(stdout);
	if (attack_pid)
		end(attack_pid);
	end(probe_pid);
	portwatch_free(attacker);
	portwatch_free(probed);
	for (int i = 0; i < 2; i++) {
		close(probe_ends[i]);
		close(attack_ends[i]);
	}
	return figures.missed == 0;
}

static bool is_wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"short", no_argument, NULL, 's'},
		{"first", no_argument, NULL, 'f'},
		{0},
	};
	bool all = true;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 's' && option != 'f')
			return 2;
		is_short |= option == 's';
		is_first |= option == 'f';
	}
	if (geteuid() != 0 || (fork_child() == 0 && (_exit(unshare(CLONE_NEWNET) < 0), true))) {
		fprintf(stderr, "SKIP: network namespaces require root\n");
		return 77;
	}
	wait(&option);
	if (option != 0) {
		fprintf(stderr, "SKIP: no network namespace can be created here\n");
		return 77;
	}
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	            0);
	if (seen == MAP_FAILED)
		fail("mmap");
	run_first(true);
	printf("| attack | ports | missed | median | longest | CPU | resident | descriptors | "
	       "children | log bytes |\n|---|---|---|---|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		if (is_wanted(attacks[i].name, argv + optind))
			all &= run(&attacks[i], is_short ? 2 : 10);
	return !all;
}
