/* SPDX-License-Identifier: MIT */
/* forward.c - makes each open port of a watched tree, such as a container, reachable on the same
 * port of 127.0.0.1 in this network namespace
 *
 *     cc -pthread forward.c -o forward $(pkg-config --cflags --libs libportwatch)
 *     ./forward PID
 *
 * CAP_SYS_ADMIN is required to enter another network namespace. For a rootless container: podman
 * unshare ./forward PID.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <portwatch.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORWARDS_MAX 64
#define CONNECTIONS_MAX 80 /* each uses two threads and seven descriptors */

union address {
	struct sockaddr any;
	struct sockaddr_in inet;
	struct sockaddr_in6 inet6;
};

struct forward {
	uint64_t id;  /* of the port */
	int listener; /* in this network namespace */
	int netns;    /* the network namespace of the port; stays open until the port closes */
	union address target;
};

struct connection {
	struct forward forward; /* a copy, with a descriptor of its own for the namespace */
	int there[2], back[2];  /* source and destination of each direction */
};

static struct forward forwards[FORWARDS_MAX + 1];
static int forward_count, ended;
static atomic_int connection_count;

/* Reads more only when the receiver has taken the previous data, so a slow receiver slows the
 * sender down. */
static void *carry(void *data)
{
	const int *ends = data;
	ssize_t held = -1, moved = 1;
	int pipe[2], failed;

	if (pipe2(pipe, O_CLOEXEC) == 0) {
		while (moved > 0 && (held = splice(ends[0], NULL, pipe[1], NULL, 65536, 0)) > 0)
			for (; held > 0 && moved > 0; held -= moved)
				moved = splice(pipe[0], NULL, ends[1], NULL, (size_t)held, 0);
		close(pipe[0]);
		close(pipe[1]);
	}
	/* At the end of the data only this direction ends. After a failure the other one ends too.
	 */
	failed = held != 0 || moved <= 0;
	shutdown(ends[0], failed ? SHUT_RDWR : SHUT_RD);
	shutdown(ends[1], failed ? SHUT_RDWR : SHUT_WR);
	return NULL;
}

static void *end_connection(struct connection *connection)
{
	close(connection->there[0]);
	close(connection->there[1]);
	close(connection->forward.netns);
	free(connection);
	connection_count--;
	return NULL;
}

/* Runs in a thread of its own, because the thread may be unable to return to the first namespace.
 * The socket stays in the namespace in which it was created. */
static void *run_connection(void *data)
{
	struct connection *connection = data;
	const union address *target = &connection->forward.target;
	int server = -1;
	pthread_t back;

	if (setns(connection->forward.netns, CLONE_NEWNET) == 0)
		server = socket(target->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	connection->there[1] = connection->back[0] = server;
	if (connect(server, &target->any, sizeof(*target)) == 0 &&
	    pthread_create(&back, NULL, carry, connection->back) == 0) {
		carry(connection->there);
		pthread_join(back, NULL);
	}
	return end_connection(connection);
}

static void begin_connection(const struct forward *forward)
{
	struct connection *connection = malloc(sizeof(*connection));
	int client = accept4(forward->listener, NULL, NULL, SOCK_CLOEXEC);
	pthread_t thread;

	if (!connection)
		abort();
	*connection = (struct connection){*forward, {client, -1}, {-1, client}};
	connection->forward.netns = fcntl(forward->netns, F_DUPFD_CLOEXEC, 0);
	connection_count++;
	if (client >= 0 && pthread_create(&thread, NULL, run_connection, connection) == 0)
		pthread_detach(thread);
	else
		end_connection(connection);
}

static void end_forward(struct forward *forward)
{
	close(forward->listener);
	close(forward->netns);
	*forward = forwards[--forward_count];
}

static void begin_forward(const struct portwatch_event *event)
{
	struct forward *forward = &forwards[forward_count++];
	uint16_t port = portwatch_event_get_port(event);
	struct sockaddr_in here = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};

	*forward = (struct forward){.id = portwatch_event_get_id(event)};
	/* If the address is the wildcard, Linux connects to the loopback interface. */
	if (portwatch_event_get_family(event) == AF_INET) {
		forward->target.inet = here;
		memcpy(&forward->target.inet.sin_addr, portwatch_event_get_address(event), 4);
	} else {
		forward->target.inet6 =
			(struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
		memcpy(&forward->target.inet6.sin6_addr, portwatch_event_get_address(event), 16);
	}
	forward->netns = portwatch_event_open_netns(event);
	forward->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(forward->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	errno = forward->netns < 0 ? -forward->netns : ENOBUFS;
	if (forward->netns < 0 || forward_count > FORWARDS_MAX ||
	    bind(forward->listener, (struct sockaddr *)&here, sizeof(here)) < 0 ||
	    listen(forward->listener, SOMAXCONN) < 0) {
		/* For a port of this namespace bind() fails, and the port itself is reachable. */
		printf("port %d is not forwarded: %s\n", port, strerror(errno));
		end_forward(forward);
	} else {
		printf("127.0.0.1:%d -> %s\n", port, portwatch_event_get_address_text(event));
	}
}

static void on_event(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	(void)watcher, (void)data;
	if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_OPEN)
		begin_forward(event);
	else if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_END)
		ended = 1;
	else /* Existing connections end with their server, as without forwarding. */
		for (int i = forward_count - 1; i >= 0; i--)
			if (forwards[i].id == portwatch_event_get_id(event))
				end_forward(&forwards[i]);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct pollfd ready[1 + FORWARDS_MAX];
	struct portwatch *watcher;

	signal(SIGPIPE, SIG_IGN);
	if (argc != 2 || portwatch_new(&watcher, atoi(argv[1]), on_event, NULL) < 0)
		return 2;
	portwatch_set_events(watcher,
	                     PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE | PORTWATCH_EVENT_END);
	portwatch_set_addresses(watcher, PORTWATCH_ADDRESSES_ALL);
	portwatch_set_delivery(watcher, PORTWATCH_DELIVERY_DISPATCH);
	if (portwatch_start(watcher) < 0)
		return 1;
	while (!ended) {
		/* At the limit, clients wait until a connection has ended. */
		int count = forward_count, room = connection_count < CONNECTIONS_MAX;

		ready[0] = (struct pollfd){portwatch_get_fd(watcher), POLLIN, 0};
		for (int i = 0; i < count; i++)
			ready[1 + i] = (struct pollfd){room ? forwards[i].listener : -1, POLLIN, 0};
		poll(ready, 1 + (nfds_t)count, room ? -1 : 100);
		for (int i = 0; i < count && connection_count < CONNECTIONS_MAX; i++)
			if (ready[1 + i].revents)
				begin_connection(&forwards[i]);
		portwatch_dispatch(watcher);
	}
	portwatch_free(watcher);
	return 0;
}
