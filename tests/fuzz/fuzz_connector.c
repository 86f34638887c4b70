/* SPDX-License-Identifier: MIT */
/* fuzz_connector.c - any bytes as a datagram of the process connector */
#include <errno.h>

#include "fuzz.h"
#include "notify/connector.h"
#include "util/failure.h"

static void check_event(const struct process_event *event)
{
	switch (event->what) {
	case PROCESS_FORK:
		REQUIRE(event->pid >= 0 && event->child > 0);
		break;
	case PROCESS_EXEC:
	case PROCESS_EXIT:
		REQUIRE(event->pid > 0 && event->child == 0);
		break;
	default:
		REQUIRE(event->what == PROCESS_FORK); /* an event of another kind */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	/* The memory ends with the input, and its address is odd. */
	uint8_t *memory = malloc(size + 1), *copy = memory + 1;
	struct process_event event;
	struct cn_msg connector = {0};
	int result, error = -1;

	REQUIRE(memory);
	if (size > 0)
		memcpy(copy, bytes, size);
	result = process_message_parse(copy, size, &event);
	REQUIRE(result == 1 || result == 0 || result == -EBADMSG);
	if (result == 1)
		check_event(&event);
	if (size >= NLMSG_HDRLEN + sizeof(connector))
		memcpy(&connector, copy + NLMSG_HDRLEN, sizeof(connector));
	/* The expected number is the one in the input, because most inputs would fail this check
	 * otherwise. */
	if (process_message_is_ack(copy, size, connector.ack - 1, &error))
		REQUIRE(result <= 0 && error >= 0 && error <= ERRNO_MAX);
	else
		REQUIRE(error == -1);
	free(memory);
	return 0;
}
