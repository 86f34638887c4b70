/* SPDX-License-Identifier: MIT */
/* process_message.c - what the process connector of the kernel says, and what is said to it */
#include "notify/process_message.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "util/failure.h"

/* What a request consists of behind the headers. */
struct request_body {
	uint32_t request;
	uint32_t mask;
};

/* Takes the headers and the event out of a datagram, which need not be aligned. False where it is
 * no whole message of the process connector. */
static bool unpack(const void *bytes, size_t size, struct cn_msg *connector,
                   struct process_record *record)
{
	const uint8_t *at = bytes;
	struct nlmsghdr header;

	if (size < PROCESS_RECORD + sizeof(*record))
		return false;
	memcpy(&header, at, sizeof(header));
	memcpy(connector, at + NLMSG_HDRLEN, sizeof(*connector));
	memcpy(record, at + PROCESS_RECORD, sizeof(*record));
	return header.nlmsg_len <= size && header.nlmsg_len >= PROCESS_RECORD + sizeof(*record) &&
	       connector->id.idx == CN_IDX_PROC && connector->id.val == CN_VAL_PROC &&
	       connector->len >= sizeof(*record);
}

static bool is_number(uint32_t pid)
{
	return pid > 0 && pid <= INT_MAX;
}

int process_message_parse(const void *bytes, size_t size, struct process_event *event)
{
	struct process_record record;
	struct cn_msg connector;

	if (!unpack(bytes, size, &connector, &record))
		return -EBADMSG;
	*event = (struct process_event){
		.what = (enum process_what)record.what,
		.pid = (pid_t)record.pid,
		.time = record.time,
	};
	switch (event->what) {
	case PROCESS_FORK:
		if (record.child_tid != record.child_pid)
			return 0;
		/* A parent of 0 is the kernel's own: the idle task. */
		if (!is_number(record.child_pid) || record.pid > INT_MAX)
			return -EBADMSG;
		event->child = (pid_t)record.child_pid;
		return 1;
	case PROCESS_EXEC:
		break;
	case PROCESS_EXIT:
		if (record.tid != record.pid)
			return 0;
		break;
	default:
		return 0;
	}
	return is_number(record.pid) ? 1 : -EBADMSG;
}

size_t process_message_request(uint8_t bytes[PROCESS_MESSAGE_MAX], enum process_request request,
                               uint32_t mask, uint32_t number)
{
	struct request_body body = {request, mask};
	/* The old form has no mask. */
	size_t size = mask == PROCESS_ALL ? sizeof(body.request) : sizeof(body);
	struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)(PROCESS_RECORD + size),
		.nlmsg_type = NLMSG_DONE,
	};
	struct cn_msg connector = {
		.id = {.idx = CN_IDX_PROC, .val = CN_VAL_PROC},
		.ack = number,
		.len = (uint16_t)size,
	};

	memset(bytes, 0, PROCESS_MESSAGE_MAX);
	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + NLMSG_HDRLEN, &connector, sizeof(connector));
	memcpy(bytes + PROCESS_RECORD, &body, size);
	return PROCESS_RECORD + size;
}

bool process_message_is_ack(const void *bytes, size_t size, uint32_t number, int *error)
{
	struct process_record record;
	struct cn_msg connector;

	/* The kernel adds one (drivers/connector/cn_proc.c). Where the number of the event would
	 * stand, an acknowledgement has its error. */
	if (!unpack(bytes, size, &connector, &record) || record.what != PROCESS_ACK ||
	    connector.ack != number + 1)
		return false;
	*error = record.tid <= ERRNO_MAX ? (int)record.tid : EPROTO;
	return true;
}
