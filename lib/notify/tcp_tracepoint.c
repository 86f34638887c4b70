/* SPDX-License-Identifier: MIT */
/* tcp_tracepoint.c - the tracepoint sock:inet_sock_set_state as the source of reports */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "notify/tcp_tracepoint.h"
#include "proc/procfs.h"
#include "util/cleanup.h"
#include "util/fd.h"
#include "util/number.h"

/* --- tracefs --- */

static const char *const mount_points[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};

static int read_below(int directory, const char *tracepoint, char *text, size_t size)
{
	char path[128];
	int length = snprintf(path, sizeof(path), "events/%s/format", tracepoint);

	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	return (int)procfs_read(directory, path, text, size);
}

/* Returns -ENOENT also if the directory exists and nothing is mounted there. */
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

static bool says(const char *path, const char *word)
{
	char text[4096];
	ssize_t size = procfs_read(AT_FDCWD, path, text, sizeof(text));

	return size > 0 && memmem(text, (size_t)size, word, strlen(word));
}

/* A container hides the first file. The second one does not show a later setting. */
bool lockdown_is_confidential(void)
{
	return says("/sys/kernel/security/lockdown", "[confidentiality]") ||
	       says("/proc/cmdline", "lockdown=confidentiality");
}

/* No options are set, because they would apply to every mount of tracefs. */
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
	/* A locked-down kernel refuses to open the files of tracefs. This mount may also be the
	 * only one, and Linux 7.2 crashes when the last mount ends. */
	if (lockdown_is_confidential()) {
		*step = "mount tracefs, which the kernel's lockdown closes";
		return -EPERM;
	}
	mount = mount_detached(step);
	if (mount < 0)
		return mount;
	*step = "read the tracepoint's format (tracefs)";
	return read_below(mount, tracepoint, text, size);
}

/* Parses the number after a label in [line, end). */
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

/* --- the tracepoint --- */

/* Only TCP (6), and sockets that start listening (10) or go from there to closed (7), which is how
 * a listener ends. Other transitions from LISTEN are left out, because each accepted connection
 * starts as a copy of its listener and leaves this state too. MPTCP listens on a TCP socket, which
 * the tables show. */
#define FILTER "protocol == 6 && (newstate == 10 || (oldstate == 10 && newstate == 7))"

/* size 0: a number of 1, 2, 4 or 8 bytes. */
static const struct {
	const char *name;
	uint16_t size;
} wanted[STATE_FIELDS] = {
	[STATE_SOCKET] = {"skaddr", 0}, [STATE_NEW] = {"newstate", 0},
	[STATE_PORT] = {"sport", 0},    [STATE_FAMILY] = {"family", 0},
	[STATE_ADDRESS] = {"saddr", 4}, [STATE_ADDRESS6] = {"saddr_v6", 16},
};

static bool size_fits(uint16_t size, uint16_t expected)
{
	if (expected)
		return size == expected;
	return size == 1 || size == 2 || size == 4 || size == 8;
}

int state_format_parse(struct state_format *format, const char *text)
{
	int i;

	if (tracefs_parse_id(text, &format->id) < 0)
		return -EPROTO;
	for (i = 0; i < STATE_FIELDS; i++) {
		struct tracefs_field *field = &format->fields[i];

		if (tracefs_parse_field(text, wanted[i].name, field) < 0 ||
		    !size_fits(field->size, wanted[i].size) ||
		    field->offset + field->size > PERF_RECORD_MAX)
			return -EPROTO;
	}
	return 0;
}

static uint64_t number(const uint8_t *from, uint16_t size)
{
	union {
		uint8_t one;
		uint16_t two;
		uint32_t four;
		uint64_t eight;
	} value;

	memcpy(&value, from, size);
	switch (size) {
	case 1:
		return value.one;
	case 2:
		return value.two;
	case 4:
		return value.four;
	default:
		return value.eight;
	}
}

static void decode_fields(const struct tracefs_field *fields, const uint8_t *raw,
                          struct tcp_change *change)
{
	uint64_t values[STATE_ADDRESS];
	const struct tracefs_field *address = &fields[STATE_ADDRESS];
	int i;

	for (i = 0; i < STATE_ADDRESS; i++)
		values[i] = number(raw + fields[i].offset, fields[i].size);
	if (values[STATE_FAMILY] == AF_INET6)
		address = &fields[STATE_ADDRESS6];
	change->listening = values[STATE_NEW] == TCP_LISTEN;
	change->family = (int)values[STATE_FAMILY];
	change->port = (uint16_t)values[STATE_PORT];
	change->socket = values[STATE_SOCKET];
	memcpy(change->address, raw + address->offset, address->size);
}

int state_format_decode(const struct state_format *format, const struct perf_sample *sample,
                        struct tcp_change *change)
{
	for (int i = 0; i < STATE_FIELDS; i++)
		if (format->fields[i].offset + format->fields[i].size > sample->raw_size)
			return -EBADMSG;
	decode_fields(format->fields, sample->raw, change);
	return 0;
}

/* --- the source */

struct tcp_tracepoint {
	struct tcp_source source; /* first */
	struct state_format format;
};

static int connect_event(struct tcp_source *source, int event, unsigned int cpu, const char **step)
{
	(void)source, (void)cpu;
	*step = "filter the tracepoint (PERF_EVENT_IOC_SET_FILTER)";
	return ioctl(event, PERF_EVENT_IOC_SET_FILTER, FILTER) < 0 ? -errno : 0;
}

static int decode(const struct tcp_source *source, const struct perf_sample *sample,
                  struct tcp_change *change)
{
	return state_format_decode(&((const struct tcp_tracepoint *)source)->format, sample,
	                           change);
}

static void close_source(struct tcp_source *source)
{
	free(source);
}

static int read_format(struct state_format *format, const char **step)
{
	char text[TRACEFS_FORMAT_MAX];
	int result = tracefs_read_format("sock/inet_sock_set_state", text, sizeof(text), step);

	if (result < 0)
		return result;
	*step = "understand the tracepoint's format (tracefs)";
	return state_format_parse(format, text);
}

int tcp_tracepoint_open(struct tcp_source **source, const char **step)
{
	static const struct tcp_source_ops ops = {connect_event, NULL, NULL, decode, close_source};
	struct tcp_tracepoint *made = calloc(1, sizeof(*made));
	int error;

	*step = "make room for a tracepoint (malloc)";
	if (!made)
		return -ENOMEM;
	error = read_format(&made->format, step);
	if (error < 0) {
		free(made);
		return error;
	}
	made->source = (struct tcp_source){&ops, PERF_TYPE_TRACEPOINT, made->format.id};
	*source = &made->source;
	return 0;
}
