/* SPDX-License-Identifier: MIT */
/* reader_ops.c - the common part of the kinds of readers */
#include "table/reader_ops.h"

#include <errno.h>
#include <sys/socket.h>

#include "table/closes.h"
#include "table/step.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* Reports of closed sockets may cost one percent of a CPU: each sample requires this much time. A
 * short excess is allowed. */
#define CLOSES_PRICE (CLOSES_SAMPLE * CLOSES_COST * 100)
#define CLOSES_SAVED (2 * NSEC_PER_SEC)

int reader_fail(struct reader *reader, const char *step, int error)
{
	reader->failure = (struct failure){step, error};
	return -error;
}

/* Whether a failure is temporary, so that the next request may succeed. A failure to open a table
 * is not: a reader opens its tables only once, so a new reader is needed. */
static bool is_transient(const char *step, int error)
{
	if (step == STEP_OPEN_DIAG || step == STEP_OPEN_TEXT)
		return false;
	return error == EAGAIN || error == EINTR || error == ENOMEM || error == ENOBUFS ||
	       error == EBUSY;
}

enum reader_state reader_give_up(struct reader *reader, const char *step, int error)
{
	reader_fail(reader, step, error);
	if (is_transient(step, error))
		return READER_RETRY;
	reader->broken = true;
	return READER_BROKEN;
}

int reader_open_process(struct reader *reader, const struct reader_target *target)
{
	CLEANUP_CLOSE int process = procfs_open_process(target->procfs, target->pid);
	struct process_stat stat;
	int error, kept;

	if (process < 0)
		return reader_fail(reader, STEP_FIND_PROCESS, -process);
	error = procfs_read_stat(process, &stat);
	if (error == 0 && stat.start_time != target->start_time)
		error = -ESRCH;
	if (error < 0)
		return reader_fail(reader, STEP_FIND_PROCESS, -error);
	kept = process;
	process = -1;
	return kept;
}

int reader_check_netns(struct reader *reader, int process)
{
	struct netns_id id;
	int error = procfs_netns(process, &id);

	if (error < 0)
		return reader_fail(reader, STEP_CHECK_NETNS, -error);
	if (!netns_id_is_same(&id, &reader->netns))
		return reader_fail(reader, STEP_REACH_NETNS, ESTALE);
	return 0;
}

enum reader_state reader_read_source(struct reader *reader, int (*after)(struct reader *reader))
{
	struct failure failure = {STEP_PARSE, 0};
	int error;

	error = table_source_read(&reader->source, reader->form, reader->sequence,
	                          table_collector_feed, &reader->collector, &failure);
	if (error < 0)
		return reader_give_up(reader, failure.step, -error);
	if (after && after(reader) < 0)
		return reader_give_up(reader, reader->failure.step, reader->failure.error);
	error = table_collector_end(&reader->collector);
	return error < 0 ? reader_give_up(reader, STEP_PARSE, -error) : READER_COMPLETE;
}

void reader_count_samples(struct reader *reader, uint64_t samples)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	if (samples > CLOSES_SAVED / CLOSES_PRICE)
		samples = CLOSES_SAVED / CLOSES_PRICE + 1;
	if (reader->closes_until < now)
		reader->closes_until = now;
	reader->closes_until += samples * CLOSES_PRICE;
	if (reader->closes_until > now + CLOSES_SAVED)
		reader->reports_error = -EBUSY;
}

/* --- converts the bytes of a table into a snapshot --- */

static int add(void *data, const struct listener *listener)
{
	return snapshot_add(data, listener);
}

void table_collector_begin(struct table_collector *collector, enum portwatch_table form,
                           uint32_t sequence)
{
	static const int families[2] = {AF_INET, AF_INET6};
	struct snapshot *snapshot = &collector->snapshot;

	collector->form = form;
	collector->bytes = 0;
	snapshot_reset(snapshot);
	tcp_diag_init(&collector->both, AF_UNSPEC, table_source_sequence(sequence, AF_UNSPEC), add,
	              snapshot);
	for (int i = 0; i < 2; i++) {
		tcp_table_init(&collector->text[i], families[i], add, snapshot);
		tcp_diag_init(&collector->diag[i], families[i],
		              table_source_sequence(sequence, families[i]), add, snapshot);
	}
}

static int feed_diag(struct tcp_diag *diag, const void *bytes, size_t size)
{
	return diag->done ? -EPROTO : tcp_diag_feed(diag, bytes, size);
}

int table_collector_feed(void *data, enum table_tag tag, const void *bytes, size_t size)
{
	struct table_collector *collector = data;
	bool diag = tag == TABLE_DIAG || tag == TABLE_DIAG_INET || tag == TABLE_DIAG_INET6;

	if (diag != (collector->form == PORTWATCH_TABLE_DIAG))
		return -EPROTO;
	collector->bytes += size;
	if (collector->bytes > TABLE_SOURCE_MAX)
		return -E2BIG;
	switch (tag) {
	case TABLE_TEXT_INET:
		return tcp_table_feed(&collector->text[0], bytes, size);
	case TABLE_TEXT_INET6:
		return tcp_table_feed(&collector->text[1], bytes, size);
	case TABLE_DIAG:
		return feed_diag(&collector->both, bytes, size);
	case TABLE_DIAG_INET:
		return feed_diag(&collector->diag[0], bytes, size);
	case TABLE_DIAG_INET6:
		return feed_diag(&collector->diag[1], bytes, size);
	}
	return -EPROTO;
}

int table_collector_end(struct table_collector *collector)
{
	bool diag = collector->form == PORTWATCH_TABLE_DIAG;

	if (diag && !collector->both.done && !(collector->diag[0].done && collector->diag[1].done))
		return -EPROTO;
	collector->rows += collector->both.rows;
	collector->rejected += collector->both.rejected;
	for (int i = 0; i < 2; i++) {
		tcp_table_end(&collector->text[i]);
		collector->rows += collector->text[i].rows + collector->diag[i].rows;
		collector->rejected += collector->text[i].rejected + collector->diag[i].rejected;
	}
	if (collector->snapshot.count <= READER_SEALED)
		snapshot_seal(&collector->snapshot);
	return 0;
}

void table_collector_clear(struct table_collector *collector)
{
	snapshot_clear(&collector->snapshot);
}
