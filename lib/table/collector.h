/* SPDX-License-Identifier: MIT */
/* collector.h - the bytes of a table source become a snapshot. Pure: no I/O. */
#ifndef COLLECTOR_H
#define COLLECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "portwatch.h"
#include "table/snapshot.h"
#include "table/source.h"
#include "table/parse_diag.h"
#include "table/parse_text.h"

/* Zeroed it is empty; to be cleared in the end. */
struct table_collector {
	struct snapshot snapshot;
	enum portwatch_table form;
	struct tcp_table text[2];
	struct tcp_diag diag[2];
	uint64_t bytes; /* of this table */
	uint64_t rows;  /* since ever, as the next */
	uint64_t rejected;
};

/* Begins a table in the given form; sequence as for table_source_read(). */
void table_collector_begin(struct table_collector *collector, enum portwatch_table form,
                           uint32_t sequence);
/* A table_sink: takes the next piece. data is the collector. Returns 0; -E2BIG; -ENOMEM; -EPROTO (a
 * tag of the other form); what tcp_diag_feed() returns. */
int table_collector_feed(void *data, enum table_tag tag, const void *bytes, size_t size);
/* The source says that this was all. Seals the snapshot. Returns 0, or -EPROTO where that can't
 * be. */
int table_collector_end(struct table_collector *collector);
void table_collector_clear(struct table_collector *collector);

#endif
