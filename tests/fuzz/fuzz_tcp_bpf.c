/* SPDX-License-Identifier: MIT */
/* fuzz_tcp_bpf.c - any bytes as a sample of the BPF program */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "notify/tcp_bpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	/* The memory ends with the input, so that a sanitizer reports a read past its end. */
	char *raw = fuzz_string(bytes, size);
	struct perf_sample sample = {.raw = (uint8_t *)raw, .raw_size = (uint32_t)size};
	struct tcp_change change = {.pid = 7};
	struct tcp_sample body;
	int result = tcp_program_decode(&sample, &change);

	REQUIRE(result == 0 || result == -EBADMSG);
	if (result == 0) {
		REQUIRE(size >= sizeof(body));
		memcpy(&body, raw, sizeof(body));
		REQUIRE(change.family == AF_INET || change.family == AF_INET6);
		REQUIRE(change.listening == (body.new_state == TCP_LISTEN));
		REQUIRE(change.socket == body.socket && change.pid == 7);
	}
	free(raw);
	return 0;
}
