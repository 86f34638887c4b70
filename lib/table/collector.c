/* SPDX-License-Identifier: MIT */
/* collector.c - the bytes of a table source become a snapshot */
#include "table/collector.h"

#include <errno.h>
#include <sys/socket.h>

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
	bool diag = tag == TABLE_DIAG_INET || tag == TABLE_DIAG_INET6;

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

	for (int i = 0; i < 2; i++) {
		tcp_table_end(&collector->text[i]);
		if (diag && !collector->diag[i].done)
			return -EPROTO;
		collector->rows += collector->text[i].rows + collector->diag[i].rows;
		collector->rejected += collector->text[i].rejected + collector->diag[i].rejected;
	}
	snapshot_seal(&collector->snapshot);
	return 0;
}

void table_collector_clear(struct table_collector *collector)
{
	snapshot_clear(&collector->snapshot);
}
