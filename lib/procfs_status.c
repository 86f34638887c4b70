/* SPDX-License-Identifier: MIT */
/* procfs_status.c - what /proc/PID/status says of PID namespaces */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "decimal.h"
#include "procfs.h"

#define NSPID "NSpid:"

/* The start of a line. The one that is looked for fits: the kernel nests 32 PID namespaces, a field
 * each. That of the groups, before it, can have 65,536 fields. */
struct line {
	char text[512];
	size_t size; /* of the whole line */
};

/* NSpid:, and for each namespace, outermost first, a tab and the PID there. */
static int parse_nspid(const struct line *line, pid_t *innermost, unsigned *depth)
{
	const char *at = line->text + strlen(NSPID), *end;
	uint64_t pid = 0;

	if (line->size > sizeof(line->text))
		return -EPROTO;
	end = line->text + line->size;
	for (*depth = 0; at < end; (*depth)++)
		if (*at++ != '\t' || !decimal_parse(&at, end, &pid) || pid > INT_MAX)
			return -EPROTO;
	*innermost = (pid_t)pid;
	return *depth > 0 ? 0 : -EPROTO;
}

static bool is_nspid(const struct line *line)
{
	return line->size >= strlen(NSPID) && memcmp(line->text, NSPID, strlen(NSPID)) == 0;
}

/* Whether this character ends the line that is looked for. */
static bool take_character(struct line *line, char character)
{
	if (character == '\n') {
		if (is_nspid(line))
			return true;
		line->size = 0;
		return false;
	}
	if (line->size < sizeof(line->text))
		line->text[line->size] = character;
	line->size++;
	return false;
}

int procfs_read_nspid(int process, pid_t *innermost, unsigned *depth)
{
	CLEANUP_CLOSE int fd = procfs_open_at(process, "status", O_RDONLY);
	struct line line = {.size = 0};
	char text[2048];
	ssize_t size;

	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	while ((size = read(fd, text, sizeof(text))) != 0) {
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		for (ssize_t i = 0; i < size; i++)
			if (take_character(&line, text[i]))
				return parse_nspid(&line, innermost, depth);
	}
	return -EPROTO;
}
