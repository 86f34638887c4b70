/* SPDX-License-Identifier: MIT */
/* fuzz_frame.c - any bytes as the answers of a child, whole and cut into pieces, and as a request
 */
#include <stdlib.h>
#include <string.h>

#include "frame.h"

struct result {
	uint64_t digest; /* of all frames and bytes in their order */
	uint64_t end;    /* of the pieces of the present frame */
	int error;
};

static void mix(struct result *result, uint64_t value)
{
	result->digest = result->digest * 31 + value + 1;
}

static int digest(void *data, const struct frame *frame, uint32_t offset, const char *bytes,
                  size_t size)
{
	struct result *result = data;

	if (offset + size > frame->length || (offset > 0 && offset != result->end))
		abort();
	if (frame->kind != FRAME_DATA && (size != frame->length || size > FRAME_NOTE_MAX))
		abort();
	if (offset == 0) {
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

/* A request that is understood says the same when it is written again. */
static void check_request(const char *bytes, size_t size)
{
	struct frame_request request, again;
	char line[FRAME_REQUEST_MAX];

	if (frame_parse_request(bytes, size, &request) < 0)
		return;
	size = frame_format_request(line, &request);
	if (size > sizeof(line) || line[size - 1] != '\n' ||
	    frame_parse_request(line, size - 1, &again) < 0 || again.sequence != request.sequence ||
	    again.table != request.table)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const size_t pieces[] = {1, 7, 48, 4096};
	const char *text = (const char *)bytes;
	struct result whole, cut;

	decode(&whole, text, size, size ? size : 1);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		decode(&cut, text, size, pieces[i]);
		if (cut.error != whole.error || cut.digest != whole.digest)
			abort();
	}
	check_request(text, size);
	return 0;
}
