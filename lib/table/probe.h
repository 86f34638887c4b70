/* SPDX-License-Identifier: MIT */
/* probe.h - finds the network namespaces in which the sockets of a process were created
 *
 * A socket belongs to the namespace in which it was created, wherever its process lives now.
 * SIOCGSKNS on a copy of the descriptor (pidfd_getfd(2)) opens this namespace. A child process
 * makes the copies, because the owner of the socket can delay the close of a copy without limit:
 * with SO_LINGER, or with a FUSE file that has taken the descriptor of the socket meanwhile. Not
 * even SIGKILL ends this delay. */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/procfs.h"

struct child;
struct probe;

struct probe_target {
	const struct procfs *procfs;
	pid_t pid; /* of the process */
	uint64_t start_time;
	uint64_t inode; /* of the socket; 0: unknown, the port identifies the socket */
	uint16_t port;  /* on which the socket listens, host order */
	/* first: the descriptor at which the search begins. A call searches for at most 2 ms, and
	 * *next receives the descriptor at which the next call must continue (0: the search is
	 * complete). next NULL: the search has no limit. */
	unsigned int first;
	unsigned int *next;
	/* Returns whether a socket is already known. Known sockets are skipped. */
	bool (*known)(void *data, uint64_t inode);
	void *data;
};

struct probe_result {
	struct netns_id id; /* of the namespace */
	int netns; /* open descriptor, owned by the caller; -1: the namespace of the calling thread
	            */
};

/* Starts the child. Returns 0; -ENOENT if the process has no such socket; another negative errno:
 * -EACCES and -EPERM if the process may not be examined. */
int probe_start(struct probe **probe, const struct probe_target *target);
/* A descriptor that is readable when the probe has an answer. */
int probe_fd(const struct probe *probe);
pid_t probe_pid(const struct probe *probe);
/* Reads the answer without blocking. Returns 0 with *result set; -EAGAIN: there is none yet;
 * -ENOENT: none of the sockets listens on the port; another negative errno. */
int probe_take(struct probe *probe, struct probe_result *result);
/* Opens the namespace of the socket `inode`, even if its holder has moved; first without and then
 * with the available privileges. Waits for the answer at most `timeout` milliseconds. Returns a
 * descriptor, which keeps the namespace alive; -ENOENT if the process does not hold the socket any
 * more; -ETIMEDOUT, and -EBUSY for some seconds after it; another negative errno. The caller reaps
 * *child. */
int probe_open_netns(const struct probe_target *target, int timeout, struct child *child);
/* Kills the child, which the caller reaps. NULL allowed. */
void probe_close(struct probe *probe, struct child *child);

#endif
