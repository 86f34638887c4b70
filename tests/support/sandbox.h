/* SPDX-License-Identifier: MIT */
/* sandbox.h - namespaces to test in, made with or without privilege */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

enum sandbox_flags {
	SANDBOX_NETNS = 1,  /* a network namespace of its own, its loopback interface down */
	SANDBOX_PIDNS = 2,  /* a PID namespace, in which it is the init */
	SANDBOX_USERNS = 4, /* a user namespace, in which it is root. The others imply it where
	                     * that is what they take. */
};

/* Starts argv[0], a path, in new namespaces, with standard input, output and error and the
 * descriptor keep (which becomes SANDBOX_FD) alone. Returns its PID, or a negative errno where the
 * namespaces are refused. The program itself brings the loopback interface up: loopback_up(). */
#define SANDBOX_FD 3
pid_t sandbox_spawn(unsigned int flags, char *const argv[], int keep);

/* Moves the calling process into a user and network namespace of its own, where it is root: for a
 * case that needs to own its network. Skips the case where that is refused. */
void sandbox_enter(void);

/* Makes a pair of virtual interfaces, one here by the given name, one in the network namespace of
 * pid. It vanishes with either namespace. 0 or a negative errno. */
int sandbox_veth(const char *name, pid_t pid);

/* Waits until an interface is gone from here; returns false when it still exists after
 * `milliseconds`. */
bool sandbox_link_gone(const char *name, int milliseconds);

/* Gives the calling process mounts of its own, so that none of what it changes is seen elsewhere.
 * False where that is refused (errno): without privilege, or in a chroot(2), whose root is no mount
 * point. */
bool sandbox_own_mounts(void);

/* Runs body in a forked child process as an ordinary user (nobody) and waits for it; its working
 * directory is that of the test program. Takes root, else the case is skipped. The body reports
 * failure by ck_assert as usual. */
void sandbox_run_as_nobody(void (*body)(void *data), void *data);

/* The inode number of the network namespace of a process, or of the calling thread (0). */
ino_t sandbox_netns(pid_t pid);

#endif
