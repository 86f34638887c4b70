/* SPDX-License-Identifier: MIT */
/* reader_child.h - the library's side of the pipes to a helper or to nsenter */
#ifndef READER_CHILD_H
#define READER_CHILD_H

#include "table/reader_ops.h"

extern const struct reader_ops reader_setns_ops;
extern const struct reader_ops reader_nsenter_ops;

/* The common part of both kinds. reader_link_open() creates both pipes; ends[0] (requests) and
 * ends[1] (responses) receive the child's ends, which the caller closes. */
int reader_link_open(struct reader *reader, int ends[2]);
enum reader_state reader_link_request(struct reader *reader);
enum reader_state reader_link_process(struct reader *reader);
void reader_link_close(struct reader *reader);
/* See reader_take_unchanged(). */
bool reader_link_take_unchanged(struct reader *reader, uint64_t *took);

#endif
