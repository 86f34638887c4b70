/* SPDX-License-Identifier: MIT */
/* fd.h - the descriptors of the library: above standard error, and closed in the child of a fork(2)
 *
 * Every descriptor that the library keeps passes through fd_own() and fd_close(). They keep a
 * registry that is valid at any instant, so that a forked child can close its copies: the copy of a
 * pipe would keep a helper alive, and the copy of a namespace descriptor a namespace. */
#ifndef FD_H
#define FD_H

#include <stdbool.h>
#include <stdint.h>

/* Descriptors from this number on are not registered. */
#define FD_REGISTRY_MAX 131072

/* Registers a descriptor that the caller has just opened with CLOEXEC. Moves it to a number above 2
 * if need be: a host may run with 0 to 2 closed, and would write its output to a descriptor of the
 * library. Returns the descriptor or a negative errno; -1 with errno set, and a negative errno,
 * pass through as a negative errno. */
int fd_own(int fd);

/* Closes a descriptor of the library; a negative number is ignored. */
void fd_close(int fd);

/* Passes the descriptor to the caller of the library: it is not closed in the child of a fork(2)
 * any more. Returns it; a negative errno passes through. */
int fd_give(int fd);

/* Like fd_close(), but by a raw system call, for descriptors that a raw system call has opened. May
 * be called in a child that shares its parent's locks (sys.h). */
void fd_close_raw(int fd);

/* pipe2(O_CLOEXEC), both ends owned. 0 or a negative errno. No fork(2) of the host can happen
 * between the call and the registration. */
int fd_pipe(int ends[2]);

/* How many more descriptors the library may open: the library uses at most a quarter of the limit
 * of the host (RLIMIT_NOFILE, getrlimit(2)). */
unsigned int fd_room(void);

/* Whether the open file has this inode number. */
bool fd_has_inode(int fd, uint64_t inode);

/* Makes an eventfd readable. */
void fd_signal(int eventfd);

/* In the child of a fork(2): closes the child's copy of every registered descriptor. */
void fd_close_all(void);

#endif
