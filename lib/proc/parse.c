/* SPDX-License-Identifier: MIT */
/* parse.c - parsers of the files of /proc */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "proc/parse.h"
#include "util/number.h"

/* Numbers of the fields, as proc(5) counts them. */
enum {
	FIELD_STATE = 3,
	FIELD_PPID = 4,
	FIELD_GROUP = 5,
	FIELD_SESSION = 6,
	FIELD_FLAGS = 9,
	FIELD_THREADS = 20,
	FIELD_START_TIME = 22,
};

/* PF_EXITING of the flags (include/linux/sched.h). */
#define EXITING 0x4

static bool take(const char **at, const char *end, char expected)
{
	if (*at >= end || **at != expected)
		return false;
	(*at)++;
	return true;
}

static const char *last_parenthesis(const char *start, const char *end)
{
	while (end > start)
		if (*--end == ')')
			return end;
	return NULL;
}

/* The name is between the first "(" and the last ")", and may contain any byte. */
static bool take_name(const char **at, const char *end, struct process_stat *stat)
{
	const char *close = last_parenthesis(*at, end);
	size_t size;

	if (!close || !take(at, end, '('))
		return false;
	size = (size_t)(close - *at);
	if (size > sizeof(stat->name) - 1)
		size = sizeof(stat->name) - 1;
	memcpy(stat->name, *at, size);
	memset(stat->name + size, 0, sizeof(stat->name) - size);
	*at = close + 1;
	return true;
}

/* Fields that are not used may be negative. */
static bool take_field(const char **at, const char *end, uint64_t *value)
{
	return take(at, end, ' ') && (take(at, end, '-') || true) && decimal_parse(at, end, value);
}

static bool take_numbers(const char **at, const char *end, struct process_stat *stat)
{
	uint64_t fields[FIELD_START_TIME + 1];

	for (int field = FIELD_PPID; field <= FIELD_START_TIME; field++)
		if (!take_field(at, end, &fields[field]))
			return false;
	if (fields[FIELD_PPID] > INT_MAX || fields[FIELD_GROUP] > INT_MAX ||
	    fields[FIELD_SESSION] > INT_MAX || fields[FIELD_THREADS] > UINT_MAX)
		return false;
	stat->ppid = (pid_t)fields[FIELD_PPID];
	stat->group = (pid_t)fields[FIELD_GROUP];
	stat->session = (pid_t)fields[FIELD_SESSION];
	stat->exiting = fields[FIELD_FLAGS] & EXITING;
	stat->threads = (unsigned)fields[FIELD_THREADS];
	stat->start_time = fields[FIELD_START_TIME];
	return true;
}

int procfs_parse_stat(const char *text, size_t size, struct process_stat *stat)
{
	const char *at = text, *end = text + size;
	uint64_t pid;

	if (!decimal_parse(&at, end, &pid) || pid > INT_MAX || !take(&at, end, ' ') ||
	    !take_name(&at, end, stat) || !take(&at, end, ' ') || at == end)
		return -EPROTO;
	stat->pid = (pid_t)pid;
	stat->state = *at++;
	return take_numbers(&at, end, stat) ? 0 : -EPROTO;
}

bool procfs_is_dead(const struct process_stat *stat)
{
	/* A leader that has exited before its other threads has the same state, but the number of
	 * threads is greater. */
	return (stat->state == 'Z' || stat->state == 'X' || stat->state == 'x') &&
	       stat->threads <= 1;
}

/* The last field of the line. */
pid_t procfs_parse_loadavg(const char *text, size_t size)
{
	const char *end = text + size, *at;
	uint64_t pid;

	if (end > text && end[-1] == '\n')
		end--;
	for (at = end; at > text && at[-1] != ' '; at--)
		;
	return decimal_parse(&at, end, &pid) && at == end && pid <= INT_MAX ? (pid_t)pid : 0;
}

bool procfs_parse_link(const char *text, const char *type, uint64_t *number)
{
	size_t length = strlen(type);
	const char *end = text + strlen(text);

	if (strncmp(text, type, length) != 0 || strncmp(text + length, ":[", 2) != 0)
		return false;
	text += length + 2;
	return decimal_parse(&text, end, number) && strcmp(text, "]") == 0;
}

/* --- what /proc/PID/fdinfo/N says of the files that are registered with an io_uring
 *
 * A line "UserFiles:", and one for each file with a number and a path; then other lines, which
 * begin with a word. Blanks and newlines in paths are escaped. */

#define USER_FILES "UserFiles:"

/* Takes the file from "NUMBER: FILE"; NULL: the text has another form. */
static const char *find_file(const char *at, const char *end)
{
	uint64_t number;

	at += strspn(at, " ");
	return decimal_parse(&at, end, &number) && strncmp(at, ": ", 2) == 0 ? at + 2 : NULL;
}

/* Linux 6.12 and older say of a file the last part of its name, which is that of the protocol for
 * a socket. */
static bool is_unnamed_socket(const char *file)
{
	static const char *const protocols[] = {"TCP", "TCPv6", "MPTCP", "MPTCPv6"};

	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (strcmp(file, protocols[i]) == 0)
			return true;
	return false;
}

static void end_line(struct uring_files *files, procfs_visit_socket visit, void *data)
{
	bool whole = files->used < sizeof(files->line) - 1;
	const char *file = NULL;
	uint64_t inode;

	files->line[files->used] = '\0';
	if (strchr(" 0123456789", files->line[0]) == NULL)
		files->inside = strncmp(files->line, USER_FILES, strlen(USER_FILES)) == 0;
	else if (files->inside && whole)
		file = find_file(files->line, files->line + files->used);
	if (file && procfs_parse_link(file, "socket", &inode))
		visit(data, inode);
	else if (file && is_unnamed_socket(file))
		files->unnamed++;
	files->used = 0;
}

void uring_files_feed(struct uring_files *files, const char *bytes, size_t size,
                      procfs_visit_socket visit, void *data)
{
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n')
			end_line(files, visit, data);
		else if (files->used < sizeof(files->line) - 1)
			files->line[files->used++] = bytes[i];
	}
}

/* --- /proc/PID/maps --- */

static bool read_hex(const char **cursor, char after, uint64_t *value)
{
	const char *start = *cursor;

	for (*value = 0;; (*cursor)++) {
		char c = **cursor;

		if (c >= '0' && c <= '9')
			*value = *value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*value = *value << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	return *cursor != start && *(*cursor)++ == after;
}

static bool is_memory(const char *name)
{
	return *name == '\0' || strncmp(name, "[heap]", 6) == 0 ||
	       strncmp(name, "[stack", 6) == 0 || strncmp(name, "[anon:", 6) == 0;
}

bool mapping_parse(const char *line, struct mapping *mapping)
{
	uint64_t start, end, ignored;

	if (!read_hex(&line, '-', &start) || !read_hex(&line, ' ', &end) || strlen(line) < 5)
		return false;
	mapping->range = (struct range){(uintptr_t)start, (uintptr_t)end};
	mapping->private = line[3] == 'p';
	line += 5;
	if (!read_hex(&line, ' ', &ignored) || !read_hex(&line, ':', &ignored) ||
	    !read_hex(&line, ' ', &ignored))
		return false;
	/* The number is decimal, but is only compared with others and with 0. */
	if (!read_hex(&line, ' ', &mapping->inode))
		return false;
	line += strspn(line, " ");
	mapping->anonymous = mapping->inode == 0 && is_memory(line);
	mapping->heap = strncmp(line, "[heap]", 6) == 0;
	return true;
}
