/* SPDX-License-Identifier: MIT */
/* fd_tables.c - descriptor tables that several processes share, as read */
#include "proc/fd_tables.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/array.h"
#include "util/aside.h"
#include "util/caps.h"

long fd_tables_compare(pid_t one, pid_t other)
{
	long result = -ENOSYS;

#ifdef SYS_kcmp
	result = syscall(SYS_kcmp, one, other, KCMP_FILES, 0L, 0L);
	if (result < 0)
		result = -errno;
#else
	(void)one;
	(void)other;
#endif
	return result;
}

static long compare(pid_t one, pid_t other, bool privileged)
{
	long result = fd_tables_compare(one, other);

	if (result == -EPERM && privileged) {
		caps_set taken = caps_begin(CAPS_READ_PROCESS);

		if (taken)
			result = fd_tables_compare(one, other);
		caps_end(taken);
	}
	return result;
}

static void drop(struct fd_tables *tables, size_t index)
{
	free(tables->rows[index].sockets);
	tables->count--;
	memmove(&tables->rows[index], &tables->rows[index + 1],
	        (tables->count - index) * sizeof(*tables->rows));
}

/* A search, which the processes that are compared can make last (aside.h). */
struct search {
	pid_t pid;
	bool privileged;
	pid_t rows[FD_TABLES_MAX];
	size_t count;
	int found; /* as search() returns it; GONE: the process of the row `index` has exited */
	size_t index;
};

#define GONE 2

static void run_search(void *argument)
{
	struct search *search = argument;
	pid_t pid = search->pid;
	size_t low = 0, high = search->count;

	search->found = 0;
	while (low < high && search->found == 0) {
		size_t middle = low + (high - low) / 2;
		long order = compare(pid, search->rows[middle], search->privileged);

		search->index = middle;
		if (order == -ESRCH && compare(pid, pid, search->privileged) == 0)
			search->found = GONE;
		else if (order == 0)
			search->found = 1;
		else if (order == 1)
			high = middle;
		else if (order == 2)
			low = middle + 1;
		else
			search->found = -1;
	}
	if (search->found == 0)
		search->index = low;
}

/* As search(), and GONE. */
static int search_once(const struct fd_tables *tables, pid_t pid, bool privileged, size_t *index)
{
	static const struct aside aside = {.run = run_search, .dispose = free};
	struct search *search = malloc(sizeof(*search));
	int found;

	if (!search)
		return -1;
	*search = (struct search){.pid = pid, .privileged = privileged, .count = tables->count};
	for (size_t i = 0; i < tables->count; i++)
		search->rows[i] = tables->rows[i].pid;
	if (aside_call(&aside, search) < 0)
		return -1;
	*index = search->index;
	found = search->found;
	free(search);
	return found;
}

/* Searches the table of a process. Returns 1 with its index, 0 with the index at which it would be
 * inserted, -1 if this is unknown. A row whose process has exited or has another table now is
 * wrong; in the worst case a table is read once more. */
static int search(struct fd_tables *tables, pid_t pid, bool privileged, size_t *index)
{
	int found = 0;

	*index = 0;
	while (tables->count > 0) {
		found = search_once(tables, pid, privileged, index);
		if (found != GONE)
			return found;
		drop(tables, *index);
	}
	return 0;
}

void fd_tables_clear(struct fd_tables *tables)
{
	while (tables->count > 0)
		drop(tables, tables->count - 1);
	free(tables->rows);
	free(tables->reading.sockets);
	*tables = (struct fd_tables){0};
}

const struct fd_table *fd_tables_find(struct fd_tables *tables, pid_t pid, bool privileged)
{
	size_t index;

	if (tables->count == 0 || search(tables, pid, privileged, &index) != 1)
		return NULL;
	return &tables->rows[index];
}

void fd_tables_begin(struct fd_tables *tables, pid_t pid)
{
	tables->reading.pid = pid;
	tables->reading.count = 0;
}

void fd_tables_add(struct fd_tables *tables, int number, uint64_t inode)
{
	struct fd_table *reading = &tables->reading;
	struct fd_socket *sockets;

	if (number < 0 || reading->count == FD_TABLES_SOCKETS)
		reading->pid = 0; /* the table is read again for other processes */
	if (reading->pid == 0)
		return;
	sockets =
		array_grow(reading->sockets, &reading->capacity, reading->count, sizeof(*sockets));
	if (!sockets) {
		reading->pid = 0;
		return;
	}
	reading->sockets = sockets;
	reading->sockets[reading->count++] = (struct fd_socket){number, inode};
}

/* Adds a row for the table that was read. Without memory the table is not kept. */
static void keep(struct fd_tables *tables, size_t index)
{
	if (!tables->rows)
		tables->rows = calloc(FD_TABLES_MAX, sizeof(*tables->rows));
	if (!tables->rows)
		return;
	memmove(&tables->rows[index + 1], &tables->rows[index],
	        (tables->count - index) * sizeof(*tables->rows));
	tables->rows[index] = tables->reading;
	tables->count++;
	tables->reading = (struct fd_table){0};
}

void fd_tables_end(struct fd_tables *tables, bool complete, size_t descriptors, bool privileged)
{
	pid_t pid = tables->reading.pid;
	size_t index;

	if (pid != 0 && complete && descriptors >= FD_TABLES_LARGE &&
	    tables->count < FD_TABLES_MAX && search(tables, pid, privileged, &index) == 0)
		keep(tables, index);
	tables->reading.pid = 0;
}
