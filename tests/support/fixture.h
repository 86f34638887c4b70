/* SPDX-License-Identifier: MIT */
/* fixture.h - processes that do what a test tells them to, and answer what they did
 *
 * Each fixture is a process running tests/fixtures/puppet. All functions assert success. Fixtures
 * end with their test, however that ends. */
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
	bool child; /* of the calling process, which reaps it */
};

/* A listening socket in a fixture. */
struct fixture_socket {
	int handle;
	uint16_t port;
	uint64_t inode;
};

/* Starts one in new namespaces (enum sandbox_flags; 0: in ours). Skips the case where they are
 * refused. With SANDBOX_NETNS the loopback interface is up. */
struct fixture fixture_start(unsigned int sandbox);

/* Ends it (by closing its control socket, so nothing is killed) and waits until it has exited. */
void fixture_end(struct fixture *fixture);

/* Waits until a process has exited (not: until it was reaped). */
void fixture_wait_exit(pid_t pid);

/* Opens a port on the address (IPv4, IPv6 or IPv4-mapped, as text); port 0: any; flags: enum
 * listen_flags. */
struct fixture_socket fixture_listen(const struct fixture *fixture, const char *address,
                                     uint16_t port);
struct fixture_socket fixture_listen_with(const struct fixture *fixture, const char *address,
                                          uint16_t port, unsigned int flags);
/* Listens on a socket that is bound (LISTEN_BIND_ONLY). */
void fixture_begin(const struct fixture *fixture, struct fixture_socket socket);
void fixture_close(const struct fixture *fixture, struct fixture_socket socket);

/* Opens and closes `number` ports, one after the other. */
void fixture_churn(const struct fixture *fixture, const char *address, int number);

/* Has it open `number` ports from `port` on (with LISTEN_REUSEPORT all on that one), and from then
 * on close and reopen them at random as fast as it can, until it is told to leave all open; that
 * returns how often it has closed or opened one. */
void fixture_storm(const struct fixture *fixture, const char *address, uint16_t port, int number,
                   unsigned int flags);
uint64_t fixture_calm(const struct fixture *fixture);

/* Forks a child that holds the same sockets; as a daemon it is detached by a double fork. With a
 * PID of a child that has exited, the number is used again; returns false where that is refused. */
struct fixture fixture_fork(const struct fixture *fixture);
struct fixture fixture_daemon(const struct fixture *fixture);
bool fixture_respawn(const struct fixture *fixture, pid_t pid, struct fixture *child);

/* Its first thread exits, a second one goes on. */
void fixture_exit_leader(const struct fixture *fixture);

/* Its first thread sleeps, a second one with something of its own (enum thread_flags) goes on. */
void fixture_thread(const struct fixture *fixture, unsigned int flags);

/* Leaves the socket to an io_uring alone, and that (REGISTER_RING) to no descriptor. Skips the case
 * where that is refused. */
void fixture_register(const struct fixture *fixture, struct fixture_socket socket,
                      unsigned int flags);

/* Gives a copy of a socket to another fixture. */
struct fixture_socket fixture_give(const struct fixture *from, struct fixture_socket socket,
                                   const struct fixture *to);

/* Into a new network namespace, or that of another process. */
void fixture_unshare(const struct fixture *fixture);
void fixture_join(const struct fixture *fixture, pid_t pid);

/* Has it execute another program, whose name is "exe", which keeps the socket (handle -1: none). */
void fixture_exec(const struct fixture *fixture, struct fixture_socket socket);

void fixture_rename(const struct fixture *fixture, const char *name);
void fixture_hide(const struct fixture *fixture);

/* Makes it exit with this status and waits for that; a child of ours is reaped. */
void fixture_exit(struct fixture *fixture, int status);

#endif
