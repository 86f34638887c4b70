/* SPDX-License-Identifier: MIT */
/* actor.c - starts actors and sends commands to them */
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

/* Open descriptors of each idle member of the tree, in addition to the standard three. */
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

/* Maps the user to root of the new user namespace, who may bring up the loopback interface. */
static bool map_ids(uid_t uid, gid_t gid)
{
	char users[32], groups[32];

	snprintf(users, sizeof(users), "0 %u 1", uid);
	snprintf(groups, sizeof(groups), "0 %u 1", gid);
	return write_text("/proc/self/setgroups", "deny") &&
	       write_text("/proc/self/uid_map", users) && write_text("/proc/self/gid_map", groups);
}

static bool enter_place(enum place place)
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

static void serve_as_actor(int channel)
{
	struct actor_result ready = {.port = getpid()};

	if (send(channel, &ready, sizeof(ready), 0) < 0)
		_exit(1);
	actor_serve(channel);
}

static bool change_user(void)
{
	return setgroups(0, NULL) == 0 && setresgid(actor_user, actor_user, actor_user) == 0 &&
	       setresuid(actor_user, actor_user, actor_user) == 0;
}

static void run_root(int channel, enum place place, unsigned int members)
{
	if (!enter_place(place) || (actor_user && !change_user()))
		_exit(1);
	/* After a change of user the kernel makes the process unreadable for that user. */
	prctl(PR_SET_DUMPABLE, 1);
	if (members <= 1)
		serve_as_actor(channel);
	add_idle((members - 2) / 2);
	if (bench_fork() == 0)
		serve_as_actor(channel);
	close(channel);
	add_idle((members - 2) - (members - 2) / 2);
	for (;;)
		pause();
}

static struct actor_result receive_result(struct actor *actor)
{
	struct actor_result result = {.error = EPIPE};

	while (recv(actor->channel, &result, sizeof(result), 0) < 0 && errno == EINTR)
		;
	return result;
}

bool actor_start(struct actor *actor, enum place place, unsigned int members)
{
	int ends[2];
	struct actor_result ready;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		bench_fail("socketpair: %s", strerror(errno));
	actor->root = bench_fork();
	if (actor->root == 0) {
		close(ends[0]);
		run_root(ends[1], place, members);
	}
	close(ends[1]);
	actor->channel = ends[0];
	ready = receive_result(actor);
	actor->pid = ready.port;
	if (ready.error == 0)
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

static void request_begin(struct actor *actor, const struct actor_command *command)
{
	if (send(actor->channel, command, sizeof(*command), MSG_NOSIGNAL) < 0)
		bench_fail("an actor has died");
}

static struct actor_result request_end(struct actor *actor)
{
	struct actor_result result = receive_result(actor);

	if (result.error)
		bench_fail("an actor failed: %s", strerror(result.error));
	return result;
}

static struct actor_result request(struct actor *actor, const struct actor_command *command)
{
	request_begin(actor, command);
	return request_end(actor);
}

struct actor_result actor_listen(struct actor *actor, int port)
{
	return request(actor, &(struct actor_command){.verb = ACTOR_LISTEN, .a = port});
}

void actor_listen_begin(struct actor *actor, int port, uint64_t delay)
{
	request_begin(actor,
	              &(struct actor_command){.verb = ACTOR_LISTEN, .a = port, .time = delay});
}

struct actor_result actor_listen_end(struct actor *actor)
{
	return request_end(actor);
}

struct actor_result actor_close(struct actor *actor, int port)
{
	return request(actor, &(struct actor_command){.verb = ACTOR_CLOSE, .a = port});
}

void actor_fill(struct actor *actor, int listeners, int connections)
{
	request(actor,
	        &(struct actor_command){.verb = ACTOR_FILL, .a = listeners, .b = connections});
}

double actor_dumps(struct actor *actor, int count, uint64_t pause)
{
	return request(actor,
	               &(struct actor_command){.verb = ACTOR_DUMPS, .a = count, .time = pause})
	        .value;
}

void actor_storm(struct actor *actor, struct storm_port *ports, int keep, uint64_t stay)
{
	request(actor, &(struct actor_command){
			       .verb = ACTOR_STORM, .a = keep, .time = stay, .ports = ports});
}
