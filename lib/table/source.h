/* SPDX-License-Identifier: MIT */
/* source.h - the kernel's tables of TCP sockets, as bytes: /proc/net/tcp and tcp6, or a
 * sock_diag(7) dump of the listeners
 *
 * Used by the readers that read directly and by the helper, which sends the bytes on. Nothing but
 * system calls on memory that the caller gives: usable in a forked child. */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

#include "util/failure.h"
#include "portwatch.h"
#include "table/parse_diag.h"

/* Also the most that one table may hold, in bytes; more is -E2BIG. */
#define TABLE_SOURCE_MAX (512U * 1024 * 1024)
#define TABLE_SOURCE_BUFFER TCP_DIAG_BUFFER
#define TABLE_SOURCE_PATH 64

/* What a piece of bytes is: of a text, cut anywhere, or one whole datagram. */
enum table_tag {
	TABLE_TEXT_INET = 4,
	TABLE_TEXT_INET6 = 6,
	TABLE_DIAG_INET = 14,
	TABLE_DIAG_INET6 = 16,
};

/* Receives a piece; a negative errno ends the reading. */
typedef int (*table_sink)(void *data, enum table_tag tag, const void *bytes, size_t size);

struct table_text {
	int fd;      /* -1: not open */
	bool sorted; /* the listeners come first */
	char path[TABLE_SOURCE_PATH];
};

struct table_source {
	bool linux_kernel;
	int directory; /* below which the texts are; belongs to the caller */
	struct table_text text[2];
	struct failure text_failure;
	int diag;               /* the netlink socket, -1: none */
	bool dirty;             /* an earlier dump was not read to its end */
	unsigned int strangers; /* datagrams of others, in this read */
	struct failure diag_failure;
	unsigned char *buffer; /* TABLE_SOURCE_BUFFER bytes, belongs to the caller */
};

/* Begins with nothing open. linux_kernel: see vdso_is_linux(). */
void table_source_init(struct table_source *source, unsigned char *buffer, bool linux_kernel);
/* Opens the texts directory/prefix/net/tcp{,6}. A failure is kept for the first read. Where the
 * kernel has no IPv6 there is no tcp6, which is no failure. */
void table_source_open_text(struct table_source *source, int directory, const char *prefix);
/* Opens the netlink socket, in the network namespace of the calling thread; failures as above. */
void table_source_open_diag(struct table_source *source);
/* Makes what is open a part of the library's own process (fd_own()): to be called once all is open.
 * A helper doesn't, and writes to no page of memory for it. */
void table_source_own(struct table_source *source);
/* The cookie of the network namespace of the calling thread; 0 where it isn't known. */
uint64_t table_source_cookie(const struct table_source *source);
void table_source_close(struct table_source *source);

/* Hands both tables (IPv4, then IPv6) in the given form to the sink. Returns 0; a negative errno
 * with *failure set, after which nothing is known; -EAGAIN among them says to ask again. sequence
 * tells this dump from earlier ones; see table_source_sequence(). */
int table_source_read(struct table_source *source, enum portwatch_table form, uint32_t sequence,
                      table_sink sink, void *data, struct failure *failure);

/* The netlink sequence of the dump of one family, from the sequence of the request. */
static inline uint32_t table_source_sequence(uint32_t sequence, int family)
{
	return sequence * 2 + (family == AF_INET6);
}

/* Whether the texts of a /proc, given by a descriptor of anything in it, list the listeners first.
 */
bool table_source_is_sorted(const struct table_source *source, int fd);

/* Whether the failure of a dump says that this kernel, or a filter, will never allow one. */
bool table_source_is_refusal(int error);

#endif
