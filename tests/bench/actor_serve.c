/* SPDX-License-Identifier: MIT */
/* actor_serve.c - the actor executes the commands that it receives */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actor_commands.h"
#include "bench.h"

/* The range in which the actor searches for free ports. The storm uses another range, and so does
 * the kernel for the local ports of connections. */
#define FIRST_PORT 10000
#define LAST_PORT 19999

static int listeners[65536]; /* descriptor by port; 0: none */
static int next_port = FIRST_PORT;

static struct sockaddr_in local(int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int bind_port(int port)
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

/* Binds a socket to the next free port. Ports are used in rotation, so that none is reused soon. */
static int bind_next_port(int *port)
{
	int fd = -EADDRINUSE;

	for (int tries = 0; fd == -EADDRINUSE && tries <= LAST_PORT - FIRST_PORT; tries++) {
		*port = next_port;
		next_port = next_port < LAST_PORT ? next_port + 1 : FIRST_PORT;
		fd = bind_port(*port);
	}
	return fd;
}

static struct actor_result do_listen(int port)
{
	struct actor_result result = {.port = port};
	int fd = port ? bind_port(port) : bind_next_port(&result.port);

	if (fd < 0)
		return (struct actor_result){.error = -fd};
	listeners[result.port] = fd;
	result.before = clock_now(CLOCK_MONOTONIC);
	if (listen(fd, 16) < 0)
		result.error = errno;
	return result;
}

static struct actor_result do_close(int port)
{
	struct actor_result result = {.port = port, .before = clock_now(CLOCK_MONOTONIC)};

	if (listeners[port])
		close(listeners[port]);
	listeners[port] = 0;
	return result;
}

static int connect_pair(int listener, int port)
{
	struct sockaddr_in address = local(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC) < 0 ? -errno : 0;
}

/* Runs in a separate process, because the number of descriptors is limited. The connections lead to
 * a listener of the same process. */
static void hold_connections(int count, int report)
{
	struct actor_result result = do_listen(0);

	for (int i = 0; i < count && result.error == 0; i++)
		result.error = -connect_pair(listeners[result.port], result.port);
	if (write(report, &result, sizeof(result)) < 0)
		_exit(1);
	for (;;)
		pause();
}

static struct actor_result connect_all(int count)
{
	struct actor_result result = {.error = EPIPE};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return (struct actor_result){.error = errno};
	if (bench_fork() == 0)
		hold_connections(count, ends[1]);
	close(ends[1]);
	if (read(ends[0], &result, sizeof(result)) != sizeof(result))
		result.error = EPIPE;
	close(ends[0]);
	return result;
}

static struct actor_result do_fill(int count, int connections)
{
	struct actor_result result = {0};

	if (connections > 0)
		result = connect_all(connections);
	for (int i = 0; i < count && result.error == 0; i++)
		result = do_listen(STORM_FIRST + i);
	return result;
}

/* Closes the ports that have been open for `stay` ns. With `wait`: waits, and closes all. */
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

static struct actor_result do_storm(struct storm_port *ports, int keep, uint64_t stay)
{
	static int kept[STORM_PORTS];
	int first = 0, count = 0;
	struct actor_result result = {0};

	for (int i = 0; i < STORM_PORTS; i++) {
		result = do_listen(STORM_FIRST + i);
		if (result.error == EADDRINUSE)
			continue; /* another process uses the port */
		if (result.error)
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
	if (result.error == EADDRINUSE)
		result.error = 0;
	return result;
}

static struct actor_result execute(const struct actor_command *command)
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
		return (struct actor_result){.value = dumps_measure(command->a, command->time)};
	case ACTOR_STORM:
		return do_storm(command->ports, command->a, command->time);
	}
	return (struct actor_result){.error = EINVAL};
}

void actor_serve(int channel)
{
	struct actor_command command;

	while (recv(channel, &command, sizeof(command), 0) == sizeof(command)) {
		struct actor_result result = execute(&command);

		if (send(channel, &result, sizeof(result), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}
