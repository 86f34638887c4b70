/* SPDX-License-Identifier: MIT */
/* probe.c - finds the network namespaces in which the sockets of a process were created */
#include <errno.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <linux/stat.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "table/helper.h"
#include "table/probe.h"
#include "table/source.h"
#include "util/caps.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/failure.h"
#include "util/fd.h"
#include "util/spawn.h"
#include "util/sys.h"

/* How long the descriptors are searched for sockets, and the most sockets that are examined. */
#define SLICE (2 * NSEC_PER_MSEC)
#define SOCKETS_MAX 1024
/* The positions of "." and ".." in the kernel's directory of descriptors. */
#define DOTS 2
/* The most copies that stay open because their close could block. */
#define KEPT_MAX 32
/* As many descriptors as there is room for with an answer, for alignment. */
#define RIDERS_MAX ((CMSG_SPACE(sizeof(int)) - CMSG_LEN(0)) / sizeof(int))
/* After the owner of a socket has delayed an answer, no socket is examined for this many
 * seconds. */
#define REST 10

struct probe {
	struct child child;
	int answers; /* a socket */
};

struct answer {
	int error; /* 0: the rest is set, and a descriptor may come with it */
	struct netns_id id;
};

/* --- the child --- */

enum { ANSWERS, PROCESS, PROC, DESCRIPTORS };

struct setup {
	int descriptors[DESCRIPTORS];
	uint64_t inode; /* 0: the port tells the socket */
	uint16_t port;
	const int *sockets; /* their descriptors in the process */
	size_t count;
};

struct search {
	const struct setup *setup;
	unsigned int kept;
	int error; /* why a socket could not be examined */
};

static void send_answer(const struct answer *answer, int netns)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {(void *)answer, sizeof(*answer)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *rider;

	if (netns >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		rider = CMSG_FIRSTHDR(&message);
		rider->cmsg_level = SOL_SOCKET;
		rider->cmsg_type = SCM_RIGHTS;
		rider->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rider), &netns, sizeof(netns));
	}
	raw_call(SYS_sendmsg, ANSWERS, &message, (long)MSG_NOSIGNAL);
}

/* Tries the effective capabilities, and then a permitted one. */
static int copy_socket(int descriptor)
{
	long copy = raw_call(SYS_pidfd_getfd, PROCESS, descriptor, 0L);

	if (copy == -EPERM && caps_child_raise(CAP_SYS_PTRACE) == 0) {
		copy = raw_call(SYS_pidfd_getfd, PROCESS, descriptor, 0L);
		caps_child_lower(CAP_SYS_PTRACE);
	}
	return (int)copy;
}

static int open_netns(int socket)
{
	long netns = raw_call(SYS_ioctl, socket, SIOCGSKNS, 0L);

	if (netns == -EPERM && caps_child_raise(CAP_NET_ADMIN) == 0) {
		netns = raw_call(SYS_ioctl, socket, SIOCGSKNS, 0L);
		caps_child_lower(CAP_NET_ADMIN);
	}
	return (int)netns;
}

static int get_option(int socket, int option)
{
	int value = 0;
	socklen_t size = sizeof(value);
	long error = raw_call(SYS_getsockopt, socket, SOL_SOCKET, option, &value, &size);

	return error < 0 ? 0 : value;
}

/* Whether the close of the last copy of a socket may block. */
static bool may_linger(int socket)
{
	struct linger linger = {.l_onoff = 1};
	socklen_t size = sizeof(linger);

	if (raw_call(SYS_getsockopt, socket, SOL_SOCKET, SO_LINGER, &linger, &size) < 0)
		return true;
	return linger.l_onoff != 0;
}

static bool listens_on(int socket, uint16_t port)
{
	struct sockaddr_in6 name = {.sin6_family = AF_UNSPEC};
	socklen_t size = sizeof(name);

	if (!get_option(socket, SO_ACCEPTCONN) ||
	    raw_call(SYS_getsockname, socket, &name, &size) < 0)
		return false;
	/* The port has the same offset in both families. */
	return (name.sin6_family == AF_INET || name.sin6_family == AF_INET6) &&
	       name.sin6_port == htons(port);
}

static uint64_t cookie_of(int socket)
{
	struct table_source source = {.diag = socket};

	return table_source_cookie(&source);
}

/* Opens the namespace in which a socket was created. Returns 0, with *netns -1 if it is the
 * caller's own namespace; otherwise an errno. */
static int find_place(int socket, struct answer *answer, int *netns)
{
	uint64_t cookie = cookie_of(socket);
	int error = 0;

	*netns = -1;
	/* If the kernel refuses, the namespace may be the caller's own. */
	if (cookie == 0 || cookie != cookie_of(-1)) {
		*netns = open_netns(socket);
		error = *netns < 0 ? *netns : helper_enter_netns(*netns);
	}
	if (error < 0)
		return -error;
	helper_netns_identity(PROC, &answer->id);
	return answer->id.ino ? 0 : ENOENT;
}

/* Only sockets are asked for their inode, because the owner of another file can delay the answer
 * without limit. */
static bool has_inode(int socket, uint64_t inode)
{
	struct statx status = {0};

	return get_option(socket, SO_ACCEPTCONN) &&
	       raw_call(SYS_statx, socket, "", AT_EMPTY_PATH, STATX_INO, &status) == 0 &&
	       status.stx_ino == inode;
}

static bool is_wanted(const struct setup *setup, int socket)
{
	return setup->inode ? has_inode(socket, setup->inode) : listens_on(socket, setup->port);
}

/* Like find_place(), for a known place. */
static int open_place(int socket, int *netns)
{
	*netns = open_netns(socket);
	return *netns < 0 ? -*netns : 0;
}

/* Examines one socket. Returns true if it is the wanted one. */
static bool ask(struct search *search, int descriptor)
{
	struct answer answer = {0};
	int copy = copy_socket(descriptor), netns = -1;

	if (copy == -EPERM || copy == -ENOSYS || copy == -EACCES)
		search->error = -copy;
	if (copy < 0)
		return false;
	if (is_wanted(search->setup, copy)) {
		answer.error = search->setup->inode ? open_place(copy, &netns)
		                                    : find_place(copy, &answer, &netns);
		if (answer.error == 0)
			send_answer(&answer, netns);
		else
			search->error = answer.error;
		return answer.error == 0;
	}
	/* The exit of the child closes the remaining copies without blocking the library. */
	if (may_linger(copy))
		search->kept++;
	else
		raw_close(copy);
	return false;
}

static int probe_main(void *arg)
{
	struct setup *setup = arg;
	struct search search = {.setup = setup, .error = ENOENT};
	struct answer answer;
	int error = helper_isolate(setup->descriptors, DESCRIPTORS);

	if (error < 0) {
		search.error = -error;
		setup->count = 0;
	}
	for (size_t i = 0; i < setup->count && search.kept < KEPT_MAX; i++)
		if (ask(&search, setup->sockets[i]))
			return 0;
	answer = (struct answer){.error = search.error};
	send_answer(&answer, -1);
	return 1;
}

/* --- the parent --- */

struct listing {
	const struct probe_target *target;
	int list;
	int *sockets;
	size_t count;
	bool begun;
	uint64_t deadline; /* CLOCK_MONOTONIC */
};

static int visit(void *data, long number)
{
	struct listing *listing = data;
	const struct probe_target *target = listing->target;
	uint64_t inode = 0;
	char name[24];

	if (target->next && listing->begun && clock_now(CLOCK_MONOTONIC) >= listing->deadline) {
		*target->next = (unsigned int)number;
		return 1;
	}
	listing->begun = true;
	snprintf(name, sizeof(name), "%ld", number);
	if (procfs_read_link(listing->list, name, "socket", &inode) > 0 &&
	    (target->inode ? inode == target->inode : !target->known(target->data, inode)))
		listing->sockets[listing->count++] = (int)number;
	if (target->next && listing->count == SOCKETS_MAX)
		*target->next = (unsigned int)number + 1;
	return listing->count == (target->inode ? 1 : SOCKETS_MAX);
}

/* Lists the sockets of the process that no table shows. Returns 0 or a negative errno. */
static int list_sockets(struct listing *listing)
{
	const struct probe_target *target = listing->target;
	CLEANUP_CLOSE int process = procfs_open_process(target->procfs, target->pid);
	CLEANUP_CLOSE int list = -1;
	int result;

	if (process < 0)
		return process;
	list = procfs_open_at(process, "fd", O_RDONLY | O_DIRECTORY);
	if (list < 0)
		return list;
	listing->list = list;
	listing->count = 0;
	listing->begun = false;
	listing->deadline = clock_now(CLOCK_MONOTONIC) + SLICE;
	/* If this fails, the search begins anew. */
	if (target->first > 0)
		raw_call(SYS_lseek, list, (long)target->first + DOTS, (long)SEEK_SET);
	result = procfs_list_numbers(list, visit, listing);
	if (result < 0)
		return result;
	return listing->count > 0 ? 0 : -ENOENT;
}

static int make_pair(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		ends[i] = fd_own(ends[i]);
	if (ends[0] >= 0 && ends[1] >= 0)
		return 0;
	for (int i = 0; i < 2; i++)
		fd_close(ends[i]);
	return -EMFILE;
}

static int start(struct probe *probe, const struct listing *listing)
{
	const struct probe_target *target = listing->target;
	CLEANUP_CLOSE int process =
		procfs_open_pidfd(target->procfs, target->pid, target->start_time);
	struct setup setup = {
		.inode = target->inode,
		.port = target->port,
		.sockets = listing->sockets,
		.count = listing->count,
	};
	int ends[2];
	int result;

	if (process < 0)
		return process;
	result = make_pair(ends);
	if (result < 0)
		return result;
	setup.descriptors[ANSWERS] = ends[1];
	setup.descriptors[PROCESS] = process;
	setup.descriptors[PROC] = target->procfs->fd;
	result = spawn_child(&probe->child, probe_main, &setup);
	fd_close(ends[1]);
	if (result < 0)
		fd_close(ends[0]);
	else
		probe->answers = ends[0];
	return result;
}

int probe_start(struct probe **probe, const struct probe_target *target)
{
	CLEANUP_FREE int *sockets = malloc(SOCKETS_MAX * sizeof(*sockets));
	CLEANUP_FREE struct probe *made = calloc(1, sizeof(*made));
	struct listing listing = {.target = target, .sockets = sockets};
	int result;

	if (!sockets || !made)
		return -ENOMEM;
	result = list_sockets(&listing);
	if (error_is_refusal(result)) {
		caps_set taken = caps_begin(CAPS_READ_PROCESS);

		if (taken)
			result = list_sockets(&listing);
		caps_end(taken);
	}
	if (result == 0)
		result = start(made, &listing);
	if (result < 0)
		return result;
	*probe = made;
	made = NULL;
	return 0;
}

int probe_fd(const struct probe *probe)
{
	return probe->answers;
}

pid_t probe_pid(const struct probe *probe)
{
	return probe->child.pid;
}

/* The descriptor that came with an answer; -1: none, or more than one, which are closed. */
static int take_rider(struct msghdr *message)
{
	struct cmsghdr *rider = CMSG_FIRSTHDR(message);
	int fds[RIDERS_MAX];
	size_t count;

	if (!rider || rider->cmsg_level != SOL_SOCKET || rider->cmsg_type != SCM_RIGHTS)
		return -1;
	count = (rider->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	if (count > RIDERS_MAX)
		count = RIDERS_MAX;
	memcpy(fds, CMSG_DATA(rider), count * sizeof(int));
	for (size_t i = 0; i < count; i++)
		fds[i] = fd_own(fds[i]);
	for (size_t i = 1; i < count; i++)
		fd_close(fds[i]);
	if (count == 1)
		return fds[0];
	if (count > 1)
		fd_close(fds[0]);
	return -1;
}

int probe_take(struct probe *probe, struct probe_result *result)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct answer answer = {0};
	struct iovec part = {&answer, sizeof(answer)};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	long size = raw_call(SYS_recvmsg, probe->answers, &message, (long)MSG_CMSG_CLOEXEC);
	int netns;

	if (size == -EAGAIN || size == -EINTR)
		return -EAGAIN;
	if (size < 0)
		return (int)size;
	netns = take_rider(&message);
	/* The end of the pipe: the child has died without an answer. */
	if (size != sizeof(answer) || answer.error < 0 || answer.error > ERRNO_MAX)
		answer.error = EPIPE;
	if (answer.error) {
		fd_close(netns);
		return -answer.error;
	}
	result->netns = netns;
	result->id = answer.id;
	return 0;
}

void probe_close(struct probe *probe, struct child *child)
{
	*child = (struct child){0, -1};
	if (!probe)
		return;
	*child = probe->child;
	spawn_kill(child);
	fd_close(probe->answers);
	free(probe);
}

/* --- the namespace of a known socket */

/* CLOCK_MONOTONIC in seconds: no socket is examined before this time. */
static unsigned int earliest;

static int ask_at_once(const struct probe_target *target, int timeout, struct child *child)
{
	struct probe_result result = {.netns = -1};
	struct pollfd answer = {.events = POLLIN};
	struct probe *probe;
	int error = probe_start(&probe, target);

	if (error < 0)
		return error;
	answer.fd = probe_fd(probe);
	/* A signal of the host ends the wait early, which counts as no answer. */
	poll(&answer, 1, timeout);
	error = probe_take(probe, &result);
	probe_close(probe, child);
	if (error == 0)
		return result.netns >= 0 ? result.netns : -EMFILE;
	fd_close(result.netns);
	return error == -EAGAIN ? -ETIMEDOUT : error;
}

int probe_open_netns(const struct probe_target *target, int timeout, struct child *child)
{
	unsigned int now = (unsigned int)(clock_now(CLOCK_MONOTONIC) / NSEC_PER_SEC);
	int result;

	*child = (struct child){0, -1};
	if (now < __atomic_load_n(&earliest, __ATOMIC_RELAXED))
		return -EBUSY;
	result = ask_at_once(target, timeout, child);
	if (error_is_refusal(result)) {
		/* The child inherits the effective capabilities. */
		caps_set taken = caps_begin(CAPS_READ_PROCESS);

		if (taken) {
			spawn_reap_soon(child);
			result = ask_at_once(target, timeout, child);
		}
		caps_end(taken);
	}
	if (result == -ETIMEDOUT)
		__atomic_store_n(&earliest, now + REST, __ATOMIC_RELAXED);
	return result;
}
