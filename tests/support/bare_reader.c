/* SPDX-License-Identifier: MIT */
/* bare_reader.c - a reader with nothing open, and the bytes of a real table */
#include <check.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bare_reader.h"
#include "skip.h"
#include "util/vdso.h"

struct reader *bare_reader_new(const struct reader_ops *ops, enum portwatch_table table)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	ck_assert_ptr_nonnull(reader);
	reader->ops = ops;
	reader->wanted = table;
	reader->form = table == PORTWATCH_TABLE_PROCFS ? table : PORTWATCH_TABLE_DIAG;
	reader->process = -1;
	reader->closes = -1;
	reader->link.child.pidfd = -1;
	reader->link.requests = -1;
	reader->link.responses = -1;
	reader->link.complaints = -1;
	reader->link.process = -1;
	reader->buffer = malloc(TABLE_SOURCE_BUFFER);
	ck_assert_ptr_nonnull(reader->buffer);
	reader->link.datagram = reader->buffer;
	table_source_init(&reader->source, reader->buffer, vdso_is_linux());
	return reader;
}

void bare_reader_begin(struct reader *reader)
{
	reader->sequence++;
	reader->error = 0;
	reader->failure = (struct failure){NULL, 0};
	table_collector_begin(&reader->collector, reader->form, reader->sequence);
}

void bare_reader_free(struct reader *reader)
{
	struct child child;

	reader_close(reader, &child);
	ck_assert_int_eq(child.pid, 0);
}

static int record(void *data, enum table_tag tag, const void *bytes, size_t size)
{
	struct table_bytes *table = data;
	size_t last = table->count;

	ck_assert_uint_lt(last, sizeof(table->pieces) / sizeof(table->pieces[0]));
	table->pieces[last].tag = tag;
	table->pieces[last].size = size;
	table->pieces[last].bytes = malloc(size + 1);
	ck_assert_ptr_nonnull(table->pieces[last].bytes);
	memcpy(table->pieces[last].bytes, bytes, size);
	table->count++;
	return 0;
}

void table_bytes_read(struct table_bytes *table, enum portwatch_table form, uint32_t sequence,
                      bool by_family)
{
	unsigned char *buffer = malloc(TABLE_SOURCE_BUFFER);
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC), result;
	struct failure failure = {0};
	struct table_source source;

	ck_assert_int_ge(proc, 0);
	table->count = 0;
	table_source_init(&source, buffer, vdso_is_linux());
	source.by_family = by_family;
	if (form == PORTWATCH_TABLE_DIAG)
		table_source_open_diag(&source);
	else
		table_source_open_text(&source, proc, "thread-self");
	result = table_source_read(&source, form, sequence, record, table, &failure);
	table_source_close(&source);
	close(proc);
	free(buffer);
	if (result < 0)
		test_skip("cannot %s: %s", failure.step, strerror(failure.error));
}

void table_bytes_free(struct table_bytes *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->pieces[i].bytes);
	table->count = 0;
}

int listen_on_loopback(int family, uint16_t *port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in inet;
		struct sockaddr_in6 inet6;
	} address = {.any.sa_family = (sa_family_t)family};
	socklen_t size = family == AF_INET ? sizeof(address.inet) : sizeof(address.inet6);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 && family == AF_INET6)
		test_skip("no IPv6");
	ck_assert_int_ge(fd, 0);
	if (family == AF_INET)
		address.inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		address.inet6.sin6_addr = in6addr_loopback;
	ck_assert_int_eq(bind(fd, &address.any, size), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, &address.any, &size), 0);
	*port = ntohs(family == AF_INET ? address.inet.sin_port : address.inet6.sin6_port);
	return fd;
}
