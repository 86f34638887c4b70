/* SPDX-License-Identifier: MIT */
/* frame.c - the protocol between a child reader and its parent, over two pipes */
#include "table/frame.h"

#include <errno.h>
#include <string.h>

#include "util/number.h"

_Static_assert(FRAME_NOTE_MAX >= FRAME_HEADER_MAX, "the decoder keeps both in one buffer");

int frame_read_number(const char **text, const char *end, uint64_t max, uint64_t *number)
{
	if (!decimal_parse(text, end, number) || *number > max)
		return -EPROTO;
	if (*text < end && *(*text)++ != ' ')
		return -EPROTO;
	return 0;
}

size_t frame_format(char buffer[FRAME_HEADER_MAX], const struct frame *frame)
{
	char *end = buffer;

	*end++ = (char)frame->kind;
	*end++ = ' ';
	end = decimal_write(end, frame->sequence);
	*end++ = ' ';
	end = decimal_write(end, frame->argument);
	*end++ = ' ';
	end = decimal_write(end, frame->length);
	*end++ = '\n';
	return (size_t)(end - buffer);
}

size_t frame_format_request(char buffer[FRAME_REQUEST_MAX], const struct frame_request *request)
{
	char *end = decimal_write(buffer, request->sequence);

	*end++ = ' ';
	end = decimal_write(end, request->table);
	if (request->known != 0) {
		*end++ = ' ';
		end = decimal_write(end, request->known);
	}
	*end++ = '\n';
	return (size_t)(end - buffer);
}

/* Parses the next of several 32-bit numbers on a line. */
static int read_field(const char **cursor, const char *end, uint32_t max, uint32_t *field)
{
	uint64_t number;
	int error = frame_read_number(cursor, end, max, &number);

	if (error == 0)
		*field = (uint32_t)number;
	return error;
}

int frame_parse_request(const char *line, size_t size, struct frame_request *request)
{
	const char *end = line + size;

	request->known = 0;
	if (read_field(&line, end, UINT32_MAX, &request->sequence) < 0 ||
	    read_field(&line, end, UINT32_MAX, &request->table) < 0)
		return -EPROTO;
	if (line < end && read_field(&line, end, UINT32_MAX, &request->known) < 0)
		return -EPROTO;
	return line == end && end[-1] != ' ' ? 0 : -EPROTO;
}

void frame_decoder_init(struct frame_decoder *decoder, frame_sink sink, void *data)
{
	memset(decoder, 0, sizeof(*decoder));
	decoder->sink = sink;
	decoder->data = data;
}

/* Returns false for an unknown kind. */
static bool length_limit(char kind, uint32_t *limit)
{
	switch (kind) {
	case FRAME_DATA:
		*limit = FRAME_DATA_MAX;
		return true;
	case FRAME_HELLO:
	case FRAME_END:
		*limit = FRAME_NOTE_MAX;
		return true;
	case FRAME_CLOSED:
		*limit = 0;
		return true;
	default:
		return false;
	}
}

static int parse_header(const char *line, size_t size, struct frame *frame)
{
	const char *end = line + size;
	uint32_t limit;

	if (size < 2 || line[1] != ' ')
		return -EPROTO;
	if (!length_limit(line[0], &limit))
		return -EPROTO;
	frame->kind = (enum frame_kind)line[0];
	line += 2;
	if (read_field(&line, end, UINT32_MAX, &frame->sequence) < 0 ||
	    read_field(&line, end, UINT32_MAX, &frame->argument) < 0 ||
	    read_field(&line, end, limit, &frame->length) < 0)
		return -EPROTO;
	return line == end && end[-1] != ' ' ? 0 : -EPROTO;
}

/* Passes the received bytes on, and ends the frame after its last byte. */
static int deliver(struct frame_decoder *decoder, const char *bytes, size_t size)
{
	uint32_t offset = decoder->offset;

	decoder->offset += (uint32_t)size;
	decoder->inside = decoder->offset < decoder->frame.length;
	return decoder->sink(decoder->data, &decoder->frame, offset, bytes, size);
}

/* Collects a header. Returns the number of bytes that were used. */
static ssize_t take_header(struct frame_decoder *decoder, const char *bytes, size_t size)
{
	const char *newline = memchr(bytes, '\n', size);
	size_t taken = newline ? (size_t)(newline - bytes) : size;
	int error;

	if (decoder->used + taken >= FRAME_HEADER_MAX)
		return -EPROTO;
	memcpy(decoder->text + decoder->used, bytes, taken);
	decoder->used += taken;
	if (!newline)
		return (ssize_t)taken;
	error = parse_header(decoder->text, decoder->used, &decoder->frame);
	decoder->used = 0;
	decoder->offset = 0;
	decoder->inside = true;
	if (error == 0 && decoder->frame.length == 0)
		error = deliver(decoder, "", 0);
	return error < 0 ? error : (ssize_t)taken + 1;
}

/* Collects the bytes of H and E, which are passed on as a whole. */
static int take_note(struct frame_decoder *decoder, const char *bytes, size_t size)
{
	size_t whole;

	memcpy(decoder->text + decoder->used, bytes, size);
	decoder->used += size;
	if (decoder->used < decoder->frame.length)
		return 0;
	whole = decoder->used;
	decoder->used = 0;
	return deliver(decoder, decoder->text, whole);
}

static ssize_t take_bytes(struct frame_decoder *decoder, const char *bytes, size_t size)
{
	bool data = decoder->frame.kind == FRAME_DATA;
	size_t wanted = decoder->frame.length - (data ? decoder->offset : decoder->used);
	size_t taken = size < wanted ? size : wanted;
	int error;

	error = data ? deliver(decoder, bytes, taken) : take_note(decoder, bytes, taken);
	return error < 0 ? error : (ssize_t)taken;
}

int frame_decode(struct frame_decoder *decoder, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t taken = decoder->inside ? take_bytes(decoder, bytes, size)
		                                : take_header(decoder, bytes, size);

		if (taken < 0)
			return (int)taken;
		bytes += taken;
		size -= (size_t)taken;
	}
	return 0;
}
