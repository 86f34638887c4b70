/* SPDX-License-Identifier: MIT */
/* forward.c - makes each port that opens in a watched tree, of a container for example, reachable
 * on 127.0.0.1 of this network namespace, by the same number, for as long as it is open
 *
 *     cc -pthread forward.c -o forward $(pkg-config --cflags --libs libportwatch)
 *     ./forward PID
 *
 * To enter another network namespace takes CAP_SYS_ADMIN. For a rootless container: podman unshare
 * ./forward PID.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <portwatch.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORWARDS_MAX 64
#define CONNECTIONS_MAX 100 /* each takes six descriptors */

struct forward {
	uint64_t id;  /* of the port */
	int listener; /* here */
	int netns;    /* there; keeps it alive until the port closes */
	struct addrinfo *target;
};

/* One direction of a connection. Nothing is read before the other side has taken what was. */
struct flow {
	int from, to, pipe[2];
	size_t held; /* in the pipe */
	int ended;   /* the sender has said all ... */
	int done;    /* ... and the receiver knows */
};

static struct forward forwards[FORWARDS_MAX + 1];
static struct flow connections[CONNECTIONS_MAX][2];
static int forward_count, connection_count, ended;

/* A socket stays in the namespace where it was made. The thread that enters it has no way back
 * where our own namespace is not ours to enter, and ends. */
struct errand {
	int netns, family, fd;
};

static void *make_socket(void *data)
{
	struct errand *errand = data;

	if (setns(errand->netns, CLONE_NEWNET) == 0)
		errand->fd = socket(errand->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return NULL;
}

static int socket_in(int netns, int family)
{
	struct errand errand = {.netns = netns, .family = family, .fd = -1};
	pthread_t thread;

	if (pthread_create(&thread, NULL, make_socket, &errand) == 0)
		pthread_join(thread, NULL);
	return errand.fd;
}

/* Who listens on any address is reached on the loopback interface. */
static struct addrinfo *target_of(const struct portwatch_event *event)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	const char *address = portwatch_event_get_address_text(event);
	const char *loopback = portwatch_event_get_family(event) == AF_INET ? "127.0.0.1" : "::1";
	int is_any = strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
	struct addrinfo *target = NULL;
	char port[8];

	snprintf(port, sizeof(port), "%u", (unsigned)portwatch_event_get_port(event));
	getaddrinfo(is_any ? loopback : address, port, &hints, &target);
	return target;
}

static void end_forward(struct forward *forward)
{
	close(forward->listener);
	close(forward->netns);
	if (forward->target)
		freeaddrinfo(forward->target);
	*forward = forwards[--forward_count];
}

static void begin_forward(const struct portwatch_event *event)
{
	struct forward *forward = &forwards[forward_count++];
	uint16_t port = portwatch_event_get_port(event);
	struct sockaddr_in here = {.sin_family = AF_INET,
	                           .sin_port = htons(port),
	                           .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1;

	forward->id = portwatch_event_get_id(event);
	forward->target = target_of(event);
	forward->netns = portwatch_event_open_netns(event);
	forward->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(forward->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	errno = forward->netns < 0 ? -forward->netns : ENOBUFS;
	if (forward->netns >= 0 && forward->target && forward_count <= FORWARDS_MAX &&
	    bind(forward->listener, (struct sockaddr *)&here, sizeof(here)) == 0 &&
	    listen(forward->listener, SOMAXCONN) == 0) {
		printf("127.0.0.1:%d -> %s\n", port, portwatch_event_get_address_text(event));
		return;
	}
	/* In our own namespace the port itself is in the way, and reachable as it is. */
	printf("port %d is not forwarded: %s\n", port, strerror(errno));
	end_forward(forward);
}

static void on_event(struct portwatch *watcher, const struct portwatch_event *event, void *data)
{
	(void)watcher, (void)data;
	if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_OPEN)
		begin_forward(event);
	else if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_END)
		ended = 1;
	else /* Connections that there are end with their server, as they would without us. */
		for (int i = forward_count - 1; i >= 0; i--)
			if (forwards[i].id == portwatch_event_get_id(event))
				end_forward(&forwards[i]);
	fflush(stdout);
}

static void end_connection(struct flow flows[2])
{
	for (int i = 0; i < 2; i++) {
		close(flows[i].pipe[0]);
		close(flows[i].pipe[1]);
		close(flows[i].from);
	}
	memmove(flows, connections[--connection_count], sizeof(connections[0]));
}

static void begin_connection(const struct forward *forward)
{
	int client = accept4(forward->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int server = client < 0 ? -1 : socket_in(forward->netns, forward->target->ai_family);
	struct flow *flows = connections[connection_count++];

	flows[0] = (struct flow){.from = client, .to = server, .pipe = {-1, -1}};
	flows[1] = (struct flow){.from = server, .to = client, .pipe = {-1, -1}};
	/* That nobody takes the connection shows with the first read or write. */
	if (server < 0 || pipe2(flows[0].pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    pipe2(flows[1].pipe, O_CLOEXEC | O_NONBLOCK) < 0 ||
	    (connect(server, forward->target->ai_addr, forward->target->ai_addrlen) < 0 &&
	     errno != EINPROGRESS))
		end_connection(flows);
}

/* Moves what can be moved. False where the connection has failed. */
static int move(struct flow *flow)
{
	ssize_t size = 0;

	if (!flow->ended && flow->held == 0) {
		size = splice(flow->from, NULL, flow->pipe[1], NULL, 65536, SPLICE_F_NONBLOCK);
		flow->ended = size == 0;
		flow->held = size > 0 ? (size_t)size : 0;
	}
	if (flow->held > 0) {
		size = splice(flow->pipe[0], NULL, flow->to, NULL, flow->held, SPLICE_F_NONBLOCK);
		flow->held -= size > 0 ? (size_t)size : 0;
	} else if (flow->ended && !flow->done) {
		flow->done = 1;
		shutdown(flow->to, SHUT_WR);
	}
	return size >= 0 || errno == EAGAIN;
}

/* What is waited for on the socket that `in` is read from and `out` is written to. Where that is
 * nothing, a hang-up would be reported all the time. */
static struct pollfd wait_for(const struct flow *in, const struct flow *out)
{
	int events = !in->ended && in->held == 0 ? POLLIN : 0;

	if (out->held > 0 || (out->ended && !out->done))
		events |= POLLOUT;
	return (struct pollfd){events ? in->from : -1, (short)events, 0};
}

int main(int argc, char **argv)
{
	struct portwatch *watcher;
	static struct pollfd ready[1 + FORWARDS_MAX + 2 * CONNECTIONS_MAX];

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
		int listeners = forward_count, room = connection_count < CONNECTIONS_MAX, count = 1;
		struct pollfd *pair = &ready[1 + listeners];

		ready[0] = (struct pollfd){.fd = portwatch_get_fd(watcher), .events = POLLIN};
		for (int i = 0; i < listeners; i++)
			ready[count++] =
				(struct pollfd){room ? forwards[i].listener : -1, POLLIN, 0};
		for (int i = 0; i < connection_count; i++)
			for (int k = 0; k < 2; k++)
				ready[count++] = wait_for(&connections[i][k], &connections[i][!k]);
		poll(ready, (nfds_t)count, -1);
		for (int i = connection_count - 1; i >= 0; i--) {
			struct flow *a = &connections[i][0], *b = &connections[i][1];

			if ((pair[2 * i].revents || pair[2 * i + 1].revents) &&
			    (!move(a) || !move(b) || (a->done && b->done)))
				end_connection(connections[i]);
		}
		for (int i = 0; i < listeners && connection_count < CONNECTIONS_MAX; i++)
			if (ready[1 + i].revents)
				begin_connection(&forwards[i]);
		portwatch_dispatch(watcher);
	}
	portwatch_free(watcher);
	return 0;
}
