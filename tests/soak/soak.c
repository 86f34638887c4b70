/* SPDX-License-Identifier: MIT */
/* soak.c - a long run under attack: no event may be lost, and no resource may grow */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/patience.h"
#include "util/clock.h"
#include "director.h"

#define SECONDS_DEFAULT 3
#define SECONDS_MAX 1000000
/* A run has at most PARTS_MAX parts, each with one line of output. */
#define PARTS_MAX 30
#define PART_MIN 1 /* s */
#define PATIENCE ((uint64_t)patience(120) * NSEC_PER_SEC)

static const char usage[] =
	"Usage: soak [--seconds=N]\n"
	"\n"
	"Watches a tree of processes for N seconds (default 3). Meanwhile network namespaces are\n"
	"created and end, trees fork and die, ports open and close, helpers are killed and\n"
	"stopped, and more watchers are started and freed. 30 times, or less often in a short\n"
	"run, everything pauses, and a line shows the resources of the watching process.\n"
	"\n"
	"Fails unless the numbers of descriptors, threads, helpers and zombies are equal in all\n"
	"lines, each long-lived port was reported once and never as closed, each other port was\n"
	"reported as closed, and, in ten minutes or more, resident memory does not grow.\n"
	"SOAK_LOG=1 in the environment prints the library's messages.\n";

struct director {
	struct soak *soak;
	unsigned int seconds;
	pid_t tree;
	pid_t watching;
	struct killer killer;
	struct samples samples;
};

static bool can_make_namespaces(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(soak_enter_netns() < 0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static struct soak *share(void)
{
	struct soak *soak = mmap(NULL, sizeof(*soak), PROT_READ | PROT_WRITE,
	                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (soak == MAP_FAILED) {
		fprintf(stderr, "soak: mmap: %s\n", strerror(errno));
		exit(EXIT_FAILURE);
	}
	soak->director = getpid();
	return soak;
}

static void skip(struct soak *soak, const char *what)
{
	const char *refused = getenv("PORTWATCH_TEST_NO_SKIP");

	fprintf(stderr, "SKIP: %s\n", what);
	if (refused && *refused != '\0')
		soak_fail(soak, "PORTWATCH_TEST_NO_SKIP forbids the skip");
}

static void prepare(struct soak *soak)
{
	soak->namespaces = can_make_namespaces();
	soak->keepers = soak->namespaces ? SOAK_KEEPERS : 1;
	/* In a namespace of its own, no other process can use the ports of the soak. */
	if (soak->namespaces)
		soak_enter_netns();
	else
		skip(soak, "network namespaces: none can be created here");
	/* Detached processes become children of the director, which is not watched. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Reaps detached processes. Returns false if the watched or the watching process has exited. */
static bool reap(struct director *director)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == director->tree || pid == director->watching) {
			soak_fail(director->soak, "the %s process has died: status %#x",
			          pid == director->tree ? "watched" : "watching",
			          (unsigned int)status);
			return false;
		}
	return true;
}

/* Waits until *value is at least `least` or negative. Returns whether it is at least `least`. */
static bool wait_for(struct director *director, atomic_int *value, int least, const char *what)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE;

	while (atomic_load(value) >= 0 && atomic_load(value) < least) {
		if (!reap(director))
			return false;
		if (clock_now(CLOCK_MONOTONIC) >= deadline) {
			soak_fail(director->soak, "%s takes too long", what);
			return false;
		}
		soak_sleep(director->soak, 10);
	}
	return atomic_load(value) >= least;
}

static pid_t start(struct soak *soak, void (*body)(struct soak *soak, pid_t root), pid_t root)
{
	pid_t pid = fork();

	if (pid == 0)
		body(soak, root);
	if (pid < 0)
		soak_fail(soak, "fork: %s", strerror(errno));
	return pid;
}

static void run_tree(struct soak *soak, pid_t unused)
{
	(void)unused;
	soak_run_tree(soak);
}

/* Half of the long-lived ports are open when the watchers start. */
static bool begin(struct director *director)
{
	struct soak *soak = director->soak;

	director->tree = start(soak, run_tree, 0);
	if (director->tree < 0 || !wait_for(director, &soak->ready, soak->keepers, "opening ports"))
		return false;
	director->watching = start(soak, soak_watch, director->tree);
	if (director->watching < 0 ||
	    !wait_for(director, &soak->watching, 1, "starting the watchers"))
		return false;
	atomic_store(&soak->open_rest, true);
	return wait_for(director, &soak->ready, 2 * soak->keepers, "opening more ports");
}

/* One part: the actors and the killer run, then all pause. */
static bool run_part(struct director *director, uint64_t begin, unsigned int part, uint64_t length)
{
	struct soak *soak = director->soak;
	struct killer *killer = &director->killer;
	uint64_t now = clock_now(CLOCK_MONOTONIC), until = begin + part * length;

	/* A pause can take long, but every part must have some time to run. */
	if (until < now + length / 2)
		until = now + length / 2;
	atomic_store(&soak->phase, SOAK_RUN);
	while (clock_now(CLOCK_MONOTONIC) < until) {
		if (!reap(director))
			return false;
		killer_attack(killer, director->watching);
		soak_sleep(soak, 100 + (int)soak_random(&killer->random, 400));
	}
	samples_take(&director->samples, soak, director->watching);
	now = clock_now(CLOCK_MONOTONIC);
	samples_print(&director->samples, soak, (double)(now - begin) / (double)NSEC_PER_SEC,
	              killer);
	return reap(director);
}

static void run(struct director *director)
{
	unsigned int parts = director->seconds / PART_MIN;
	uint64_t begin = clock_now(CLOCK_MONOTONIC), length;

	parts = parts > PARTS_MAX ? PARTS_MAX : parts;
	length = director->seconds * NSEC_PER_SEC / parts;
	for (unsigned int i = 1; i <= parts; i++)
		if (!run_part(director, begin, i, length))
			return;
	if (!atomic_load(&director->soak->notifier))
		skip(director->soak, "the notifier: the kernel refuses the notifier");
	samples_judge(&director->samples, director->soak, director->seconds);
}

/* The exit status of the watching process is part of the result. */
static void end(struct director *director)
{
	int status = 0;

	atomic_store(&director->soak->phase, SOAK_QUIT);
	if (director->watching > 0 && waitpid(director->watching, &status, 0) > 0 && status != 0)
		soak_fail(director->soak, "the watching process has ended with status %#x",
		          (unsigned int)status);
	atomic_store(&director->soak->phase, SOAK_END);
	while (wait(NULL) > 0)
		;
}

static int parse(int argc, char **argv, unsigned int *seconds)
{
	static const struct option options[] = {
		{"seconds", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	char *rest;
	int option;

	*seconds = SECONDS_DEFAULT;
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		unsigned long number = option == 's' ? strtoul(optarg, &rest, 10) : 0;

		if (option == 'h') {
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		}
		if (option != 's' || *rest || number < PART_MIN || number > SECONDS_MAX)
			return -1;
		*seconds = (unsigned int)number;
	}
	return optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct director director = {.killer.random = 1};

	if (parse(argc, argv, &director.seconds) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	director.soak = share();
	prepare(director.soak);
	if (begin(&director))
		run(&director);
	end(&director);
	if (atomic_load(&director.soak->failures) > 0) {
		printf("%u failures\n", atomic_load(&director.soak->failures));
		return EXIT_FAILURE;
	}
	printf("no event was lost, and no resource has grown\n");
	return EXIT_SUCCESS;
}
