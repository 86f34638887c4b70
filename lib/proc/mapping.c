/* SPDX-License-Identifier: MIT */
/* mapping.c - the lines of /proc/PID/maps */
#include "proc/mapping.h"

#include <string.h>

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
	/* Decimal, but only told apart from others and from 0. */
	if (!read_hex(&line, ' ', &mapping->inode))
		return false;
	line += strspn(line, " ");
	mapping->anonymous = mapping->inode == 0 && is_memory(line);
	mapping->heap = strncmp(line, "[heap]", 6) == 0;
	return true;
}
