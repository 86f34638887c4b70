/* SPDX-License-Identifier: MIT */
/* reading.h - a reader of the network namespace of a process, for a test to ask */
#ifndef READING_H
#define READING_H

#include <sys/types.h>

#include "table/reader.h"
#include "util/spawn.h"

struct reading {
	struct procfs procfs;
	struct reader_target target;
	struct reader *reader;
	struct failure failure; /* of the opening */
	struct child child;     /* after reading_drop() */
};

/* Fills in the target; blocks all signals, as they are in the library's threads. */
void reading_aim(struct reading *reading, pid_t pid);
/* Opens a reader of the target. Returns what reader_open() does. */
int reading_open(struct reading *reading, enum portwatch_reader kind, enum portwatch_table table);
/* Both, which must succeed. */
void reading_start(struct reading *reading, pid_t pid, enum portwatch_reader kind,
                   enum portwatch_table table);
/* Asks for the table and waits for the answer; reading_wait() only waits. */
enum reader_state reading_take(struct reading *reading);
enum reader_state reading_wait(struct reading *reading);
/* Asks until it isn't told to ask again, and asserts that the table is complete. */
const struct snapshot *reading_table(struct reading *reading);

/* Closes the reader; its child is then in reading->child. */
void reading_drop(struct reading *reading);
/* Waits for the child, reaps it, and lets go of everything. */
void reading_end(struct reading *reading);

#endif
