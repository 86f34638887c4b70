/* SPDX-License-Identifier: MIT */
/* process_events.c - forks, execs and exits, from the process connector of the kernel */
#include "notify/process_events.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc/procfs.h"
#include "util/caps.h"
#include "util/clock.h"
#include "util/number.h"
#include "util/fd.h"
#include "util/sys.h"

#ifndef NETLINK_CONNECTOR
#define NETLINK_CONNECTOR 11
#endif

/* An event takes 768 bytes of it. Without CAP_NET_ADMIN net.core.rmem_max is the limit, on many
 * systems 208 KiB: room for 550 events. */
#define BUFFER (4 * 1024 * 1024)
/* The longest call of a drain, which handles at least SLICE_EVENTS events. */
#define SLICE (2 * NSEC_PER_MSEC)
#define SLICE_EVENTS 32
/* After work for followed processes a pause of REST times its length; after work only for other
 * processes a pause of REST_OTHERS times its length: a fifth, or half a percent, of one CPU. Unused
 * time allows a few wake-ups in a row. A pause is at most PAUSE_MAX, in which the smallest buffer
 * does not overflow at 5,000 forks per second. */
#define REST 4
#define REST_OTHERS 200
#define SAVED (2 * NSEC_PER_MSEC)
#define PAUSE_MAX (20 * NSEC_PER_MSEC)
/* The cost of a wake-up that is not measured here. */
#define WAKE_COST UINT64_C(5000)
/* After this many events of other processes, a new filter pays off. */
#define OTHERS_MAX 16
/* A PID is assigned before the fork is reported. The mark of a filter is a PID that is at least
 * this old. */
#define MARK_AGE (20 * NSEC_PER_MSEC)
/* The most processes that are followed before the filter is set; with more, all processes are read
 * again. */
#define FRESH_MAX 64
#define PID_MAX_FILE "/proc/sys/kernel/pid_max"
#define PID_MAX_DEFAULT 32768

struct process_events {
	struct process_events_hooks hooks;
	void *data;
	int socket;     /* -1: failed for good */
	uint64_t inode; /* of the socket */
	int epoll;
	bool silent;    /* the socket is not in the epoll set: a pause */
	bool empty;     /* the last drain has taken all events */
	bool overrun;   /* the kernel has dropped events, and drops all until the socket is empty */
	bool unapplied; /* the filter does not match the followed processes */
	bool missed;    /* hooks.lost must be called */
	uint64_t paid;  /* CLOCK_MONOTONIC: the work so far is paid up to this time */
	struct process_filter filter;
	pid_t sample;     /* the last assigned PID ... */
	uint64_t sampled; /* ... at this time */
	pid_t step;       /* number of PIDs assigned between the last two checks */
	pid_t seen;       /* the last assigned PID at the last check */
	pid_t pid_max;
	unsigned int others; /* events of other processes since the filter was set */
	pid_t fresh[FRESH_MAX];
	unsigned int fresh_count;
	struct process_events_counts counts;
};

static int attach(const struct process_events *events, struct sock_filter *code,
                  unsigned short length)
{
	struct sock_fprog program = {.len = length, .filter = code};

	return (int)raw_call(SYS_setsockopt, events->socket, SOL_SOCKET, SO_ATTACH_FILTER, &program,
	                     sizeof(program));
}

static int attach_filter(const struct process_events *events)
{
	struct sock_filter code[PROCESS_FILTER_MAX];

	return attach(events, code, process_filter_make(&events->filter, code));
}

/* Receives one datagram. Returns its size, 0 if it is not from the kernel, or a negative errno;
 * -EAGAIN: there is none. */
static long receive(const struct process_events *events, uint8_t bytes[PROCESS_MESSAGE_MAX])
{
	struct sockaddr_nl from = {0};
	socklen_t size = sizeof(from);
	long got;

	do {
		got = raw_call(SYS_recvfrom, events->socket, bytes, PROCESS_MESSAGE_MAX,
		               MSG_DONTWAIT, &from, &size);
	} while (got == -EINTR);
	if (got < 0)
		return got;
	/* The host has closed the descriptor, and its number belongs to another socket. */
	if (from.nl_family != AF_NETLINK)
		return -ENOTSOCK;
	/* A process with CAP_NET_ADMIN may send to this socket as well, but only the kernel has the
	 * address 0. */
	return from.nl_pid == 0 ? got : 0;
}

/* --- subscribing */

static int send_request(const struct process_events *events, enum process_request request,
                        uint32_t mask, uint32_t number)
{
	uint8_t bytes[PROCESS_MESSAGE_MAX];
	size_t size = process_message_request(bytes, request, mask, number);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	long sent;

	do {
		sent = raw_call(SYS_sendto, events->socket, bytes, size, 0, &kernel,
		                sizeof(kernel));
	} while (sent == -EINTR);
	return sent < 0 ? (int)sent : 0;
}

/* The kernel answers before sendto(2) returns. Acknowledgements of other processes' requests arrive
 * as well; the bound only protects against a flood of them. */
static int await_ack(const struct process_events *events, uint32_t number)
{
	uint8_t bytes[PROCESS_MESSAGE_MAX];
	int error;

	for (int i = 0; i < 1000; i++) {
		long got = receive(events, bytes);

		if (got == -EAGAIN)
			break;
		if (got == -ENOBUFS)
			continue;
		if (got < 0)
			return (int)got;
		if (process_message_is_ack(bytes, (size_t)got, number, &error))
			return -error;
	}
	return -EPERM;
}

static int join(const struct process_events *events)
{
	struct sockaddr_nl group = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};

	return (int)raw_call(SYS_bind, events->socket, &group, sizeof(group));
}

static int subscribe(struct process_events *events, const char **step)
{
	uint32_t number = (uint32_t)clock_now(CLOCK_MONOTONIC) ^ (uint32_t)getpid() << 16;
	struct sock_filter code[PROCESS_FILTER_MAX];
	int error;

	/* Events may arrive as soon as the socket is in the group, if other processes have
	 * subscribed. */
	*step = "filter process events (SO_ATTACH_FILTER)";
	error = attach(events, code, process_filter_make_ack(code));
	if (error < 0)
		return error;
	*step = "receive process events (bind; before Linux 6.6 with CAP_NET_ADMIN)";
	error = join(events);
	if (error < 0)
		return error;
	*step = "subscribe to process events (in the initial network namespace only)";
	error = send_request(events, PROCESS_LISTEN, PROCESS_ALL, number);
	if (error < 0)
		return error;
	*step = "subscribe to process events (in the initial PID and user namespaces only)";
	error = await_ack(events, number);
	if (error < 0)
		return error;
	*step = "filter process events (SO_ATTACH_FILTER)";
	error = attach_filter(events);
	if (error < 0)
		return error;
	*step = "subscribe to process events (NETLINK_CONNECTOR)";
	return send_request(events, PROCESS_LISTEN,
	                    PROCESS_FORK | PROCESS_EXEC | (uint32_t)PROCESS_EXIT, number);
}

static void enlarge(const struct process_events *events)
{
	int size = BUFFER;

	if (raw_call(SYS_setsockopt, events->socket, SOL_SOCKET, SO_RCVBUFFORCE, &size,
	             sizeof(size)) < 0)
		raw_call(SYS_setsockopt, events->socket, SOL_SOCKET, SO_RCVBUF, &size,
		         sizeof(size));
}

static int wait_on(struct process_events *events, int operation, uint32_t what)
{
	struct epoll_event event = {.events = what};

	return epoll_ctl(events->epoll, operation, events->socket, &event) < 0 ? -errno : 0;
}

static pid_t read_pid_max(void)
{
	char text[32];
	ssize_t size = procfs_read(AT_FDCWD, PID_MAX_FILE, text, sizeof(text));
	const char *at = text;
	uint64_t number;

	if (size <= 0 || !decimal_parse(&at, text + size, &number) || number > INT32_MAX)
		return PID_MAX_DEFAULT;
	return (pid_t)number;
}

static int set_up(struct process_events *events, const char **step)
{
	struct stat status;
	int error;

	*step = "open a socket for process events (NETLINK_CONNECTOR)";
	events->socket = fd_own(
		(int)raw_call(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_CONNECTOR));
	if (events->socket < 0)
		return events->socket;
	if (fstatat(events->socket, "", &status, AT_EMPTY_PATH) < 0)
		return -errno;
	events->inode = status.st_ino;
	enlarge(events);
	error = subscribe(events, step);
	if (error < 0)
		return error;
	*step = "wait for process events (epoll)";
	events->epoll = fd_own(epoll_create1(EPOLL_CLOEXEC));
	if (events->epoll < 0)
		return events->epoll;
	events->pid_max = read_pid_max();
	return wait_on(events, EPOLL_CTL_ADD, EPOLLIN);
}

int process_events_open(struct process_events **events, const struct process_events_hooks *hooks,
                        void *data, struct failure *failure)
{
	struct process_events *made = calloc(1, sizeof(*made));
	const char *step = "receive process events (malloc)";
	int error = -ENOMEM;
	caps_set taken;

	if (made) {
		made->hooks = *hooks;
		made->data = data;
		made->socket = -1;
		made->epoll = -1;
		made->unapplied = true;
		process_filter_clear(&made->filter);
		taken = caps_begin(CAPS_PROCESS_EVENTS);
		error = set_up(made, &step);
		caps_end(taken);
	}
	if (error < 0) {
		*failure = (struct failure){step, -error};
		process_events_close(made);
		return error;
	}
	*events = made;
	return 0;
}

void process_events_close(struct process_events *events)
{
	caps_set taken;

	if (!events)
		return;
	/* Otherwise the kernel would continue to generate events: it counts subscribers, and does
	 * not notice that one has gone. */
	if (events->socket >= 0) {
		taken = caps_begin(CAPS_PROCESS_EVENTS);
		send_request(events, PROCESS_IGNORE, PROCESS_ALL, 0);
		caps_end(taken);
	}
	fd_close(events->socket);
	fd_close(events->epoll);
	free(events);
}

int process_events_fd(const struct process_events *events)
{
	return events->epoll;
}

struct process_events_counts process_events_counts(const struct process_events *events)
{
	return events->counts;
}

/* --- taking events */

/* Checks for a new process whose PID the filter treats as old: the PIDs have wrapped around, or the
 * fork was reported late. Its own forks may have been dropped. */
static void check_child(struct process_events *events, const struct process_event *event)
{
	if (event->what == PROCESS_FORK && event->child <= events->filter.mark) {
		process_events_widen(events);
		events->missed = true;
	}
}

/* Handles one event. Returns whether it was about a followed process. */
static bool take(struct process_events *events, const uint8_t *bytes, size_t size)
{
	struct process_event event;
	int result = size > 0 ? process_message_parse(bytes, size, &event) : 0;

	if (result < 0)
		events->missed = true;
	if (result <= 0)
		return false;
	if (!events->hooks.happened(events->data, &event)) {
		events->counts.others++;
		events->others++;
		events->unapplied |= events->others >= OTHERS_MAX;
		return false;
	}
	events->counts.followed++;
	check_child(events, &event);
	return true;
}

/* Whether the descriptor is still that of the socket: not where the host has closed it, and opened
 * something else with its number, even another socket of the connector. */
static bool is_ours(const struct process_events *events)
{
	struct stat status;

	if (fstatat(events->socket, "", &status, AT_EMPTY_PATH) < 0)
		return errno != EBADF; /* else there was no memory to look */
	return status.st_ino == events->inode;
}

/* The host has closed the descriptor, or another unexpected error has happened. The number may
 * belong to another file by now: then the library must not close it, neither here nor in the child
 * of a fork(2). */
static void fail(struct process_events *events)
{
	if (is_ours(events)) {
		epoll_ctl(events->epoll, EPOLL_CTL_DEL, events->socket, NULL);
		fd_close(events->socket);
	} else {
		fd_give(events->socket);
	}
	events->socket = -1;
	events->silent = false; /* there is no drain after a pause any more */
	events->missed = true;
}

static void report_lost(struct process_events *events)
{
	events->missed = false;
	events->counts.losses++;
	events->hooks.lost(events->data);
}

/* Handles the events that have arrived. Returns their number; *followed: whether any was about a
 * followed process. */
static unsigned int take_all(struct process_events *events, uint64_t begin, bool *followed)
{
	uint8_t bytes[PROCESS_MESSAGE_MAX];
	unsigned int count;

	events->empty = false;
	for (count = 0;; count++) {
		long got = receive(events, bytes);

		if (got == -EAGAIN) {
			events->empty = true;
			/* The kernel has dropped all events since the overrun until now. */
			events->missed |= events->overrun;
			events->overrun = false;
			break;
		}
		if (got == -ENOBUFS) {
			events->overrun = true;
			continue;
		}
		if (got < 0) {
			fail(events);
			break;
		}
		*followed |= take(events, bytes, (size_t)got);
		if (count % SLICE_EVENTS == SLICE_EVENTS - 1 &&
		    clock_now(CLOCK_MONOTONIC) - begin >= SLICE)
			break;
	}
	return count;
}

static void set_silent(struct process_events *events, bool silent)
{
	if (silent == events->silent || events->socket < 0)
		return;
	if (wait_on(events, EPOLL_CTL_MOD, silent ? 0 : EPOLLIN) == 0)
		events->silent = silent;
}

/* Computes the pause after work that began at `begin`. */
static void pay(struct process_events *events, uint64_t begin, unsigned int rest)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);
	uint64_t price = (now - begin + WAKE_COST) * (rest + 1);

	if (events->paid < begin)
		events->paid = begin;
	events->paid += price;
	if (events->paid > now + SAVED + PAUSE_MAX)
		events->paid = now + SAVED + PAUSE_MAX;
}

uint64_t process_events_due(const struct process_events *events)
{
	return events->silent ? events->paid - SAVED : UINT64_MAX;
}

bool process_events_drain(struct process_events *events)
{
	uint64_t begin = clock_now(CLOCK_MONOTONIC);
	bool followed = false;

	if (events->socket < 0)
		return false;
	if (!is_ours(events))
		fail(events);
	else if (take_all(events, begin, &followed) > 0)
		pay(events, begin, followed ? REST : REST_OTHERS);
	if (events->missed)
		report_lost(events);
	set_silent(events, clock_now(CLOCK_MONOTONIC) + SAVED < events->paid);
	return events->socket >= 0;
}

bool process_events_is_empty(const struct process_events *events)
{
	return events->empty;
}

/* --- choosing events */

void process_events_keep(struct process_events *events, pid_t pid)
{
	process_filter_add(&events->filter, pid);
	events->unapplied = true;
}

void process_events_follow(struct process_events *events, pid_t pid)
{
	process_events_keep(events, pid);
	if (events->fresh_count < FRESH_MAX)
		events->fresh[events->fresh_count] = pid;
	events->fresh_count++;
}

void process_events_widen(struct process_events *events)
{
	events->unapplied = true;
	if (events->filter.mark == 0 || events->socket < 0)
		return;
	events->filter.mark = 0;
	/* If the filter cannot be attached, forks may be dropped until process_events_apply(). */
	if (attach_filter(events) < 0)
		events->missed = true;
}

void process_events_reset(struct process_events *events)
{
	process_filter_clear(&events->filter);
	events->filter.mark = 1; /* widened in any case */
	process_events_widen(events);
}

bool process_events_is_unapplied(const struct process_events *events)
{
	return events->unapplied;
}

/* Whether the PIDs will soon wrap around, or, judging by the number assigned since the last check,
 * before the next check. */
static bool is_near_the_end(const struct process_events *events, pid_t last)
{
	pid_t left = events->pid_max - last;

	return left < events->pid_max / 8 || left / 2 < events->step;
}

/* Checks the last assigned PID. Returns the mark of a filter that is made now. */
static pid_t check_last_pid(struct process_events *events, pid_t last)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);
	pid_t mark = events->filter.mark;

	if (last < events->seen) {
		/* The PIDs have wrapped around. If this was not expected, forks of processes with
		 * small PIDs were dropped. */
		events->missed |= mark > 0;
		mark = 0;
		events->step = 0;
		events->sample = 0;
		events->sampled = 0;
	} else {
		events->step = events->seen ? last - events->seen : 0;
	}
	events->seen = last;
	if (now - events->sampled >= MARK_AGE) {
		mark = events->sample;
		events->sample = last;
		events->sampled = now;
	}
	return is_near_the_end(events, last) ? 0 : mark;
}

static void report_followed(struct process_events *events)
{
	pid_t fresh[FRESH_MAX];
	unsigned int count = events->fresh_count;

	events->fresh_count = 0;
	if (count > FRESH_MAX) {
		events->missed = true;
		return;
	}
	for (unsigned int i = 0; i < count; i++)
		fresh[i] = events->fresh[i];
	for (unsigned int i = 0; i < count; i++)
		events->hooks.followed(events->data, fresh[i]);
}

void process_events_apply(struct process_events *events, pid_t last)
{
	uint64_t begin = clock_now(CLOCK_MONOTONIC);
	/* A new filter against events of other processes does not count as work for followed
	 * processes. */
	unsigned int rest =
		events->fresh_count == 0 && events->others >= OTHERS_MAX ? REST_OTHERS : REST;
	pid_t mark;

	/* Forks that are not handled yet may add followed processes, whose events a new filter
	 * would drop. */
	if (events->socket < 0 || !events->empty)
		return;
	mark = last > 0 ? check_last_pid(events, last) : 0;
	if (events->unapplied || (mark == 0) != (events->filter.mark == 0)) {
		events->filter.mark = mark;
		if (attach_filter(events) < 0)
			return; /* no memory: tried again later */
		events->unapplied = false;
		events->others = 0;
		report_followed(events);
		pay(events, begin, rest);
	}
	if (events->missed)
		report_lost(events);
}
