/* SPDX-License-Identifier: MIT */
/* fd.c - the descriptors of the library */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/lock.h"
#include "util/sys.h"

/* How often a failed write to an eventfd is repeated. */
#define SIGNALS 8
/* The library uses at most one part in SHARE of the host's descriptors. */
#define SHARE 4
#define BITS (sizeof(unsigned int) * CHAR_BIT)

/* Changed by atomic operations only, because a fork(2) may copy it between any two instructions. It
 * is in .data because a helper unmaps its inherited anonymous memory (helper_memory.c), including
 * .bss, and still opens descriptors afterwards; and in one struct, so that a helper writes to one
 * page only. */
static struct {
	unsigned int limit; /* one more than the highest descriptor that was ever registered */
	unsigned int count; /* how many are */
	unsigned int words[FD_REGISTRY_MAX / BITS]; /* a bit for each */
} registry __attribute__((section(".data")));

static void enter(int fd)
{
	unsigned int number = (unsigned int)fd,
		     seen = __atomic_load_n(&registry.limit, __ATOMIC_RELAXED);

	if (number >= FD_REGISTRY_MAX)
		return;
	while (seen <= number &&
	       !__atomic_compare_exchange_n(&registry.limit, &seen, number + 1, false,
	                                    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		continue;
	__atomic_fetch_or(&registry.words[number / BITS], 1U << number % BITS, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&registry.count, 1, __ATOMIC_RELAXED);
}

static void leave(int fd)
{
	unsigned int number = (unsigned int)fd, bit = 1U << number % BITS;

	if (number < FD_REGISTRY_MAX &&
	    __atomic_fetch_and(&registry.words[number / BITS], ~bit, __ATOMIC_SEQ_CST) & bit)
		__atomic_fetch_sub(&registry.count, 1, __ATOMIC_RELAXED);
}

int fd_own(int fd)
{
	int moved = fd;

	if (fd == -1)
		return -errno;
	if (fd < 0)
		return fd;
	if (fd <= STDERR_FILENO) {
		moved = (int)raw_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
		raw_close(fd);
	}
	if (moved >= 0)
		enter(moved);
	return moved;
}

/* The number is removed from the registry first: another thread of the host may get the number as
 * soon as it is closed, and the library must not close that descriptor in a child. */
void fd_close(int fd)
{
	if (fd < 0)
		return;
	leave(fd);
	close(fd);
}

int fd_give(int fd)
{
	if (fd >= 0)
		leave(fd);
	return fd;
}

void fd_close_raw(int fd)
{
	if (fd < 0)
		return;
	leave(fd);
	raw_close(fd);
}

static int own_both(const int made[2], int ends[2])
{
	ends[0] = fd_own(made[0]);
	ends[1] = fd_own(made[1]);
	if (ends[0] >= 0 && ends[1] >= 0)
		return 0;
	fd_close(ends[0]);
	fd_close(ends[1]);
	return ends[0] < 0 ? ends[0] : ends[1];
}

int fd_pipe(int ends[2])
{
	int made[2], result;

	library_lock();
	result = pipe2(made, O_CLOEXEC) < 0 ? -errno : own_both(made, ends);
	library_unlock();
	return result;
}

unsigned int fd_room(void)
{
	unsigned int used = __atomic_load_n(&registry.count, __ATOMIC_RELAXED), most;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / SHARE >= FD_REGISTRY_MAX)
		most = FD_REGISTRY_MAX;
	else
		most = (unsigned int)(files.rlim_cur / SHARE);
	return used < most ? most - used : 0;
}

bool fd_has_inode(int fd, uint64_t inode)
{
	struct stat status;

	return fstatat(fd, "", &status, AT_EMPTY_PATH) == 0 && status.st_ino == inode;
}

/* A full counter (EAGAIN) is readable already. No other failure is known; the write is repeated,
 * because a lost wake-up would not be. */
void fd_signal(int eventfd)
{
	for (int i = 0; i < SIGNALS && eventfd_write(eventfd, 1) < 0; i++)
		continue;
}

void fd_close_all(void)
{
	for (unsigned int word = 0; word * BITS < registry.limit; word++)
		for (unsigned int bit = 0; registry.words[word] && bit < BITS; bit++)
			if (registry.words[word] & 1U << bit)
				fd_close((int)(word * BITS + bit));
}
