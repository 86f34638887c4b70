/* SPDX-License-Identifier: MIT */
/* table_text.c - reads the text of /proc/net/tcp and tcp6 up to the last listener */
#include <sys/socket.h>

#include "raw.h"
#include "spawn.h"
#include "step.h"
#include "table_source.h"
#include "tcp_table.h"

/* Some kernels don't let a /proc/net file be read again from its start. */
static long read_from(struct table_source *source, struct table_text *text, uint64_t offset)
{
	long got = raw_pread(text->fd, source->buffer, TABLE_SOURCE_BUFFER, offset);
	int fresh;

	if (got != -ESPIPE || offset != 0)
		return got;
	fresh = spawn_above_stdio(raw_open(source->directory, text->path, O_RDONLY));
	if (fresh < 0)
		return fresh;
	raw_close(text->fd);
	text->fd = fresh;
	return raw_read(text->fd, source->buffer, TABLE_SOURCE_BUFFER);
}

static long read_again(struct table_source *source, struct table_text *text, uint64_t offset)
{
	long got;

	do {
		got = read_from(source, text, offset);
		if (got == -ESPIPE) /* reopened before, so that plain reads go on from there */
			got = raw_read(text->fd, source->buffer, TABLE_SOURCE_BUFFER);
	} while (got == -EINTR);
	return got;
}

static int read_text(struct table_source *source, struct table_text *text, int family,
                     table_sink sink, void *data)
{
	enum table_tag tag = family == AF_INET ? TABLE_TEXT_INET : TABLE_TEXT_INET6;
	struct tcp_table table;
	uint64_t offset = 0;

	tcp_table_init(&table, family, NULL, NULL);
	while (!table.finished) {
		long got = read_again(source, text, offset);
		int error;

		if (got <= 0)
			return (int)got;
		offset += (uint64_t)got;
		if (offset > TABLE_SOURCE_MAX)
			return -E2BIG;
		tcp_table_feed(&table, (const char *)source->buffer, (size_t)got);
		error = sink(data, tag, source->buffer, (size_t)got);
		if (error < 0)
			return error;
	}
	return 0;
}

int table_text_read(struct table_source *source, table_sink sink, void *data,
                    struct failure *failure)
{
	static const int families[2] = {AF_INET, AF_INET6};
	int error = 0;

	for (int i = 0; i < 2 && error == 0; i++)
		if (source->text[i].fd >= 0)
			error = read_text(source, &source->text[i], families[i], sink, data);
	if (error < 0)
		*failure = (struct failure){STEP_READ_TEXT, -error};
	return error;
}
