/* SPDX-License-Identifier: MIT */
/* source.h - the kernel's tables of TCP sockets, as bytes: /proc/net/tcp and tcp6, or a
 * sock_diag(7) dump of the listeners
 *
 * Used by the readers that read directly, and by the helper, which passes the bytes on. The
 * functions make only system calls on memory of the caller: usable in a forked child. */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

#include "util/failure.h"
#include "portwatch.h"
#include "table/parse_diag.h"

/* Also the largest table, in bytes; a larger one gives -E2BIG. */
#define TABLE_SOURCE_MAX (512U * 1024 * 1024)
#define TABLE_SOURCE_BUFFER TCP_DIAG_BUFFER
#define TABLE_SOURCE_PATH 64

/* The kind of a piece: a part of a text, cut anywhere, or one complete datagram. */
enum table_tag {
	TABLE_TEXT_INET = 4,
	TABLE_TEXT_INET6 = 6,
	TABLE_DIAG = 10, /* of both families */
	TABLE_DIAG_INET = 14,
	TABLE_DIAG_INET6 = 16,
};

/* Receives a piece; a negative errno ends the read. */
typedef int (*table_sink)(void *data, enum table_tag tag, const void *bytes, size_t size);

struct table_text {
	int fd;      /* -1: not open */
	bool sorted; /* the listeners come first */
	char path[TABLE_SOURCE_PATH];
};

struct table_source {
	bool linux_kernel;
	int directory; /* contains the texts; owned by the caller */
	struct table_text text[2];
	struct failure text_failure;
	int diag;             /* the netlink socket, -1: none */
	bool by_family;       /* the kernel refuses to list both families in one dump */
	bool dirty;           /* an earlier dump was not read to its end */
	unsigned int foreign; /* datagrams of other senders, in this read */
	struct failure diag_failure;
	unsigned char *buffer; /* TABLE_SOURCE_BUFFER bytes, owned by the caller */
	listener_sink rows;    /* also receives the rows of dumps; NULL: none */
	void *rows_data;
};

/* Initializes a source with nothing open. linux_kernel: see vdso_is_linux(). */
void table_source_init(struct table_source *source, unsigned char *buffer, bool linux_kernel);
/* Opens the texts directory/prefix/net/tcp{,6}. A failure is reported by the first read. A kernel
 * without IPv6 has no tcp6, which is not a failure. */
void table_source_open_text(struct table_source *source, int directory, const char *prefix);
/* Opens the netlink socket, in the network namespace of the calling thread; failures as above. */
void table_source_open_diag(struct table_source *source);
/* Registers the open descriptors with fd_own(). Called once all are open. A helper does not call
 * this function, and so does not write to the memory of the registry. */
void table_source_own(struct table_source *source);
/* The cookie of the network namespace of the calling thread; 0 if unknown. */
uint64_t table_source_cookie(const struct table_source *source);
void table_source_close(struct table_source *source);

/* Passes both tables (IPv4, then IPv6, or both as one) in the given form to the sink. Returns 0; or
 * a negative errno with *failure set, after which the read carries no information; -EAGAIN means
 * that it can be repeated. `sequence` identifies this dump; see table_source_sequence(). */
int table_source_read(struct table_source *source, enum portwatch_table form, uint32_t sequence,
                      table_sink sink, void *data, struct failure *failure);

/* The netlink sequence of the dump of one family, from the sequence of the request. */
static inline uint32_t table_source_sequence(uint32_t sequence, int family)
{
	return sequence * 2 + (family == AF_INET6);
}

/* Whether the texts of a /proc list the listeners first. `fd` is any descriptor of this /proc.
 */
bool table_source_is_sorted(const struct table_source *source, int fd);

/* Whether the failure of a dump means that this kernel, or a filter, never allows one. */
bool table_source_is_refusal(int error);

#endif
