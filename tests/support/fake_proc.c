/* SPDX-License-Identifier: MIT */
/* fake_proc.c - a directory of plain files that looks like /proc */
#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_proc.h"

#define PATH_SIZE 512

/* Makes the path of name and creates its parent directories. */
static void make_path(const struct fake_proc *fake, char path[PATH_SIZE], const char *name,
                      va_list arguments)
{
	int size = snprintf(path, PATH_SIZE, "%s/", fake->path);
	char *slash = path + size;

	vsnprintf(slash, (size_t)(PATH_SIZE - size), name, arguments);
	while ((slash = strchr(slash, '/'))) {
		*slash = '\0';
		ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
		*slash++ = '/';
	}
}

#define NAME_TO_PATH(fake, path, name)                                                             \
	do {                                                                                       \
		va_list arguments;                                                                 \
                                                                                                   \
		va_start(arguments, name);                                                         \
		make_path(fake, path, name, arguments);                                            \
		va_end(arguments);                                                                 \
	} while (0)

void fake_proc_file(struct fake_proc *fake, const char *content, const char *name, ...)
{
	char path[PATH_SIZE];
	FILE *file;

	NAME_TO_PATH(fake, path, name);
	file = fopen(path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(content, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

void fake_proc_directory(struct fake_proc *fake, const char *name, ...)
{
	char path[PATH_SIZE];

	NAME_TO_PATH(fake, path, name);
	ck_assert(mkdir(path, 0755) == 0 || errno == EEXIST);
}

void fake_proc_link(struct fake_proc *fake, const char *target, const char *name, ...)
{
	char path[PATH_SIZE];

	NAME_TO_PATH(fake, path, name);
	unlink(path);
	ck_assert_int_eq(symlink(target, path), 0);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(path);
}

static void remove_all(const char *path)
{
	ck_assert_int_eq(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void fake_proc_delete(struct fake_proc *fake, const char *name, ...)
{
	char path[PATH_SIZE];

	NAME_TO_PATH(fake, path, name);
	remove_all(path);
}

void fake_proc_setup(struct fake_proc *fake, bool lists_children)
{
	const char *directory = getenv("TMPDIR");

	memset(fake, 0, sizeof(*fake));
	fake->lists_children = lists_children;
	snprintf(fake->path, sizeof(fake->path), "%s/fake-proc-XXXXXX",
	         directory ? directory : ".");
	ck_assert_ptr_nonnull(mkdtemp(fake->path));
	ck_assert_int_eq(chmod(fake->path, 0755), 0);
	ck_assert_int_eq(procfs_open(&fake->procfs, fake->path), 0);
}

void fake_proc_teardown(struct fake_proc *fake)
{
	procfs_close(&fake->procfs);
	remove_all(fake->path);
}

struct fake_process *fake_proc_find(struct fake_proc *fake, pid_t pid)
{
	for (size_t i = 0; i < fake->count; i++)
		if (fake->processes[i].pid == pid)
			return &fake->processes[i];
	return NULL;
}

static void write_children(struct fake_proc *fake, pid_t parent)
{
	char text[1024] = "";
	size_t size = 0;

	if (!fake->lists_children || !fake_proc_find(fake, parent))
		return;
	for (size_t i = 0; i < fake->count; i++)
		if (fake->processes[i].ppid == parent)
			size += (size_t)snprintf(text + size, sizeof(text) - size, "%d ",
			                         (int)fake->processes[i].pid);
	fake_proc_file(fake, text, "%d/task/%d/children", (int)parent, (int)parent);
}

void fake_proc_write(struct fake_proc *fake, const struct fake_process *process)
{
	int pid = (int)process->pid;
	char text[1024];

	snprintf(text, sizeof(text),
	         "%d (%s) %c %d %d %d 0 -1 %d 37880 423290 0 201 77 411 693 495 20 0 %u 0 "
	         "%" PRIu64 " 49512448 4296 18446744073709551615 0 0 0\n",
	         pid, process->name, process->state, (int)process->ppid, (int)process->group,
	         (int)process->session, process->exiting ? 4194564 : 4194560, process->threads,
	         process->start_time);
	fake_proc_file(fake, text, "%d/stat", pid);
	fake_proc_file(fake, text, "%d/task/%d/stat", pid, pid);
	write_children(fake, process->pid);
	write_children(fake, process->ppid);
}

void fake_proc_add(struct fake_proc *fake, pid_t pid, pid_t ppid, uint64_t start_time)
{
	struct fake_process *process = &fake->processes[fake->count];

	ck_assert_uint_lt(fake->count, sizeof(fake->processes) / sizeof(*fake->processes));
	ck_assert_ptr_null(fake_proc_find(fake, pid));
	fake->count++;
	*process = (struct fake_process){
		.pid = pid,
		.ppid = ppid,
		.group = 1,
		.session = 1,
		.threads = 1,
		.start_time = start_time,
		.state = 'S',
		.name = "fake",
	};
	fake_proc_write(fake, process);
	fake_proc_netns(fake, pid, "net:1");
}

void fake_proc_remove(struct fake_proc *fake, pid_t pid)
{
	struct fake_process *process = fake_proc_find(fake, pid);
	pid_t ppid = process->ppid;

	*process = fake->processes[--fake->count];
	fake_proc_delete(fake, "%d", (int)pid);
	write_children(fake, ppid);
}

void fake_proc_reparent(struct fake_proc *fake, pid_t pid, pid_t ppid)
{
	struct fake_process *process = fake_proc_find(fake, pid);
	pid_t old = process->ppid;

	process->ppid = ppid;
	fake_proc_write(fake, process);
	write_children(fake, old);
}

void fake_proc_netns(struct fake_proc *fake, pid_t pid, const char *netns)
{
	char target[64];

	/* In the kernel, all processes of a namespace show the same file. */
	snprintf(target, sizeof(target), "../%s", netns);
	fake_proc_file(fake, "", "%s/tcp", netns);
	fake_proc_link(fake, target, "%d/net", (int)pid);
}

void fake_proc_self(struct fake_proc *fake, pid_t pid)
{
	char target[16];

	snprintf(target, sizeof(target), "%d", (int)pid);
	fake_proc_link(fake, target, "self");
}
