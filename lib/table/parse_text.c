/* SPDX-License-Identifier: MIT */
/* parse_text.c - parser of the text of /proc/net/tcp and /proc/net/tcp6
 *
 * A row, as the kernel prints it (with 32 hexadecimal digits to an address in tcp6), and its
 * columns:
 *
 *    0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000  0 4711 1 ...
 *
 * slot, local and remote address and port, state, tx_queue:rx_queue, timer:when, retransmits, uid,
 * timeout, inode, references, and others. All up to the references must have their exact form. The
 * references are of no use here, but without them a row cut within its inode, or lacking a column,
 * would pass for one with another inode. The columns after them differ from kernel to kernel and
 * are ignored. */
#include <string.h>
#include <sys/socket.h>

#include "util/number.h"
#include "table/parse_text.h"

#define STATE_LISTEN 0x0a

/* The rest of a line. */
struct cursor {
	const char *at;
	const char *end;
};

struct row {
	uint8_t address[16];
	uint32_t port;
	uint32_t state;
	uint64_t inode;
};

static bool take(struct cursor *cursor, char wanted)
{
	if (cursor->at == cursor->end || *cursor->at != wanted)
		return false;
	cursor->at++;
	return true;
}

static bool take_blanks(struct cursor *cursor)
{
	const char *start = cursor->at;

	while (take(cursor, ' '))
		;
	return cursor->at != start;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Parses exactly `digits` digits; the caller parses the following character. A value has at most 8
 * digits. */
static bool take_hex(struct cursor *cursor, size_t digits, uint32_t *value)
{
	int digit;

	if ((size_t)(cursor->end - cursor->at) < digits)
		return false;
	for (*value = 0; digits > 0; digits--) {
		digit = hex_digit(*cursor->at);
		if (digit < 0)
			return false;
		*value = *value << 4 | (uint32_t)digit;
		cursor->at++;
	}
	return true;
}

static bool take_decimal(struct cursor *cursor, uint64_t *value)
{
	return decimal_parse(&cursor->at, cursor->end, value);
}

/* The kernel stores an address in network order and prints each 32-bit word as a number in host
 * order. Stored as such a number again, the bytes are in network order on every architecture. */
static bool take_endpoint(struct cursor *cursor, int family, uint8_t *address, uint32_t *port)
{
	size_t words = family == AF_INET6 ? 4 : 1;
	uint32_t word;
	size_t i;

	for (i = 0; i < words; i++) {
		if (!take_hex(cursor, 8, &word))
			return false;
		memcpy(address + i * sizeof(word), &word, sizeof(word));
	}
	return take(cursor, ':') && take_hex(cursor, 4, port) && take_blanks(cursor);
}

/* tx_queue:rx_queue, tr:when, retrnsmt. `when` is a long: 8 digits or more. */
static bool take_queues_and_timers(struct cursor *cursor)
{
	uint32_t ignored;

	if (!take_hex(cursor, 8, &ignored) || !take(cursor, ':') ||
	    !take_hex(cursor, 8, &ignored) || !take_blanks(cursor))
		return false;
	if (!take_hex(cursor, 2, &ignored) || !take(cursor, ':') || !take_hex(cursor, 8, &ignored))
		return false;
	while (take_hex(cursor, 1, &ignored))
		;
	return take_blanks(cursor) && take_hex(cursor, 8, &ignored) && take_blanks(cursor);
}

/* uid, timeout, inode, references. */
static bool take_inode(struct cursor *cursor, uint64_t *inode)
{
	uint64_t ignored;

	return take_decimal(cursor, &ignored) && take_blanks(cursor) &&
	       take_decimal(cursor, &ignored) && take_blanks(cursor) &&
	       take_decimal(cursor, inode) && take_blanks(cursor) &&
	       take_decimal(cursor, &ignored) && (cursor->at == cursor->end || take_blanks(cursor));
}

static bool take_row(struct cursor *cursor, int family, struct row *row)
{
	uint8_t remote_address[16];
	uint32_t remote_port;
	uint64_t slot;

	take_blanks(cursor);
	return take_decimal(cursor, &slot) && take(cursor, ':') && take_blanks(cursor) &&
	       take_endpoint(cursor, family, row->address, &row->port) &&
	       take_endpoint(cursor, family, remote_address, &remote_port) &&
	       take_hex(cursor, 2, &row->state) && take_blanks(cursor) &&
	       take_queues_and_timers(cursor) && take_inode(cursor, &row->inode);
}

static bool is_printable(const char *bytes, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (bytes[i] < ' ' || bytes[i] > '~')
			return false;
	}
	return true;
}

static bool is_heading(struct cursor cursor)
{
	take_blanks(&cursor);
	return take(&cursor, 's') && take(&cursor, 'l') && take_blanks(&cursor);
}

static int accept_listener(struct tcp_table *table, const struct row *row)
{
	struct listener listener = {
		.inode = row->inode,
		.port = (uint16_t)row->port,
		.v6only = -1,
	};

	listener_set_address(&listener, table->family, row->address);
	table->rows++;
	return table->sink ? table->sink(table->data, &listener) : 0;
}

static int parse_line(struct tcp_table *table)
{
	struct cursor cursor = {table->line, table->line + table->used};
	bool first = !table->begun;
	struct row row;

	table->begun = true;
	if (table->overlong || !is_printable(table->line, table->used)) {
		table->rejected++;
		return 0;
	}
	if (first && is_heading(cursor))
		return 0;
	if (!take_row(&cursor, table->family, &row)) {
		table->rejected++;
		return 0;
	}
	if (row.state != STATE_LISTEN) {
		table->others++;
		return 0;
	}
	table->unsorted |= table->others > 0;
	if (row.port == 0 || row.inode == 0) {
		table->rejected++;
		return 0;
	}
	return accept_listener(table, &row);
}

/* Collects a part of a line, or notes that it does not fit. */
static void collect(struct tcp_table *table, const char *bytes, size_t size)
{
	if (size > sizeof(table->line) - table->used) {
		table->overlong = true;
		return;
	}
	memcpy(table->line + table->used, bytes, size);
	table->used += size;
}

static void forget_line(struct tcp_table *table)
{
	table->used = 0;
	table->overlong = false;
}

void tcp_table_init(struct tcp_table *table, int family, listener_sink sink, void *data)
{
	/* The line buffer is not cleared, which saves half a KiB for each table and poll. */
	memset(table, 0, offsetof(struct tcp_table, line));
	table->sink = sink;
	table->data = data;
	table->family = family;
}

int tcp_table_feed(struct tcp_table *table, const char *bytes, size_t size)
{
	const char *newline;
	size_t length;
	int error = 0;

	while (size > 0 && error == 0) {
		newline = memchr(bytes, '\n', size);
		length = newline ? (size_t)(newline - bytes) : size;
		collect(table, bytes, length);
		if (newline) {
			error = parse_line(table);
			forget_line(table);
			length++;
		}
		bytes += length;
		size -= length;
	}
	return error;
}

void tcp_table_end(struct tcp_table *table)
{
	if (table->others == 0 && (table->used > 0 || table->overlong))
		table->rejected++;
	forget_line(table);
}
