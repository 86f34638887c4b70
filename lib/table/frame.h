/* SPDX-License-Identifier: MIT */
/* frame.h - the protocol between a child reader and its parent, over two pipes. Pure: no I/O, no
 * allocation; usable in a forked child.
 *
 * Everything except the tables themselves is ASCII, so that a shell script can use the protocol.
 *
 * A request is a line "SEQUENCE TABLE\n"; TABLE is a value of enum portwatch_table. With "SEQUENCE
 * TABLE KNOWN\n" the child may keep its answer back if it would be as the answer to request KNOWN
 * (struct helper_silence).
 * An answer is a series of frames: a header line "KIND SEQUENCE ARGUMENT LENGTH\n" and LENGTH
 * bytes.
 *
 *     H  hello: the namespace has been entered. SEQUENCE 0, ARGUMENT the version of all this
 *     D  a piece of a table; ARGUMENT says of which (enum table_tag)
 *     C  listening sockets were closed. SEQUENCE 0, unasked: the table has changed; ARGUMENT and
 *        LENGTH are 0. With the SEQUENCE of an answer: ARGUMENT others were closed since the last
 *     E  the answer ends; ARGUMENT is 0 where it is complete, else an errno, and the bytes name the
 *        step that failed. With SEQUENCE 0: the child could not begin and has given up
 *
 * An answer that ends without its E was cut short and is no information. */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_VERSION 1
#define FRAME_HEADER_MAX 48
#define FRAME_NOTE_MAX 128                  /* the bytes of H and E */
#define FRAME_DATA_MAX (512U * 1024 * 1024) /* the bytes of D */
#define FRAME_REQUEST_MAX 48

enum frame_kind {
	FRAME_HELLO = 'H',
	FRAME_DATA = 'D',
	FRAME_CLOSED = 'C',
	FRAME_END = 'E',
};

struct frame {
	enum frame_kind kind;
	uint32_t sequence;
	uint32_t argument;
	uint32_t length;
};

struct frame_request {
	uint32_t sequence;
	uint32_t table;
	uint32_t known; /* 0: none */
};

/* Receives a frame: H and E as a whole, D in one or several pieces. `offset` is the position of the
 * piece in the frame. Returns 0, or a negative errno that ends the decoding. */
typedef int (*frame_sink)(void *data, const struct frame *frame, uint32_t offset, const char *bytes,
                          size_t size);

struct frame_decoder {
	frame_sink sink;
	void *data;
	bool inside; /* a header was read; its bytes follow */
	struct frame frame;
	uint32_t offset; /* bytes of the frame received so far */
	size_t used;
	char text[FRAME_NOTE_MAX]; /* an incomplete header, or the bytes of H and E */
};

/* Writes a header and returns its size. */
size_t frame_format(char buffer[FRAME_HEADER_MAX], const struct frame *frame);

void frame_decoder_init(struct frame_decoder *decoder, frame_sink sink, void *data);
/* Decodes the next bytes, cut anywhere. Returns 0, -EPROTO (the stream is invalid from here on), or
 * the value that the sink returned. */
int frame_decode(struct frame_decoder *decoder, const char *bytes, size_t size);

/* Writes a request and returns its size. */
size_t frame_format_request(char buffer[FRAME_REQUEST_MAX], const struct frame_request *request);
/* Parses one line without its newline. Returns 0 or -EPROTO. */
int frame_parse_request(const char *line, size_t size, struct frame_request *request);

/* Parses a number at the front of [*text, end), and the blank after it unless it is the last.
 * Returns 0 or -EPROTO (no digit, another character, a value above max). */
int frame_read_number(const char **text, const char *end, uint64_t max, uint64_t *number);

#endif
