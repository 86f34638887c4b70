/* SPDX-License-Identifier: MIT */
/* connector.c - the messages of the process connector, and the filter that selects them */
#include "notify/connector.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "util/failure.h"

/* --- the messages */

/* The body of a request, after the headers. */
struct request_body {
	uint32_t request;
	uint32_t mask;
};

/* Copies the headers and the event from a datagram, which may be unaligned. Returns false if it is
 * not a complete message of the process connector. */
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
		/* A parent of 0 is the idle task of the kernel. */
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

	/* The kernel adds one (drivers/connector/cn_proc.c). An acknowledgement has its error in
	 * the field of the event number. */
	if (!unpack(bytes, size, &connector, &record) || record.what != PROCESS_ACK ||
	    connector.ack != number + 1)
		return false;
	*error = record.tid <= ERRNO_MAX ? (int)record.tid : EPROTO;
	return true;
}

/* --- the filter */

#define AT(field) ((uint32_t)(PROCESS_RECORD + offsetof(struct process_record, field)))
#define PASS UINT_MAX
#define DROP 0U

void process_filter_clear(struct process_filter *filter)
{
	filter->count = 0;
	filter->mark = 0;
}

/* Merges range i + 1, which range i has reached, into range i. */
static void close_gap(struct process_filter *filter, size_t i)
{
	filter->ranges[i].last = filter->ranges[i + 1].last;
	filter->count--;
	memmove(&filter->ranges[i + 1], &filter->ranges[i + 2],
	        (filter->count - i - 1) * sizeof(filter->ranges[0]));
}

static void close_smallest_gap(struct process_filter *filter)
{
	pid_t smallest = INT_MAX;
	size_t best = 0;

	for (size_t i = 0; i + 1 < filter->count; i++) {
		pid_t gap = filter->ranges[i + 1].first - filter->ranges[i].last;

		if (gap < smallest) {
			smallest = gap;
			best = i;
		}
	}
	close_gap(filter, best);
}

void process_filter_add(struct process_filter *filter, pid_t pid)
{
	size_t i = 0;

	while (i < filter->count && filter->ranges[i].last < pid)
		i++;
	if (i < filter->count && filter->ranges[i].first <= pid)
		return;
	if (i > 0 && filter->ranges[i - 1].last == pid - 1) {
		filter->ranges[i - 1].last = pid;
		if (i < filter->count && filter->ranges[i].first - 1 == pid)
			close_gap(filter, i - 1);
		return;
	}
	if (i < filter->count && filter->ranges[i].first - 1 == pid) {
		filter->ranges[i].first = pid;
		return;
	}
	if (filter->count == PROCESS_FILTER_RANGES) {
		close_smallest_gap(filter);
		process_filter_add(filter, pid);
		return;
	}
	memmove(&filter->ranges[i + 1], &filter->ranges[i],
	        (filter->count - i) * sizeof(filter->ranges[0]));
	filter->ranges[i].first = pid;
	filter->ranges[i].last = pid;
	filter->count++;
}

/* --- the program of the filter */

struct program {
	struct sock_filter *code;
	unsigned short count;
};

static void add(struct program *program, unsigned code, uint32_t value, unsigned yes, unsigned no)
{
	program->code[program->count++] = (struct sock_filter){
		.code = (uint16_t)code,
		.jt = (uint8_t)yes,
		.jf = (uint8_t)no,
		.k = value,
	};
}

static void add_result(struct program *program, uint32_t result)
{
	add(program, BPF_RET | BPF_K, result, 0, 0);
}

/* Loads a word in the byte order of the message, to be compared with htonl() of a number. */
static void load_word(struct program *program, uint32_t offset)
{
	add(program, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

/* Drops the message if two of its words differ. */
static void require_same(struct program *program, uint32_t one, uint32_t other)
{
	load_word(program, one);
	add(program, BPF_MISC | BPF_TAX, 0, 0, 0);
	load_word(program, other);
	add(program, BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0);
	add_result(program, DROP);
}

/* Loads a number for comparisons of order. The load instructions of the program assume big-endian
 * data. */
static void load_number(struct program *program, uint32_t offset)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	load_word(program, offset);
#else
	add(program, BPF_LD | BPF_B | BPF_ABS, offset + 3, 0, 0);
	for (uint32_t i = 3; i-- > 0;) {
		add(program, BPF_ALU | BPF_LSH | BPF_K, 8, 0, 0);
		add(program, BPF_MISC | BPF_TAX, 0, 0, 0);
		add(program, BPF_LD | BPF_B | BPF_ABS, offset + i, 0, 0);
		add(program, BPF_ALU | BPF_OR | BPF_X, 0, 0, 0);
	}
#endif
}

/* Begins the part of the program for one kind of events. Returns the position of the jump past
 * it. */
static unsigned short begin_kind(struct program *program, enum process_what what)
{
	load_word(program, AT(what));
	add(program, BPF_JMP | BPF_JEQ | BPF_K, htonl((uint32_t)what), 0, 0);
	return (unsigned short)(program->count - 1);
}

static void end_kind(struct program *program, unsigned short jump)
{
	program->code[jump].jf = (uint8_t)(program->count - jump - 1);
}

/* Drops all other kinds, which kernels before 6.6 send regardless of the request. */
static void require_kinds(struct program *program)
{
	load_word(program, AT(what));
	add(program, BPF_JMP | BPF_JEQ | BPF_K, htonl(PROCESS_FORK), 3, 0);
	add(program, BPF_JMP | BPF_JEQ | BPF_K, htonl(PROCESS_EXEC), 2, 0);
	add(program, BPF_JMP | BPF_JEQ | BPF_K, htonl((uint32_t)PROCESS_EXIT), 1, 0);
	add_result(program, DROP);
}

/* Ends the program: the remaining events pass if their process is watched. */
static void end_with_watched(struct program *program, const struct process_filter *filter)
{
	load_number(program, AT(pid));
	for (size_t i = 0; i < filter->count; i++) {
		add(program, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)filter->ranges[i].first, 1, 0);
		add_result(program, DROP);
		add(program, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)filter->ranges[i].last, 1, 0);
		add_result(program, PASS);
	}
	add_result(program, DROP);
}

unsigned short process_filter_make(const struct process_filter *filter,
                                   struct sock_filter code[PROCESS_FILTER_MAX])
{
	struct program program = {.code = code};
	unsigned short jump = begin_kind(&program, PROCESS_FORK);

	require_same(&program, AT(child_tid), AT(child_pid));
	if (filter->mark > 0) {
		load_number(&program, AT(pid));
		add(&program, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)filter->mark, 0, 1);
	}
	add_result(&program, PASS);
	end_kind(&program, jump);
	jump = begin_kind(&program, PROCESS_EXIT);
	require_same(&program, AT(tid), AT(pid));
	end_kind(&program, jump);
	require_kinds(&program);
	end_with_watched(&program, filter);
	return program.count;
}

unsigned short process_filter_make_ack(struct sock_filter code[PROCESS_FILTER_MAX])
{
	struct program program = {.code = code};

	load_word(&program, AT(what));
	add(&program, BPF_JMP | BPF_JEQ | BPF_K, htonl(PROCESS_ACK), 0, 1);
	add_result(&program, PASS);
	add_result(&program, DROP);
	return program.count;
}
