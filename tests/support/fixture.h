/* SPDX-License-Identifier: MIT */
/* fixture.h - processes that follow a test's commands and answer with the results
 *
 * Each fixture is a process that runs tests/fixtures/puppet. All functions assert success. Fixtures
 * end when their test ends, whether the test succeeds or fails. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../fixtures/protocol.h"
#include "sandbox.h"

struct fixture {
	pid_t pid;
	int control;
	bool child; /* whether the process is a child of the calling process, which then reaps it */
};

/* A listening socket in a fixture. */
struct fixture_socket {
	int handle;
	uint16_t port;
	uint64_t inode;
};

/* Starts a fixture in new namespaces (enum sandbox_flags; 0: in ours). Skips the case if the
 * namespaces are refused. With SANDBOX_NETNS the loopback interface is up. */
struct fixture fixture_start(unsigned int sandbox);

/* Ends a fixture and waits until it has exited. The fixture ends because its control socket is
 * closed; no signal is sent. */
void fixture_end(struct fixture *fixture);

/* Waits until a process has exited. The process may still be a zombie. */
void fixture_wait_exit(pid_t pid);

/* Opens a port on the address (IPv4, IPv6 or IPv4-mapped, as text); port 0: any; flags: enum
 * listen_flags. */
struct fixture_socket fixture_listen(const struct fixture *fixture, const char *address,
                                     uint16_t port);
struct fixture_socket fixture_listen_with(const struct fixture *fixture, const char *address,
                                          uint16_t port, unsigned int flags);
/* Listens on a socket that is only bound (LISTEN_BIND_ONLY). */
void fixture_begin(const struct fixture *fixture, struct fixture_socket socket);
void fixture_close(const struct fixture *fixture, struct fixture_socket socket);

/* Opens and closes `number` ports, one after another. */
void fixture_churn(const struct fixture *fixture, const char *address, int number);

/* fixture_storm() opens `number` ports from `port` on (with LISTEN_REUSEPORT all of them on that
 * port), and then closes and reopens them at random as fast as possible. fixture_calm() ends the
 * storm, leaves all ports open, and returns the number of opens and closes. */
void fixture_storm(const struct fixture *fixture, const char *address, uint16_t port, int number,
                   unsigned int flags);
uint64_t fixture_calm(const struct fixture *fixture);

/* Forks a child that holds the same sockets. fixture_daemon() detaches the child by a double fork.
 * fixture_respawn() gives the child the PID of a child that has exited, and returns false if the
 * kernel refuses to. */
struct fixture fixture_fork(const struct fixture *fixture);
struct fixture fixture_daemon(const struct fixture *fixture);
bool fixture_respawn(const struct fixture *fixture, pid_t pid, struct fixture *child);

/* Its first thread exits; a second thread continues. */
void fixture_exit_leader(const struct fixture *fixture);

/* Its first thread sleeps; a second thread with resources of its own (enum thread_flags) continues.
 */
void fixture_thread(const struct fixture *fixture, unsigned int flags);

/* Leaves the socket to an io_uring alone. With REGISTER_RING, the io_uring in turn has no
 * descriptor. Skips the case if the kernel refuses io_uring. */
void fixture_register(const struct fixture *fixture, struct fixture_socket socket,
                      unsigned int flags);

/* Passes a copy of a socket to another fixture. */
struct fixture_socket fixture_give(const struct fixture *from, struct fixture_socket socket,
                                   const struct fixture *to);

/* Moves the fixture into a new network namespace, or into the namespace of another process. */
void fixture_unshare(const struct fixture *fixture);
void fixture_join(const struct fixture *fixture, pid_t pid);

/* Makes the fixture execute another program, named "exe", which keeps the socket (handle -1: no
 * socket). */
void fixture_exec(const struct fixture *fixture, struct fixture_socket socket);

void fixture_rename(const struct fixture *fixture, const char *name);
void fixture_hide(const struct fixture *fixture);

/* Makes the fixture exit with this status and waits for its exit. A child of the calling process is
 * also reaped. */
void fixture_exit(struct fixture *fixture, int status);

#endif
