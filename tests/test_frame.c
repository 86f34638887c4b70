/* SPDX-License-Identifier: MIT */
/* test_frame.c - frames and requests between a reader and its child */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "table/frame.h"
#include "util/number.h"
#include "support/check_main.h"

/* The decoder's output as text: "H0,1,3:abc" and so on; the pieces of one D are joined. */
struct heard {
	char text[512];
	int answer;   /* what the sink returns */
	uint32_t end; /* the end of the pieces of the current D */
};

static int hear(void *data, const struct frame *frame, uint32_t offset, const char *bytes,
                size_t size)
{
	struct heard *heard = data;
	size_t used = strlen(heard->text);

	ck_assert_uint_le(offset + size, frame->length);
	if (frame->kind != FRAME_DATA)
		ck_assert_uint_eq(size, frame->length);
	if (offset == 0)
		used += (size_t)sprintf(heard->text + used, "%c%u,%u,%u:", (char)frame->kind,
		                        frame->sequence, frame->argument, frame->length);
	else
		ck_assert_uint_eq(offset, heard->end);
	heard->end = offset + (uint32_t)size;
	memcpy(heard->text + used, bytes, size);
	return heard->answer;
}

/* Decodes the text in pieces of the given size. */
static int decode(struct heard *heard, const char *text, size_t piece)
{
	struct frame_decoder decoder;
	size_t left = strlen(text);
	int error = 0;

	memset(heard, 0, sizeof(*heard));
	frame_decoder_init(&decoder, hear, heard);
	for (; left > 0 && error == 0; left -= piece, text += piece) {
		piece = left < piece ? left : piece;
		error = frame_decode(&decoder, text, piece);
	}
	return error;
}

static const char conversation[] = "H 0 1 5\n4 5 6D 7 4 12\nhello\nworld\n"
				   "D 7 6 0\nE 7 0 0\nE 8 13 5\nsetns";

START_TEST(frames_cut_anywhere)
{
	struct heard heard;

	ck_assert_int_eq(decode(&heard, conversation, (size_t)_i), 0);
	ck_assert_str_eq(heard.text, "H0,1,5:4 5 6D7,4,12:hello\nworld\nD7,6,0:E7,0,0:E8,13,5:"
	                             "setns");
}
END_TEST

START_TEST(formatted_frames_can_be_decoded)
{
	const struct frame frame = {FRAME_DATA, UINT32_MAX, UINT32_MAX, 3};
	char text[FRAME_HEADER_MAX + 4] = "";
	struct heard heard;
	size_t size = frame_format(text, &frame);

	memcpy(text + size, "abc", 4);
	ck_assert_int_eq(decode(&heard, text, sizeof(text)), 0);
	ck_assert_str_eq(heard.text, "D4294967295,4294967295,3:abc");
}
END_TEST

START_TEST(a_frame_that_is_cut_short_is_not_heard)
{
	struct heard heard;

	ck_assert_int_eq(decode(&heard, "E 7 13 5\nsetn", 100), 0);
	ck_assert_str_eq(heard.text, "");
	ck_assert_int_eq(decode(&heard, "E 7 0 0", 100), 0);
	ck_assert_str_eq(heard.text, "");
}
END_TEST

static const char *const malformed[] = {
	"\n",
	"X 1 2 3\n",
	"D\n",
	"D \n",
	"D 1 2\n",
	"D 1 2 \n",
	"D 1 2 3 \n",
	"D 1 2 3 4\n",
	"D  1 2 3\n",
	"D1 2 3 4\n",
	"D -1 2 3\n",
	"D 1 +2 3\n",
	"D 1 2 0x3\n",
	"D 1 2 3\r\n",
	"D 4294967296 2 3\n",
	"D 1 4294967296 3\n",
	"D 1 2 536870913\n",
	"D 1 2 99999999999999999999999999\n",
	"H 0 1 129\n",
	"E 1 1 129\n",
	"nsenter: reassociate to namespace 'ns/net' failed: Operation not permitted\n",
	"a line that is longer than a header can be, without end",
};

START_TEST(a_malformed_header_ends_the_decoding)
{
	struct heard heard;

	ck_assert_int_eq(decode(&heard, malformed[_i], 1000), -EPROTO);
	ck_assert_int_eq(decode(&heard, malformed[_i], 1), -EPROTO);
	ck_assert_str_eq(heard.text, "");
}
END_TEST

START_TEST(the_limits_are_allowed)
{
	char text[FRAME_HEADER_MAX + FRAME_NOTE_MAX + 1] = "E 1 1 128\n";
	struct heard heard;

	memset(text + 10, 'x', FRAME_NOTE_MAX);
	ck_assert_int_eq(decode(&heard, text, 7), 0);
	ck_assert_uint_eq(strlen(heard.text), strlen("E1,1,128:") + FRAME_NOTE_MAX);
	ck_assert_int_eq(decode(&heard, "D 1 2 536870912\n", 100), 0);
}
END_TEST

static int refuse(void *data, const struct frame *frame, uint32_t offset, const char *bytes,
                  size_t size)
{
	(void)data, (void)frame, (void)offset, (void)bytes, (void)size;
	return -ENOMEM;
}

START_TEST(an_error_of_the_sink_is_returned)
{
	static const char *const texts[] = {"D 1 4 1\nx", "D 1 4 0\n", "E 1 0 1\nx", "E 1 0 0\n"};
	struct frame_decoder decoder;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		frame_decoder_init(&decoder, refuse, NULL);
		ck_assert_int_eq(frame_decode(&decoder, texts[i], strlen(texts[i])), -ENOMEM);
	}
}
END_TEST

START_TEST(requests)
{
	static const char *const bad[] = {"",
	                                  " ",
	                                  "1",
	                                  "1 ",
	                                  "1 2 ",
	                                  "-1 2",
	                                  "1 x",
	                                  "4294967296 1",
	                                  "1 2 x",
	                                  "1 2 3 ",
	                                  "1 2 3 4",
	                                  "1 4294967296",
	                                  "1 2 4294967296"};
	const struct frame_request asked = {4294967295U, 2, 0}, again = {1, 4294967295U, 3};
	struct frame_request read = {0, 0, 1};
	char line[FRAME_REQUEST_MAX];
	size_t size = frame_format_request(line, &asked);

	ck_assert_uint_eq(size, strlen("4294967295 2\n"));
	ck_assert_mem_eq(line, "4294967295 2\n", size);
	ck_assert_int_eq(frame_parse_request(line, size - 1, &read), 0);
	ck_assert_uint_eq(read.sequence, asked.sequence);
	ck_assert_uint_eq(read.table, asked.table);
	ck_assert_uint_eq(read.known, 0);
	size = frame_format_request(line, &again);
	ck_assert_uint_eq(size, strlen("1 4294967295 3\n"));
	ck_assert_mem_eq(line, "1 4294967295 3\n", size);
	ck_assert_int_eq(frame_parse_request(line, size - 1, &read), 0);
	ck_assert_uint_eq(read.sequence, again.sequence);
	ck_assert_uint_eq(read.table, again.table);
	ck_assert_uint_eq(read.known, again.known);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(frame_parse_request(bad[i], strlen(bad[i]), &read), -EPROTO);
}
END_TEST

START_TEST(numbers)
{
	static const uint64_t values[] = {0, 9, 10, 4294967295U, UINT64_MAX};
	char buffer[24];

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		const char *text = buffer;
		char *end = decimal_write(buffer, values[i]);
		uint64_t number = 1;

		ck_assert_int_eq(frame_read_number(&text, end, UINT64_MAX, &number), 0);
		ck_assert_uint_eq(number, values[i]);
		ck_assert_ptr_eq(text, end);
		text = buffer;
		if (values[i] > 0)
			ck_assert_int_eq(frame_read_number(&text, end, values[i] - 1, &number),
			                 -EPROTO);
	}
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("frame");
	TCase *frames = tcase_create("frames");

	tcase_add_loop_test(frames, frames_cut_anywhere, 1, (int)sizeof(conversation) + 1);
	tcase_add_test(frames, formatted_frames_can_be_decoded);
	tcase_add_test(frames, a_frame_that_is_cut_short_is_not_heard);
	tcase_add_loop_test(frames, a_malformed_header_ends_the_decoding, 0,
	                    (int)(sizeof(malformed) / sizeof(malformed[0])));
	tcase_add_test(frames, the_limits_are_allowed);
	tcase_add_test(frames, an_error_of_the_sink_is_returned);
	tcase_add_test(frames, requests);
	tcase_add_test(frames, numbers);
	suite_add_tcase(suite, frames);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
