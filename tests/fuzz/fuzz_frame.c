/* SPDX-License-Identifier: MIT */
/* fuzz_frame.c - any bytes as the answers of a child (whole and in pieces), as a request and as a
 * number */
#include <errno.h>

#include "fuzz.h"
#include "table/frame.h"
#include "util/number.h"

struct result {
	uint64_t digest; /* of all frames and bytes in their order */
	uint64_t end;    /* offset behind the last piece of the current frame */
	int error;
};

static void mix(struct result *result, uint64_t value)
{
	result->digest = result->digest * 31 + value + 1;
}

static int compare(void *data, const struct frame *frame, uint32_t offset, const char *bytes,
                   size_t size)
{
	const struct frame *expected = data;

	(void)bytes;
	REQUIRE(offset == 0 && size <= FRAME_NOTE_MAX);
	REQUIRE(frame->kind == expected->kind && frame->sequence == expected->sequence);
	REQUIRE(frame->argument == expected->argument && frame->length == expected->length);
	return -ECANCELED;
}

/* A header that the decoder accepts survives a second encoding and decoding. */
static void check_header(const struct frame *frame)
{
	char text[FRAME_HEADER_MAX + FRAME_NOTE_MAX] = {0};
	struct frame expected = *frame;
	struct frame_decoder decoder;
	size_t size = frame_format(text, frame);

	REQUIRE(size < FRAME_HEADER_MAX && text[size - 1] == '\n');
	frame_decoder_init(&decoder, compare, &expected);
	/* The decoder passes on the bytes of H and E frames as a whole, and those of D in pieces.
	 */
	if (frame->kind == FRAME_DATA && frame->length > 0)
		size++;
	else
		size += frame->length;
	REQUIRE(frame_decode(&decoder, text, size) == -ECANCELED);
}

static int digest(void *data, const struct frame *frame, uint32_t offset, const char *bytes,
                  size_t size)
{
	struct result *result = data;

	REQUIRE(offset + size <= frame->length && (offset == 0 || offset == result->end));
	REQUIRE(frame->kind == FRAME_DATA || (size == frame->length && size <= FRAME_NOTE_MAX));
	if (offset == 0) {
		check_header(frame);
		mix(result, (uint64_t)frame->kind);
		mix(result, frame->sequence);
		mix(result, frame->argument);
		mix(result, frame->length);
	}
	result->end = offset + size;
	for (size_t i = 0; i < size; i++)
		mix(result, (unsigned char)bytes[i]);
	return 0;
}

static void decode(struct result *result, const char *bytes, size_t size, size_t piece)
{
	struct frame_decoder decoder;
	size_t left = size;

	memset(result, 0, sizeof(*result));
	frame_decoder_init(&decoder, digest, result);
	for (; left > 0 && result->error == 0; left -= piece, bytes += piece) {
		piece = left < piece ? left : piece;
		result->error = frame_decode(&decoder, bytes, piece);
	}
}

/* A request that the parser accepts survives a second formatting and parsing. */
static void check_request(const char *bytes, size_t size)
{
	struct frame_request request, again;
	char line[FRAME_REQUEST_MAX];

	if (frame_parse_request(bytes, size, &request) < 0)
		return;
	size = frame_format_request(line, &request);
	REQUIRE(size <= sizeof(line) && line[size - 1] == '\n');
	REQUIRE(frame_parse_request(line, size - 1, &again) == 0);
	REQUIRE(again.sequence == request.sequence && again.table == request.table);
}

/* So does a number. A number ends at the end of the input or after a blank. */
static void check_number(const char *bytes, size_t size)
{
	const char *at = bytes, *end = bytes + size;
	uint64_t number, again;
	char text[20];

	if (frame_read_number(&at, end, UINT64_MAX, &number) < 0)
		return;
	REQUIRE(at > bytes && at <= end && (at == end || at[-1] == ' '));
	end = decimal_write(text, number);
	at = text;
	REQUIRE(end <= text + sizeof(text));
	REQUIRE(frame_read_number(&at, end, number, &again) == 0 && again == number && at == end);
	at = text;
	REQUIRE(number == 0 || frame_read_number(&at, end, number - 1, &again) == -EPROTO);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const size_t pieces[] = {1, 7, 48, 4096};
	const char *text = (const char *)bytes;
	struct result whole, cut;

	decode(&whole, text, size, size ? size : 1);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		decode(&cut, text, size, pieces[i]);
		REQUIRE(cut.error == whole.error && cut.digest == whole.digest);
	}
	check_request(text, size);
	check_number(text, size);
	return 0;
}
