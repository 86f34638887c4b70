/* SPDX-License-Identifier: MIT */
/* reader_link.c - our side of the pipes to a helper or to nsenter */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "reader_ops.h"
#include "step.h"

#define READ_SIZE 16384
/* At most so much in one go: a child that never stops must not hold up all the others. */
#define READ_ROUNDS 64

/* Takes "COOKIE DEVICE INODE", if any; 0 means not known. */
static int take_hello(struct reader *reader, const char *bytes, size_t size)
{
	const char *end = bytes + size;
	uint64_t numbers[3] = {0};

	for (int i = 0; i < 3 && bytes < end; i++)
		if (frame_read_number(&bytes, end, UINT64_MAX, &numbers[i]) < 0)
			return -EPROTO;
	reader->cookie = numbers[0];
	if (numbers[2] != 0 && (numbers[1] != reader->netns.dev || numbers[2] != reader->netns.ino))
		return reader_fail(reader, STEP_REACH_NETNS, ESTALE);
	return 0;
}

static int greet(struct reader *reader, const struct frame *frame, const char *bytes, size_t size)
{
	struct reader_link *link = &reader->link;
	int error;

	if (link->greeted || frame->argument != FRAME_VERSION)
		return -EPROTO;
	error = take_hello(reader, bytes, size);
	if (error == 0 && link->process >= 0)
		error = reader_check_netns(reader, link->process);
	link->greeted = error == 0;
	/* From now on it speaks in frames. */
	cleanup_close(&link->complaints);
	link->complaints = -1;
	return error;
}

/* A datagram is parsed whole, but comes in pieces. */
static int take_datagram(struct reader *reader, const struct frame *frame, uint32_t offset,
                         const char *bytes, size_t size)
{
	unsigned char *datagram = reader->link.datagram;

	if (frame->length > TABLE_SOURCE_BUFFER)
		return -EPROTO;
	memcpy(datagram + offset, bytes, size);
	if (offset + size < frame->length)
		return 0;
	return table_collector_feed(&reader->collector, (enum table_tag)frame->argument, datagram,
	                            frame->length);
}

/* A piece of the table; what can't be kept is remembered, the rest of the answer passed over. */
static void take_data(struct reader *reader, const struct frame *frame, uint32_t offset,
                      const char *bytes, size_t size)
{
	if (reader->error != 0)
		return;
	if (reader->form == PORTWATCH_TABLE_DIAG)
		reader->error = take_datagram(reader, frame, offset, bytes, size);
	else
		reader->error = table_collector_feed(&reader->collector,
		                                     (enum table_tag)frame->argument, bytes, size);
	if (reader->error < 0)
		reader_fail(reader,
		            reader->form == PORTWATCH_TABLE_DIAG ? STEP_READ_DIAG : STEP_PARSE,
		            -reader->error);
}

static void take_end(struct reader *reader, const struct frame *frame, const char *bytes,
                     size_t size)
{
	reader->link.awaiting = false;
	if (frame->argument != 0) {
		reader->error = frame->argument <= ERRNO_MAX ? -(int)frame->argument : -EPROTO;
		reader_fail(reader, step_find(bytes, size), -reader->error);
	} else if (reader->error == 0) {
		reader->error = table_collector_end(&reader->collector);
		if (reader->error < 0)
			reader_fail(reader, STEP_PROTOCOL, -reader->error);
	}
}

/* A frame_sink. Answers to earlier requests are passed over. */
static int take_frame(void *data, const struct frame *frame, uint32_t offset, const char *bytes,
                      size_t size)
{
	struct reader *reader = data;
	bool current = reader->link.awaiting && frame->sequence == reader->sequence;

	if (frame->kind == FRAME_HELLO)
		return greet(reader, frame, bytes, size);
	if (frame->kind == FRAME_END && frame->sequence == 0) {
		take_end(reader, frame, bytes, size);
		return reader->error < 0 ? reader->error : -EPROTO;
	}
	if (!reader->link.greeted)
		return -EPROTO;
	if (current && frame->kind == FRAME_END)
		take_end(reader, frame, bytes, size);
	else if (current)
		take_data(reader, frame, offset, bytes, size);
	return 0;
}

/* Our ends must not block. */
static int unblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int reader_link_open(struct reader *reader, int ends[2])
{
	struct reader_link *link = &reader->link;
	int requests[2], responses[2];
	int error;

	frame_decoder_init(&link->decoder, take_frame, reader);
	error = spawn_pipe(requests);
	if (error < 0)
		return reader_fail(reader, STEP_MAKE_PIPES, -error);
	ends[0] = requests[0];
	link->requests = requests[1];
	error = spawn_pipe(responses);
	if (error == 0) {
		link->responses = responses[0];
		ends[1] = responses[1];
		error = unblock(link->responses);
	}
	if (error == 0)
		error = unblock(link->requests);
	return error < 0 ? reader_fail(reader, STEP_MAKE_PIPES, -error) : 0;
}

/* A full pipe: nobody reads it, nor ever will. SIGPIPE is blocked in the library's threads. */
enum reader_state reader_link_request(struct reader *reader)
{
	struct frame_request request = {reader->sequence, reader->form};
	char line[FRAME_REQUEST_MAX];
	size_t size = frame_format_request(line, &request);
	ssize_t written;
	int error;

	do {
		written = write(reader->link.requests, line, size);
	} while (written < 0 && errno == EINTR);
	reader->link.awaiting = true;
	if (written == (ssize_t)size)
		return READER_PENDING;
	error = written < 0 && errno != EAGAIN ? errno : ETIMEDOUT;
	/* What it has said before it died tells more. */
	if (error == EPIPE && reader_link_process(reader) == READER_BROKEN)
		return READER_BROKEN;
	reader->broken = true;
	reader_fail(reader, STEP_ASK, error);
	return READER_BROKEN;
}

/* The stream can't be followed any more, or has ended. */
static enum reader_state give_up(struct reader *reader, const char *step, int error)
{
	/* The sink may have told already what it was. */
	if (reader->failure.error != -error)
		reader_fail(reader, step, -error);
	reader->broken = true;
	return READER_BROKEN;
}

static enum reader_state take_exit(struct reader *reader)
{
	struct reader_link *link = &reader->link;

	if (link->greeted)
		return give_up(reader, STEP_ANSWER, -EPIPE);
	return give_up(reader, link->exit_step, -reader_complaint(link->complaints));
}

static enum reader_state state_now(struct reader *reader, bool was_awaiting)
{
	if (reader->link.awaiting || !was_awaiting)
		return READER_PENDING;
	if (reader->error < 0)
		return reader_give_up(reader, reader->failure.step, -reader->error);
	return READER_COMPLETE;
}

enum reader_state reader_link_process(struct reader *reader)
{
	struct reader_link *link = &reader->link;
	bool was_awaiting = link->awaiting;
	char buffer[READ_SIZE];

	for (int i = 0; i < READ_ROUNDS; i++) {
		ssize_t got = read(link->responses, buffer, sizeof(buffer));
		int error;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got < 0)
			return give_up(reader, STEP_ANSWER, -errno);
		if (got == 0)
			return take_exit(reader);
		error = frame_decode(&link->decoder, buffer, (size_t)got);
		if (error < 0)
			return give_up(reader, STEP_PROTOCOL, error);
		/* The end of the answer. That of the child, if it is there too, can wait. */
		if (was_awaiting && !link->awaiting)
			break;
	}
	return state_now(reader, was_awaiting);
}

void reader_link_close(struct reader *reader)
{
	struct reader_link *link = &reader->link;

	if (link->requests >= 0)
		close(link->requests);
	if (link->responses >= 0)
		close(link->responses);
	if (link->complaints >= 0)
		close(link->complaints);
	if (link->process >= 0)
		close(link->process);
}
