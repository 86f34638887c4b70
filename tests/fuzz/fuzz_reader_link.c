/* SPDX-License-Identifier: MIT */
/* fuzz_reader_link.c - any bytes as the whole output of a helper or of the script behind nsenter
 *
 * The input: a byte that selects the table and whether there is text on standard error, then the
 * output. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "table/reader_child.h"
#include "table/step.h"

#define REQUESTS_MAX 8

static const struct reader_ops ops = {
	.request = reader_link_request,
	.process = reader_link_process,
	.close = reader_link_close,
};

/* Records the requests whose answer has an end frame without a failure. */
static int record_end(void *data, const struct frame *frame, uint32_t offset, const char *bytes,
                      size_t size)
{
	bool *ended = data;

	(void)offset;
	(void)bytes;
	(void)size;
	if (frame->kind == FRAME_END && frame->argument == 0 && frame->sequence < REQUESTS_MAX)
		ended[frame->sequence] = true;
	return 0;
}

static void find_ends(bool ended[REQUESTS_MAX], const uint8_t *bytes, size_t size)
{
	struct frame_decoder decoder;

	memset(ended, 0, REQUESTS_MAX * sizeof(*ended));
	frame_decoder_init(&decoder, record_end, ended);
	frame_decode(&decoder, (const char *)bytes, size);
}

static int make_complaints(const uint8_t *bytes, size_t size)
{
	int fd = memfd_create("complaints", MFD_CLOEXEC);

	REQUIRE(fd >= 0 && pwrite(fd, bytes, size, 0) == (ssize_t)size);
	return fd;
}

static struct reader *make_reader(enum portwatch_table table, int ends[2])
{
	struct reader *reader = calloc(1, sizeof(*reader));

	REQUIRE(reader);
	reader->ops = &ops;
	reader->wanted = table;
	reader->form = table == PORTWATCH_TABLE_PROCFS ? table : PORTWATCH_TABLE_DIAG;
	reader->process = -1;
	reader->netns = (struct netns_id){5, 4711};
	reader->link.child.pidfd = -1;
	reader->link.complaints = -1;
	reader->link.process = -1;
	reader->link.exit_step = STEP_ANSWER;
	reader->buffer = malloc(TABLE_SOURCE_BUFFER);
	reader->link.datagram = reader->buffer;
	REQUIRE(reader->buffer);
	REQUIRE(reader_link_open(reader, ends) == 0);
	return reader;
}

static void check_table(const struct reader *reader)
{
	const struct snapshot *snapshot = reader_snapshot(reader);
	enum portwatch_table form = reader_table(reader);

	REQUIRE(form == PORTWATCH_TABLE_DIAG || form == PORTWATCH_TABLE_PROCFS);
	REQUIRE(reader->link.greeted && reader_failure(reader).error == 0);
	REQUIRE(reader_rows(reader) >= snapshot->count);
	for (size_t i = 0; i < snapshot->count; i++) {
		const struct listener *listener = &snapshot->rows[i].listener;

		REQUIRE(listener->port != 0 && listener->inode != 0);
		REQUIRE(listener->family == AF_INET || listener->family == AF_INET6);
		REQUIRE(i == 0 || listener_compare(&snapshot->rows[i - 1].listener, listener) < 0);
	}
}

static void check_failure(const struct reader *reader)
{
	struct failure failure = reader_failure(reader);

	REQUIRE(failure.step && failure.error > 0 && failure.error < 4096);
}

/* Sends requests and reads answers until the output is used up. */
static void converse(struct reader *reader, const bool ended[REQUESTS_MAX])
{
	enum reader_state state = READER_RETRY;

	while (state != READER_BROKEN) {
		state = state == READER_PENDING ? reader_process(reader) : reader_request(reader);
		if (state == READER_COMPLETE) {
			REQUIRE(reader->sequence >= REQUESTS_MAX || ended[reader->sequence]);
			check_table(reader);
		} else if (state != READER_PENDING) {
			check_failure(reader);
		}
		if (state != READER_PENDING && reader->sequence >= REQUESTS_MAX)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const enum portwatch_table tables[] = {PORTWATCH_TABLE_AUTO, PORTWATCH_TABLE_DIAG,
	                                              PORTWATCH_TABLE_PROCFS};
	bool ended[REQUESTS_MAX];
	struct reader *reader;
	struct child child;
	uint8_t choice;
	int ends[2] = {-1, -1};

	fuzz_take(&bytes, &size, &choice, sizeof(choice));
	if (size > 65536)
		return 0; /* the pipe has no room for more */
	find_ends(ended, bytes, size);
	reader = make_reader(tables[choice % 3], ends);
	if (choice & 0x80)
		reader->link.complaints = make_complaints(bytes, size);
	REQUIRE(write(ends[1], bytes, size) == (ssize_t)size);
	close(ends[1]);
	converse(reader, ended);
	close(ends[0]);
	reader_close(reader, &child);
	return 0;
}
