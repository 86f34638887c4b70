/* SPDX-License-Identifier: MIT */
/* table_source.c - opens and closes the kernel's tables of TCP sockets */
#include "table_source.h"

#include <linux/netlink.h>
#include <string.h>

#include "raw.h"
#include "spawn.h"
#include "step.h"

#ifndef NETLINK_SOCK_DIAG
#define NETLINK_SOCK_DIAG 4
#endif

static const char *const table_names[2] = {"net/tcp", "net/tcp6"};

void table_source_init(struct table_source *source, unsigned char *buffer)
{
	memset(source, 0, sizeof(*source));
	source->directory = -1;
	source->text[0].fd = -1;
	source->text[1].fd = -1;
	source->diag = -1;
	source->buffer = buffer;
	source->text_failure = (struct failure){STEP_OPEN_TEXT, ENOENT};
	source->diag_failure = (struct failure){STEP_OPEN_DIAG, ENOENT};
}

/* "prefix/name". Returns 0 or -ENAMETOOLONG. */
static int join(char path[TABLE_SOURCE_PATH], const char *prefix, const char *name)
{
	size_t before = strlen(prefix);
	size_t after = strlen(name) + 1;

	if (before + 1 + after > TABLE_SOURCE_PATH)
		return -ENAMETOOLONG;
	memcpy(path, prefix, before);
	path[before] = '/';
	memcpy(path + before + 1, name, after);
	return 0;
}

static int open_text(struct table_source *source, int i, const char *prefix)
{
	struct table_text *text = &source->text[i];
	int error = join(text->path, prefix, table_names[i]);

	if (error < 0)
		return error;
	text->fd = spawn_above_stdio(raw_open(source->directory, text->path, O_RDONLY));
	return text->fd < 0 ? text->fd : 0;
}

/* No tcp6 beside a tcp: a kernel without IPv6. Else ports would be missing as long as this reader
 * lives, so it is made sure of: whoever is read through may have exited in between. */
static int open_text6(struct table_source *source, const char *prefix)
{
	int error = open_text(source, 1, prefix);

	if (error == -ENOENT)
		error = open_text(source, 1, prefix);
	if (error != -ENOENT)
		return error;
	raw_close(source->text[0].fd);
	return open_text(source, 0, prefix);
}

void table_source_open_text(struct table_source *source, int directory, const char *prefix)
{
	int error;

	source->directory = directory;
	error = open_text(source, 0, prefix);
	if (error == 0)
		error = open_text6(source, prefix);
	source->text_failure.error = -error;
}

void table_source_open_diag(struct table_source *source)
{
	source->diag = spawn_above_stdio(
		(int)raw_call(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
	source->diag_failure.error = source->diag < 0 ? -source->diag : 0;
}

void table_source_close(struct table_source *source)
{
	raw_close(source->text[0].fd);
	raw_close(source->text[1].fd);
	raw_close(source->diag);
	source->text[0].fd = -1;
	source->text[1].fd = -1;
	source->diag = -1;
}

static int fail(struct failure *failure, const struct failure *why)
{
	*failure = *why;
	return -why->error;
}

int table_source_read(struct table_source *source, enum portwatch_table form, uint32_t sequence,
                      table_sink sink, void *data, struct failure *failure)
{
	if (form == PORTWATCH_TABLE_PROCFS) {
		if (source->text_failure.error != 0)
			return fail(failure, &source->text_failure);
		return table_text_read(source, sink, data, failure);
	}
	if (source->diag_failure.error != 0)
		return fail(failure, &source->diag_failure);
	return table_diag_read(source, sequence, sink, data, failure);
}

bool table_source_is_refusal(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
	case ENOSYS:
	case ENOENT:
	case EINVAL:
	case EOPNOTSUPP:
	case EPROTONOSUPPORT:
	case ESOCKTNOSUPPORT:
	case EAFNOSUPPORT:
	case EPROTO: /* a dump that can't be understood will not be understood next time */
		return true;
	default:
		return false;
	}
}
