/* SPDX-License-Identifier: MIT */
/* reading.h - a reader of a process's network namespace, for tests */
#ifndef READING_H
#define READING_H

#include <sys/types.h>

#include "table/reader.h"
#include "util/spawn.h"

struct reading {
	struct procfs procfs;
	struct reader_target target;
	struct reader *reader;
	struct failure failure; /* of reader_open() */
	struct child child;     /* after reading_drop() */
};

/* Fills in the target and blocks all signals, which the library's threads do, too. */
void reading_aim(struct reading *reading, pid_t pid);
/* Opens a reader of the target. Returns the result of reader_open(). */
int reading_open(struct reading *reading, enum portwatch_reader kind, enum portwatch_table table);
/* Calls both functions and asserts their success. */
void reading_start(struct reading *reading, pid_t pid, enum portwatch_reader kind,
                   enum portwatch_table table);
/* reading_take() asks for the table and waits for the answer. reading_wait() only waits. */
enum reader_state reading_take(struct reading *reading);
enum reader_state reading_wait(struct reading *reading);
/* Asks for the table until the reader no longer answers "again", and asserts that the table is
 * complete. */
const struct snapshot *reading_table(struct reading *reading);

/* Closes the reader, whose child is then in reading->child. */
void reading_drop(struct reading *reading);
/* Waits for the child, reaps the child, and releases all resources. */
void reading_end(struct reading *reading);

#endif
