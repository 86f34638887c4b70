/* SPDX-License-Identifier: MIT */
/* actor.c - starts actors, and tells them what to do */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor_commands.h"
#include "bench.h"
#include "support/loopback.h"

/* Descriptors that each idle member of the tree holds, beside the standard three. */
#define MEMBER_DESCRIPTORS 5

uid_t actor_user;

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

/* Maps the user to root of the new user namespace: to bring up an interface there. */
static bool map_ids(uid_t uid, gid_t gid)
{
	char users[32], groups[32];

	snprintf(users, sizeof(users), "0 %u 1", uid);
	snprintf(groups, sizeof(groups), "0 %u 1", gid);
	return write_text("/proc/self/setgroups", "deny") &&
	       write_text("/proc/self/uid_map", users) && write_text("/proc/self/gid_map", groups);
}

static bool go(enum place place)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (place == PLACE_OWN)
		return true;
	if (uid != 0)
		place = PLACE_USER;
	if (unshare(place == PLACE_USER ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET) < 0)
		return false;
	if (place == PLACE_USER && !map_ids(uid, gid))
		return false;
	return loopback_up() == 0;
}

static void add_idle(unsigned int count)
{
	while (count-- > 0) {
		if (bench_fork() > 0)
			continue;
		for (int i = 0; i < MEMBER_DESCRIPTORS; i++)
			open("/dev/null", O_RDONLY | O_CLOEXEC);
		for (;;)
			pause();
	}
}

static void act(int channel)
{
	struct deed hello = {.port = getpid()};

	if (send(channel, &hello, sizeof(hello), 0) < 0)
		_exit(1);
	actor_serve(channel);
}

static bool change_user(void)
{
	return setgroups(0, NULL) == 0 && setresgid(actor_user, actor_user, actor_user) == 0 &&
	       setresuid(actor_user, actor_user, actor_user) == 0;
}

static void become_root(int channel, enum place place, unsigned int members)
{
	if (!go(place) || (actor_user && !change_user()))
		_exit(1);
	/* A change of user has made it unreadable for that user. */
	prctl(PR_SET_DUMPABLE, 1);
	if (members <= 1)
		act(channel);
	add_idle((members - 2) / 2);
	if (bench_fork() == 0)
		act(channel);
	close(channel);
	add_idle((members - 2) - (members - 2) / 2);
	for (;;)
		pause();
}

static struct deed answer(struct actor *actor)
{
	struct deed deed = {.error = EPIPE};

	while (recv(actor->channel, &deed, sizeof(deed), 0) < 0 && errno == EINTR)
		;
	return deed;
}

bool actor_start(struct actor *actor, enum place place, unsigned int members)
{
	int ends[2];
	struct deed hello;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		bench_fail("socketpair: %s", strerror(errno));
	actor->root = bench_fork();
	if (actor->root == 0) {
		close(ends[0]);
		become_root(ends[1], place, members);
	}
	close(ends[1]);
	actor->channel = ends[0];
	hello = answer(actor);
	actor->pid = hello.port;
	if (hello.error == 0)
		return true;
	actor_stop(actor);
	return false;
}

void actor_stop(struct actor *actor)
{
	close(actor->channel);
	kill(actor->root, SIGKILL);
	while (waitpid(actor->root, NULL, 0) < 0 && errno == EINTR)
		;
}

static void tell_begin(struct actor *actor, const struct actor_command *command)
{
	if (send(actor->channel, command, sizeof(*command), MSG_NOSIGNAL) < 0)
		bench_fail("an actor has died");
}

static struct deed tell_end(struct actor *actor)
{
	struct deed deed = answer(actor);

	if (deed.error)
		bench_fail("an actor could not do as it was told: %s", strerror(deed.error));
	return deed;
}

static struct deed tell(struct actor *actor, const struct actor_command *command)
{
	tell_begin(actor, command);
	return tell_end(actor);
}

struct deed actor_listen(struct actor *actor, int port)
{
	return tell(actor, &(struct actor_command){.verb = ACTOR_LISTEN, .a = port});
}

void actor_listen_begin(struct actor *actor, int port, uint64_t delay)
{
	tell_begin(actor, &(struct actor_command){.verb = ACTOR_LISTEN, .a = port, .time = delay});
}

struct deed actor_listen_end(struct actor *actor)
{
	return tell_end(actor);
}

struct deed actor_close(struct actor *actor, int port)
{
	return tell(actor, &(struct actor_command){.verb = ACTOR_CLOSE, .a = port});
}

void actor_fill(struct actor *actor, int listeners, int connections)
{
	tell(actor, &(struct actor_command){.verb = ACTOR_FILL, .a = listeners, .b = connections});
}

double actor_dumps(struct actor *actor, int count, uint64_t pause)
{
	return tell(actor, &(struct actor_command){.verb = ACTOR_DUMPS, .a = count, .time = pause})
	        .value;
}

void actor_storm(struct actor *actor, struct storm_port *ports, int keep, uint64_t stay)
{
	tell(actor,
	     &(struct actor_command){.verb = ACTOR_STORM, .a = keep, .time = stay, .ports = ports});
}
