/* SPDX-License-Identifier: MIT */
/* process_message.h - messages of the process connector, as the kernel makes them */
#ifndef SUPPORT_PROCESS_MESSAGE_H
#define SUPPORT_PROCESS_MESSAGE_H

#include <string.h>

#include "notify/connector.h"

#define MESSAGE_TIME UINT64_C(1234567890123)

/* Each returns the size of the message. */
static inline size_t message_pack(uint8_t bytes[PROCESS_MESSAGE_MAX],
                                  const struct process_record *record, uint32_t ack)
{
	struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)(PROCESS_RECORD + sizeof(*record)),
		.nlmsg_type = NLMSG_DONE,
	};
	struct cn_msg connector = {
		.id = {CN_IDX_PROC, CN_VAL_PROC},
		.ack = ack,
		.len = sizeof(*record),
	};

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + NLMSG_HDRLEN, &connector, sizeof(connector));
	memcpy(bytes + PROCESS_RECORD, record, sizeof(*record));
	return PROCESS_RECORD + sizeof(*record);
}

static inline size_t message_make(uint8_t bytes[PROCESS_MESSAGE_MAX],
                                  const struct process_record *record)
{
	return message_pack(bytes, record, 0);
}

static inline size_t message_fork(uint8_t bytes[PROCESS_MESSAGE_MAX], pid_t parent, pid_t child)
{
	struct process_record record = {
		.what = PROCESS_FORK,
		.time = MESSAGE_TIME,
		.tid = (uint32_t)parent,
		.pid = (uint32_t)parent,
		.child_tid = (uint32_t)child,
		.child_pid = (uint32_t)child,
	};

	return message_make(bytes, &record);
}

static inline size_t message_about(uint8_t bytes[PROCESS_MESSAGE_MAX], uint32_t what, uint32_t tid,
                                   uint32_t pid)
{
	struct process_record record = {.what = what, .time = MESSAGE_TIME, .tid = tid, .pid = pid};

	return message_make(bytes, &record);
}

static inline size_t message_ack(uint8_t bytes[PROCESS_MESSAGE_MAX], uint32_t number,
                                 uint32_t error)
{
	struct process_record record = {.what = PROCESS_ACK, .tid = error};

	return message_pack(bytes, &record, number + 1);
}

#endif
