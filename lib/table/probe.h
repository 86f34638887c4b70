/* SPDX-License-Identifier: MIT */
/* probe.h - asks the sockets of a process in which network namespace they were made
 *
 * A socket belongs to the namespace that its maker lived in then, wherever it lives now. The socket
 * itself shows it (SIOCGSKNS), through a copy of its descriptor (pidfd_getfd(2)). The copies are
 * taken in a child process: to close one can take as long as its owner likes (SO_LINGER; or a file
 * of FUSE, which the owner has put in the place of the socket meanwhile). Not even SIGKILL ends
 * that. */
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
	/* Where the search begins, and where the next call has to continue it (0: the search is
	 * complete), because it takes 2 ms at most. NULL: it takes as long as it takes. */
	unsigned int first;
	unsigned int *next;
	/* Whether a socket is known already: then it is skipped. */
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
/* Readable when there is an answer. */
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
