/* SPDX-License-Identifier: MIT */
/* tracefs.c - what the kernel says of a tracepoint, in tracefs */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/number.h"
#include "proc/procfs.h"
#include "util/fd.h"
#include "notify/tracefs.h"

static const char *const mount_points[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

static int read_below(int directory, const char *tracepoint, char *text, size_t size)
{
	char path[128];
	int length = snprintf(path, sizeof(path), "events/%s/format", tracepoint);

	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	return (int)procfs_read(directory, path, text, size);
}

/* -ENOENT also where the directory is there and nothing is mounted on it. */
static int read_mounted(const char *tracepoint, char *text, size_t size)
{
	int result = -ENOENT;
	size_t i;

	for (i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]) && result == -ENOENT; i++) {
		CLEANUP_CLOSE int directory =
			procfs_open_at(AT_FDCWD, mount_points[i], O_PATH | O_DIRECTORY);

		result = directory < 0 ? directory : read_below(directory, tracepoint, text, size);
	}
	return result;
}

/* Without options: these would become those of every mount of tracefs. */
static int mount_detached(const char **step)
{
	CLEANUP_CLOSE int context = -1;

	*step = "open the file system tracefs (fsopen)";
	context = fd_own((int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC));
	if (context < 0)
		return context;
	*step = "create a mount of tracefs (fsconfig)";
	if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	*step = "create a mount of tracefs (fsmount)";
	return fd_own((int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0));
}

int tracefs_read_format(const char *tracepoint, char *text, size_t size, const char **step)
{
	CLEANUP_CLOSE int mount = -1;
	int result;

	*step = "read the tracepoint's format (tracefs)";
	result = read_mounted(tracepoint, text, size);
	if (result != -ENOENT)
		return result;
	mount = mount_detached(step);
	if (mount < 0)
		return mount;
	*step = "read the tracepoint's format (tracefs)";
	return read_below(mount, tracepoint, text, size);
}

/* The number that stands behind a label in [line, end). */
static int parse_number(const char *line, const char *end, const char *label, uint64_t *number)
{
	const char *at = memmem(line, (size_t)(end - line), label, strlen(label));

	if (!at)
		return -EPROTO;
	at += strlen(label);
	return decimal_parse(&at, end, number) ? 0 : -EPROTO;
}

int tracefs_parse_id(const char *text, uint64_t *id)
{
	return parse_number(text, strchrnul(text, '\t'), "\nID: ", id);
}

/* Whether [line, end), "\tfield:TYPE NAME[COUNT];...", declares the name. */
static bool declares(const char *line, const char *end, const char *name)
{
	const char *stop = memchr(line, ';', (size_t)(end - line)), *bracket;
	ptrdiff_t length = (ptrdiff_t)strlen(name);

	if (!stop)
		return false;
	bracket = memchr(line, '[', (size_t)(stop - line));
	if (bracket)
		stop = bracket;
	return stop - line > length && memcmp(stop - length, name, (size_t)length) == 0 &&
	       strchr(" *", stop[-length - 1]);
}

static int parse_place(const char *line, const char *end, struct tracefs_field *field)
{
	uint64_t offset, size;

	if (parse_number(line, end, "\toffset:", &offset) < 0 ||
	    parse_number(line, end, "\tsize:", &size) < 0 || offset > UINT16_MAX || size == 0 ||
	    size > UINT16_MAX)
		return -EPROTO;
	field->offset = (uint16_t)offset;
	field->size = (uint16_t)size;
	return 0;
}

int tracefs_parse_field(const char *text, const char *name, struct tracefs_field *field)
{
	const char *line = text, *end;

	for (; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		if (strncmp(line, "\tfield:", strlen("\tfield:")) == 0 && declares(line, end, name))
			return parse_place(line, end, field);
	}
	return -EPROTO;
}
