/* SPDX-License-Identifier: MIT */
/* sandbox.h - new namespaces for tests, with or without privilege */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum sandbox_flags {
	SANDBOX_NETNS = 1,  /* a network namespace of its own, its loopback interface down */
	SANDBOX_PIDNS = 2,  /* a PID namespace, in which it is the init */
	SANDBOX_USERNS = 4, /* a user namespace, in which it is root. The others imply it where
	                     * that is what they take. */
};

/* Starts argv[0], a path, in new namespaces. The program gets only standard input, output and error
 * and the descriptor keep (as SANDBOX_FD). The program itself has to bring the loopback interface
 * up: loopback_up(). Returns its PID, or a negative errno if the namespaces are refused. */
#define SANDBOX_FD 3
pid_t sandbox_spawn(unsigned int flags, char *const argv[], int keep);

/* Moves the calling process into a user namespace and a network namespace of its own, in which the
 * process is root. Skips the case if the namespaces are refused. */
void sandbox_enter(void);

/* Makes a pair of virtual interfaces: one by the given name in the caller's namespace, one in the
 * network namespace of pid. The pair vanishes with either namespace. Returns 0 or a negative errno.
 */
int sandbox_veth(const char *name, pid_t pid);

/* Waits until an interface has gone from the caller's namespace. Returns false if the interface
 * still exists after `milliseconds`. */
bool sandbox_link_gone(const char *name, int milliseconds);

/* Gives the calling process mounts of its own, so that its changes of mounts have no effect
 * elsewhere. Returns false and sets errno if the kernel refuses: without privilege, or in a
 * chroot(2), whose root is no mount point. */
bool sandbox_own_mounts(void);

/* Runs body in a forked child process as an ordinary user (nobody) and waits for the child. The
 * child's working directory is the directory of the test program. Without root the case is skipped.
 * The body reports failure by ck_assert as usual. */
void sandbox_run_as_nobody(void (*body)(void *data), void *data);

/* Returns the inode number of the network namespace of a process, or of the calling thread (0). */
ino_t sandbox_netns(pid_t pid);

/* Asserts that a descriptor is CLOEXEC and that of the network namespace with this inode number. */
void sandbox_expect_netns(int descriptor, uint64_t inode);

#endif
