/* SPDX-License-Identifier: MIT */
/* fuzz_parse_diag.c - any bytes as a datagram of NETLINK_SOCK_DIAG */
#include <linux/netlink.h>
#include <sys/socket.h>

#include "util/failure.h"
#include "fuzz.h"
#include "table/parse_diag.h"

static int check_listener(void *data, const struct listener *listener)
{
	const struct tcp_diag *diag = data;

	REQUIRE(listener->port != 0 && listener->inode != 0);
	REQUIRE(diag->family == AF_UNSPEC || listener->family == diag->family ||
	        listener->family == AF_INET);
	REQUIRE(listener->v6only >= -1 && listener->v6only <= 1);
	REQUIRE(listener->family == AF_INET6 || listener->v6only == -1);
	return 0;
}

/* The memory ends with the input, and its address is odd, so that a sanitizer reports invalid
 * reads. */
static void check(int family, uint32_t sequence, const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	struct tcp_diag diag;
	int error;

	REQUIRE(copy);
	if (size > 0)
		memcpy(copy + 1, bytes, size);
	tcp_diag_init(&diag, family, sequence, check_listener, &diag);
	error = tcp_diag_feed(&diag, copy + 1, size);
	REQUIRE(error <= 0 && error >= -ERRNO_MAX && (error < 0 || size > 0));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct nlmsghdr header = {0};

	/* The parser checks the sequence first, so each input is parsed with its own. */
	if (size >= sizeof(header))
		memcpy(&header, bytes, sizeof(header));
	check(AF_INET, header.nlmsg_seq, bytes, size);
	check(AF_INET6, header.nlmsg_seq, bytes, size);
	check(AF_UNSPEC, header.nlmsg_seq, bytes, size);
	return 0;
}
