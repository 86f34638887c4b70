/* SPDX-License-Identifier: MIT */
/* puppet.h - processes that fork, exit and open sockets on command
 *
 * Puppets have the numbers 0 to PUPPETS - 1. A number is used only once. Each function returns when
 * the puppet has executed the command. */
#ifndef PUPPET_H
#define PUPPET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PUPPETS 8

/* The setup and teardown functions of a case. */
void puppets_setup(void);
void puppets_teardown(void);

/* Starts a puppet as a child of the caller. */
pid_t puppet_start(int puppet);
/* Makes a puppet start another puppet as its child. */
pid_t puppet_fork(int puppet, int other);
/* Makes a puppet exit. Returns when the puppet is dead, possibly a zombie. */
void puppet_exit(int puppet);
/* Makes a puppet wait for a child that was made to exit. */
void puppet_reap(int puppet, int other);
/* The puppet's leader exits; another thread stays alive and executes the puppet's commands. */
void puppet_lose_leader(int puppet);
/* Makes a puppet open a socket and returns the socket's inode. */
uint64_t puppet_socket(int puppet);
/* Makes a puppet enter a new network namespace (and a user namespace, if the puppet needs one).
 * Returns 0 or a negative errno. */
int puppet_unshare_net(int puppet);

/* Waits for the next tick after a start time: a process that starts later has a later start time.
 */
void wait_tick(uint64_t tick);
/* Calls done() until it returns true. Returns false after a deadline. */
bool wait_until(bool (*done)(void *data), void *data);

#endif
