/* SPDX-License-Identifier: MIT */
/* soak.c - a long time under attack, to see that nothing is lost and nothing grows */
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
#include "direct.h"

#define SECONDS_DEFAULT 3
#define SECONDS_MAX 1000000
/* One line for each of so many parts, if that many are long enough. */
#define PARTS_MAX 30
#define PART_MIN 1 /* s */
#define PATIENCE ((uint64_t)patience(120) * NSEC_PER_SEC)

static const char usage[] =
	"Usage: soak [--seconds=N]\n"
	"\n"
	"Watches a tree of processes for N seconds (default 3), while network namespaces are\n"
	"made and destroyed, trees fork and die, listeners come and go, helpers are killed and\n"
	"stopped, and more watchers are started and freed. 30 times, or less often in a short\n"
	"run, all of that pauses, and a line tells what the watching process holds then.\n"
	"\n"
	"Fails unless descriptors, threads, helpers and zombies are those of the first line each\n"
	"time, each long-lived port was reported once and never as closed, each other port was\n"
	"reported as closed, and, in ten minutes or more, resident memory doesn't grow.\n"
	"SOAK_LOG=1 in the environment prints the library's messages.\n";

struct direction {
	struct soak *soak;
	unsigned int seconds;
	pid_t stage;
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
		soak_complain(soak, "may not be skipped");
}

static void prepare(struct soak *soak)
{
	soak->namespaces = can_make_namespaces();
	soak->keepers = soak->namespaces ? SOAK_KEEPERS : 1;
	/* Then nobody else opens a port in what is our own. */
	if (soak->namespaces)
		soak_enter_netns();
	else
		skip(soak, "namespaces that come and go: none can be made here");
	/* Detached processes come to us, who are not watched. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Reaps what was detached. False if one of the two is among it. */
static bool reap(struct direction *direction)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == direction->stage || pid == direction->watching) {
			soak_complain(direction->soak, "the %s process has died: status %#x",
			              pid == direction->stage ? "watched" : "watching",
			              (unsigned int)status);
			return false;
		}
	return true;
}

/* Waits until *value is at least `least`, or negative. */
static bool await(struct direction *direction, atomic_int *value, int least, const char *what)
{
	uint64_t deadline = clock_now(CLOCK_MONOTONIC) + PATIENCE;

	while (atomic_load(value) >= 0 && atomic_load(value) < least) {
		if (!reap(direction))
			return false;
		if (clock_now(CLOCK_MONOTONIC) >= deadline) {
			soak_complain(direction->soak, "%s takes too long", what);
			return false;
		}
		soak_nap(direction->soak, 10);
	}
	return atomic_load(value) >= least;
}

static pid_t start(struct soak *soak, void (*body)(struct soak *soak, pid_t root), pid_t root)
{
	pid_t pid = fork();

	if (pid == 0)
		body(soak, root);
	if (pid < 0)
		soak_complain(soak, "fork: %s", strerror(errno));
	return pid;
}

static void stage(struct soak *soak, pid_t unused)
{
	(void)unused;
	soak_stage(soak);
}

/* Half of the long-lived ports are open when the watchers start. */
static bool begin(struct direction *direction)
{
	struct soak *soak = direction->soak;

	direction->stage = start(soak, stage, 0);
	if (direction->stage < 0 || !await(direction, &soak->ready, soak->keepers, "opening ports"))
		return false;
	direction->watching = start(soak, soak_watch, direction->stage);
	if (direction->watching < 0 ||
	    !await(direction, &soak->watching, 1, "starting the watchers"))
		return false;
	atomic_store(&soak->open_rest, true);
	return await(direction, &soak->ready, 2 * soak->keepers, "opening more ports");
}

/* One part: trouble, then a pause. */
static bool run_part(struct direction *direction, uint64_t begin, unsigned int part,
                     uint64_t length)
{
	struct soak *soak = direction->soak;
	struct killer *killer = &direction->killer;
	uint64_t now = clock_now(CLOCK_MONOTONIC), until = begin + part * length;

	/* A pause may take long, but is not to take all. */
	if (until < now + length / 2)
		until = now + length / 2;
	atomic_store(&soak->phase, SOAK_RUN);
	while (clock_now(CLOCK_MONOTONIC) < until) {
		if (!reap(direction))
			return false;
		killer_turn(killer, direction->watching);
		soak_nap(soak, 100 + (int)soak_random(&killer->random, 400));
	}
	samples_take(&direction->samples, soak, direction->watching);
	now = clock_now(CLOCK_MONOTONIC);
	samples_print(&direction->samples, soak, (double)(now - begin) / (double)NSEC_PER_SEC,
	              killer);
	return reap(direction);
}

static void run(struct direction *direction)
{
	unsigned int parts = direction->seconds / PART_MIN;
	uint64_t begin = clock_now(CLOCK_MONOTONIC), length;

	parts = parts > PARTS_MAX ? PARTS_MAX : parts;
	length = direction->seconds * NSEC_PER_SEC / parts;
	for (unsigned int i = 1; i <= parts; i++)
		if (!run_part(direction, begin, i, length))
			return;
	if (!atomic_load(&direction->soak->notifier))
		skip(direction->soak, "the notifier: the kernel refuses it");
	samples_judge(&direction->samples, direction->soak, direction->seconds);
}

/* The watching process says at its end what it thinks of itself. */
static void end(struct direction *direction)
{
	int status = 0;

	atomic_store(&direction->soak->phase, SOAK_QUIT);
	if (direction->watching > 0 && waitpid(direction->watching, &status, 0) > 0 && status != 0)
		soak_complain(direction->soak, "the watching process has ended with status %#x",
		              (unsigned int)status);
	atomic_store(&direction->soak->phase, SOAK_END);
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
	struct direction direction = {.killer.random = 1};

	if (parse(argc, argv, &direction.seconds) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	direction.soak = share();
	prepare(direction.soak);
	if (begin(&direction))
		run(&direction);
	end(&direction);
	if (atomic_load(&direction.soak->complaints) > 0) {
		printf("%u complaints\n", atomic_load(&direction.soak->complaints));
		return EXIT_FAILURE;
	}
	printf("nothing was lost and nothing has grown\n");
	return EXIT_SUCCESS;
}
