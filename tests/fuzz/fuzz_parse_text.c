/* SPDX-License-Identifier: MIT */
/* fuzz_parse_text.c - any bytes as /proc/net/tcp and /proc/net/tcp6, whole and in pieces */
#include <sys/socket.h>

#include "fuzz.h"
#include "table/parse_text.h"

struct result {
	struct tcp_table table;
	uint64_t digest; /* of all rows in their order */
};

static int digest(void *data, const struct listener *listener)
{
	struct result *result = data;
	size_t i;

	REQUIRE(listener->port != 0 && listener->inode != 0);
	REQUIRE(listener->v6only == -1 && listener->cookie == 0);
	REQUIRE(listener->family == AF_INET || listener->family == AF_INET6);
	result->digest = result->digest * 31 + listener->inode;
	result->digest = result->digest * 31 + listener->port;
	for (i = 0; i < sizeof(listener->address); i++)
		result->digest = result->digest * 31 + listener->address[i];
	return 0;
}

static void parse(struct result *result, int family, const uint8_t *bytes, size_t size,
                  size_t piece)
{
	size_t at, left;

	result->digest = 0;
	tcp_table_init(&result->table, family, digest, result);
	for (at = 0; at < size; at += piece) {
		left = size - at;
		REQUIRE(tcp_table_feed(&result->table, (const char *)bytes + at,
		                       left < piece ? left : piece) == 0);
	}
	tcp_table_end(&result->table);
}

static void check(int family, const uint8_t *bytes, size_t size)
{
	static const size_t pieces[] = {1, 7, 150, 4050};
	static struct result whole, cut;
	size_t i;

	parse(&whole, family, bytes, size, size ? size : 1);
	for (i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		parse(&cut, family, bytes, size, pieces[i]);
		REQUIRE(cut.digest == whole.digest && cut.table.rows == whole.table.rows);
		REQUIRE(cut.table.rejected == whole.table.rejected);
		REQUIRE(cut.table.others == whole.table.others);
		REQUIRE(cut.table.unsorted == whole.table.unsorted);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	check(AF_INET, bytes, size);
	check(AF_INET6, bytes, size);
	return 0;
}
