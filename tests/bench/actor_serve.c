/* SPDX-License-Identifier: MIT */
/* actor_serve.c - an actor does as it is told */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actor_commands.h"
#include "bench.h"

/* Where ports are looked for that nobody uses; the storm has others, and so has the kernel for
 * connections. */
#define FIRST 10000
#define LAST 19999

static int listeners[65536]; /* by port; 0: none */
static int next_port = FIRST;

static struct sockaddr_in local(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int bound(int port)
{
	struct sockaddr_in address = local(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -EADDRINUSE;
}

/* A socket bound to the next free port; each has its turn, so that none is soon used again. */
static int bound_to_next(int *port)
{
	int fd = -EADDRINUSE;

	for (int tries = 0; fd == -EADDRINUSE && tries <= LAST - FIRST; tries++) {
		*port = next_port;
		next_port = next_port < LAST ? next_port + 1 : FIRST;
		fd = bound(*port);
	}
	return fd;
}

static struct deed do_listen(int port)
{
	struct deed deed = {.port = port};
	int fd = port ? bound(port) : bound_to_next(&deed.port);

	if (fd < 0)
		return (struct deed){.error = -fd};
	listeners[deed.port] = fd;
	deed.before = clock_now(CLOCK_MONOTONIC);
	if (listen(fd, 16) < 0)
		deed.error = errno;
	return deed;
}

static struct deed do_close(int port)
{
	struct deed deed = {.port = port, .before = clock_now(CLOCK_MONOTONIC)};

	if (listeners[port])
		close(listeners[port]);
	listeners[port] = 0;
	return deed;
}

static int connect_pair(int listener, int port)
{
	struct sockaddr_in address = local(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0 ? -errno : 0;
}

/* In a process of its own: descriptors are limited. The connections lead to a listener of theirs.
 */
static void hold_connections(int count, int report)
{
	struct deed deed = do_listen(0);

	for (int i = 0; i < count && deed.error == 0; i++)
		deed.error = -connect_pair(listeners[deed.port], deed.port);
	if (write(report, &deed, sizeof(deed)) < 0)
		_exit(1);
	for (;;)
		pause();
}

static struct deed connect_all(int count)
{
	struct deed deed = {.error = EPIPE};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return (struct deed){.error = errno};
	if (bench_fork() == 0)
		hold_connections(count, ends[1]);
	close(ends[1]);
	if (read(ends[0], &deed, sizeof(deed)) != sizeof(deed))
		deed.error = EPIPE;
	close(ends[0]);
	return deed;
}

static struct deed do_fill(int count, int connections)
{
	struct deed deed = {0};

	if (connections > 0)
		deed = connect_all(connections);
	for (int i = 0; i < count && deed.error == 0; i++)
		deed = do_listen(STORM_FIRST + i);
	return deed;
}

/* Closes those that have been kept long enough; all, waiting for them, if `wait`. */
static int close_kept(struct storm_port *ports, const int *kept, int first, int count,
                      uint64_t stay, bool wait)
{
	while (first < count) {
		struct storm_port *port = &ports[kept[first]];

		while (wait && clock_now(CLOCK_MONOTONIC) < port->opened + stay)
			usleep(1000);
		if (clock_now(CLOCK_MONOTONIC) < port->opened + stay)
			break;
		port->closed = clock_now(CLOCK_MONOTONIC);
		do_close(STORM_FIRST + kept[first++]);
	}
	return first;
}

static struct deed do_storm(struct storm_port *ports, int keep, uint64_t stay)
{
	static int kept[STORM_PORTS];
	int first = 0, count = 0;
	struct deed deed = {0};

	for (int i = 0; i < STORM_PORTS; i++) {
		deed = do_listen(STORM_FIRST + i);
		if (deed.error == EADDRINUSE)
			continue; /* somebody else's */
		if (deed.error)
			break;
		ports[i].opened = clock_now(CLOCK_MONOTONIC);
		if (i % keep == 0) {
			kept[count++] = i;
		} else {
			ports[i].closed = clock_now(CLOCK_MONOTONIC);
			do_close(STORM_FIRST + i);
		}
		first = close_kept(ports, kept, first, count, stay, false);
	}
	close_kept(ports, kept, first, count, stay, true);
	if (deed.error == EADDRINUSE)
		deed.error = 0;
	return deed;
}

static struct deed obey(const struct actor_command *command)
{
	switch (command->verb) {
	case ACTOR_LISTEN:
		bench_sleep(command->time);
		return do_listen(command->a);
	case ACTOR_CLOSE:
		return do_close(command->a);
	case ACTOR_FILL:
		return do_fill(command->a, command->b);
	case ACTOR_DUMPS:
		return (struct deed){.value = dumps_measure(command->a, command->time)};
	case ACTOR_STORM:
		return do_storm(command->ports, command->a, command->time);
	}
	return (struct deed){.error = EINVAL};
}

void actor_serve(int channel)
{
	struct actor_command command;

	while (recv(channel, &command, sizeof(command), 0) == sizeof(command)) {
		struct deed deed = obey(&command);

		if (send(channel, &deed, sizeof(deed), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}
