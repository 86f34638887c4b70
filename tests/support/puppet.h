/* SPDX-License-Identifier: MIT */
/* puppet.h - processes that fork, exit and open sockets when they are told to
 *
 * Puppets have the numbers 0 to PUPPETS - 1; a number is used once. Each call returns when the
 * puppet has done it. */
#ifndef PUPPET_H
#define PUPPET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PUPPETS 8

/* Fixture functions of a case. */
void puppets_setup(void);
void puppets_teardown(void);

/* Starts one as a child of the caller. */
pid_t puppet_start(int puppet);
/* Has one start another as its child. */
pid_t puppet_fork(int puppet, int other);
/* Has it exit; returns when it is dead, perhaps a zombie. */
void puppet_exit(int puppet);
/* Has it wait for a child of its that was told to exit. */
void puppet_reap(int puppet, int other);
/* Its leader exits; another thread lives on and does what the puppet is told. */
void puppet_lose_leader(int puppet);
/* Has it open a socket; returns its inode. */
uint64_t puppet_socket(int puppet);
/* Has it enter a new network namespace (and user namespace, where that takes one). 0 or a negative
 * errno. */
int puppet_unshare_net(int puppet);

/* Calls done until it says true; false when that takes too long. */
bool wait_until(bool (*done)(void *data), void *data);

#endif
