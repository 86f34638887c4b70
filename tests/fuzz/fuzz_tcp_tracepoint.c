/* SPDX-License-Identifier: MIT */
/* fuzz_tcp_tracepoint.c - any bytes as the format of the tracepoint and, after a NUL, as the body
 * of a sample */
#include <errno.h>

#include "fuzz.h"
#include "notify/tcp_tracepoint.h"

/* `rest` fills the memory behind the body. */
static void make_record(struct perf_record *record, const uint8_t *body, size_t size, int rest)
{
	const size_t most = PERF_RECORD_MAX - sizeof(struct perf_event_header);

	if (size > most)
		size = most;
	record->type = PERF_RECORD_SAMPLE;
	record->size = (uint32_t)size;
	record->time = 4711;
	memset(record->body, rest, sizeof(record->body));
	memcpy(record->body, body, size);
}

static void check_fields(const struct state_format *format)
{
	for (int i = 0; i < STATE_FIELDS; i++) {
		const struct tracefs_field *field = &format->fields[i];

		REQUIRE(field->size > 0 && field->size <= 16);
		REQUIRE(field->offset + field->size <= PERF_RECORD_MAX);
	}
}

static int decode(const struct state_format *format, const struct perf_record *record,
                  struct tcp_change *change)
{
	struct perf_sample sample;

	if (perf_record_sample(record, &sample) < 0)
		return -EBADMSG;
	return state_format_decode(format, &sample, change);
}

/* The memory behind the body has no effect on the result. */
static void check_sample(const struct state_format *format, const uint8_t *body, size_t size)
{
	struct tcp_change change = {.pid = -1}, again = {.pid = -1};
	struct perf_record record;
	int result;

	make_record(&record, body, size, 0);
	result = decode(format, &record, &change);
	REQUIRE(result == 0 || result == -EBADMSG);
	make_record(&record, body, size, 0xff);
	REQUIRE(decode(format, &record, &again) == result);
	if (result < 0)
		return;
	REQUIRE(change.listening == again.listening && change.family == again.family);
	REQUIRE(change.port == again.port && change.socket == again.socket);
	REQUIRE(memcmp(change.address, again.address, sizeof(change.address)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t length = strnlen((const char *)bytes, size);
	size_t before = length < size ? length + 1 : size;
	char *text = fuzz_string(bytes, length);
	struct state_format format;

	if (state_format_parse(&format, text) == 0) {
		check_fields(&format);
		check_sample(&format, bytes + before, size - before);
	}
	free(text);
	return 0;
}
