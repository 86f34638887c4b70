/* SPDX-License-Identifier: MIT */
/* source.c - opens and closes the kernel's tables of TCP sockets */
#include <linux/magic.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>

#include "util/sys.h"
#include "util/fd.h"
#include "table/step.h"
#include "table/source.h"
#include "table/parse_diag.h"
#include "table/parse_text.h"

#ifndef NETLINK_SOCK_DIAG
#define NETLINK_SOCK_DIAG 4
#endif

/* The most datagrams of other senders that are skipped in one read. The owner of the network
 * namespace may send such datagrams. */
#define FOREIGN_MAX 64

static const char *const table_names[2] = {"net/tcp", "net/tcp6"};

void table_source_init(struct table_source *source, unsigned char *buffer, bool linux_kernel)
{
	memset(source, 0, sizeof(*source));
	source->linux_kernel = linux_kernel;
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

/* Whether Linux itself writes the text: then the listeners come first (tcp_seq_start() in the
 * kernel's net/ipv4/tcp_ipv4.c). */
bool table_source_is_sorted(const struct table_source *source, int fd)
{
	struct statfs status;

	return source->linux_kernel && fstatfs(fd, &status) == 0 &&
	       status.f_type == PROC_SUPER_MAGIC;
}

static int open_text(struct table_source *source, int i, const char *prefix)
{
	struct table_text *text = &source->text[i];
	int error = join(text->path, prefix, table_names[i]);

	if (error < 0)
		return error;
	text->fd = raw_open(source->directory, text->path, O_RDONLY);
	text->sorted = text->fd >= 0 && table_source_is_sorted(source, text->fd);
	return text->fd < 0 ? text->fd : 0;
}

/* If tcp exists and tcp6 does not, the kernel has no IPv6. The process through which the files are
 * read may have exited between the two opens, so tcp is checked again: otherwise ports of IPv6
 * would be missing as long as this reader exists. */
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
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	source->diag =
		(int)raw_call(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	source->diag_failure.error = source->diag < 0 ? -source->diag : 0;
	/* From here on only the kernel may send to the socket. If connect is refused, datagrams of
	 * other senders are skipped. */
	if (source->diag >= 0)
		raw_call(SYS_connect, source->diag, &kernel, sizeof(kernel));
}

/* Any socket of the namespace returns the cookie. */
uint64_t table_source_cookie(const struct table_source *source)
{
	int any = -1, fd = source->diag;
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (fd < 0)
		fd = any = (int)raw_call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || raw_call(SYS_getsockopt, fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0)
		cookie = 0;
	raw_close(any);
	return cookie;
}

static void own(int *fd, struct failure *failure)
{
	if (*fd < 0)
		return;
	*fd = fd_own(*fd);
	if (*fd < 0)
		failure->error = -*fd;
}

void table_source_own(struct table_source *source)
{
	own(&source->diag, &source->diag_failure);
	own(&source->text[0].fd, &source->text_failure);
	own(&source->text[1].fd, &source->text_failure);
}

void table_source_close(struct table_source *source)
{
	fd_close_raw(source->text[0].fd);
	fd_close_raw(source->text[1].fd);
	fd_close_raw(source->diag);
	source->text[0].fd = -1;
	source->text[1].fd = -1;
	source->diag = -1;
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
	case EPROTO: /* the next dump would be invalid too */
		return true;
	default:
		return false;
	}
}

/* --- dumps the listening sockets through a sock_diag(7) socket
 *
 * These functions never block: the kernel queues the first datagram of a dump before sendto(2)
 * returns, and the next one whenever one is received (net/netlink/af_netlink.c). */

/* Receives one datagram of the kernel. Returns its size, which may exceed the buffer, or a negative
 * errno: -EAGAIN if there is none, or too many of other senders; -ENOBUFS if one was dropped. */
static long receive(struct table_source *source)
{
	struct sockaddr_nl from = {0};
	socklen_t size;
	long got;

	while (source->foreign < FOREIGN_MAX) {
		size = sizeof(from);
		got = raw_call(SYS_recvfrom, source->diag, source->buffer, TABLE_SOURCE_BUFFER,
		               MSG_DONTWAIT | MSG_TRUNC, &from, &size);
		if (got != -EINTR && (got < 0 || from.nl_pid == 0))
			return got;
		source->foreign++;
	}
	return -EAGAIN;
}

/* Discards the rest of an earlier dump, because the kernel does not start another dump before its
 * end. */
static void drain(struct table_source *source)
{
	uint64_t total = 0;
	long got;

	while (total < TABLE_SOURCE_MAX) {
		got = receive(source);
		if (got == -ENOBUFS)
			source->foreign++;
		else if (got < 0)
			break;
		else
			total += (uint64_t)got + 1;
	}
}

static int request(struct table_source *source, int family, uint32_t sequence)
{
	unsigned char bytes[TCP_DIAG_REQUEST_MAX];
	size_t size = tcp_diag_request(bytes, family, sequence);
	long sent;

	do {
		/* Without an address the datagram goes to the kernel. */
		sent = raw_call(SYS_sendto, source->diag, bytes, size, 0L, NULL, 0L);
	} while (sent == -EINTR);
	return sent < 0 ? (int)sent : 0;
}

static enum table_tag tag_of(int family)
{
	if (family == AF_UNSPEC)
		return TABLE_DIAG;
	return family == AF_INET ? TABLE_DIAG_INET : TABLE_DIAG_INET6;
}

/* Whether a datagram belongs to an earlier dump. */
static bool is_stale(const unsigned char *datagram, size_t size, uint32_t sequence)
{
	struct nlmsghdr header;

	if (size < sizeof(header))
		return false;
	memcpy(&header, datagram, sizeof(header));
	return header.nlmsg_seq != sequence;
}

static int take_dump(struct table_source *source, int family, uint32_t sequence, table_sink sink,
                     void *data)
{
	uint64_t total = 0;
	struct tcp_diag diag;

	tcp_diag_init(&diag, family, sequence, source->rows, source->rows_data);
	while (!diag.done) {
		long got = receive(source);
		int error;

		if (got == -ENOBUFS || got > TABLE_SOURCE_BUFFER)
			return -EAGAIN;
		if (got < 0)
			return (int)got;
		total += (uint64_t)got + 1;
		if (total > TABLE_SOURCE_MAX)
			return -E2BIG;
		if (is_stale(source->buffer, (size_t)got, sequence))
			continue;
		error = tcp_diag_feed(&diag, source->buffer, (size_t)got);
		if (error == 0)
			error = sink(data, tag_of(family), source->buffer, (size_t)got);
		if (error < 0)
			return error;
	}
	return 0;
}

static int dump(struct table_source *source, int family, uint32_t sequence, table_sink sink,
                void *data)
{
	uint32_t number = table_source_sequence(sequence, family);
	int error = request(source, family, number);

	return error == 0 ? take_dump(source, family, number, sink, data) : error;
}

static int read_dumps(struct table_source *source, uint32_t sequence, table_sink sink, void *data,
                      struct failure *failure)
{
	int error = 0;

	source->foreign = 0;
	if (source->dirty)
		drain(source);
	source->dirty = true;
	if (!source->by_family)
		error = dump(source, AF_UNSPEC, sequence, sink, data);
	/* TCPDIAG_GETSOCK is old, so a kernel or a filter may refuse it and allow the other. After
	 * a malformed answer the rest of the dump may follow. */
	source->by_family |= error != -EPROTO && table_source_is_refusal(-error);
	if (source->by_family)
		error = dump(source, AF_INET, sequence, sink, data);
	if (source->by_family && error == 0)
		error = dump(source, AF_INET6, sequence, sink, data);
	source->dirty = error != 0;
	if (error < 0)
		*failure = (struct failure){STEP_READ_DIAG, -error};
	return error;
}

/* --- reads the text of /proc/net/tcp and tcp6
 *
 * If the listeners come first, the read ends after them, because thousands of connections may
 * follow. Otherwise the whole text is read; after one row out of order, always. */

/* Some kernels cannot read a /proc/net file again from its start. */
static long read_from(struct table_source *source, struct table_text *text, uint64_t offset)
{
	long got = raw_pread(text->fd, source->buffer, TABLE_SOURCE_BUFFER, offset);
	int fresh;

	if (got != -ESPIPE || offset != 0)
		return got;
	fresh = raw_open(source->directory, text->path, O_RDONLY);
	if (fresh < 0)
		return fresh;
	/* The descriptor keeps its number, because a helper may read only this number. */
	got = raw_call(SYS_dup3, fresh, text->fd, O_CLOEXEC);
	raw_close(fresh);
	if (got < 0)
		return got;
	return raw_read(text->fd, source->buffer, TABLE_SOURCE_BUFFER);
}

static long read_again(struct table_source *source, struct table_text *text, uint64_t offset)
{
	long got;

	do {
		got = read_from(source, text, offset);
		if (got == -ESPIPE) /* reopened before: plain reads continue from there */
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
	while (!text->sorted || table.others == 0) {
		long got = read_again(source, text, offset);
		int error;

		if (got <= 0)
			return (int)got;
		offset += (uint64_t)got;
		if (offset > TABLE_SOURCE_MAX)
			return -E2BIG;
		tcp_table_feed(&table, (const char *)source->buffer, (size_t)got);
		text->sorted &= !table.unsorted;
		error = sink(data, tag, source->buffer, (size_t)got);
		if (error < 0)
			return error;
	}
	return 0;
}

static int read_texts(struct table_source *source, table_sink sink, void *data,
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

/* --- either form --- */

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
		return read_texts(source, sink, data, failure);
	}
	if (source->diag_failure.error != 0)
		return fail(failure, &source->diag_failure);
	return read_dumps(source, sequence, sink, data, failure);
}
