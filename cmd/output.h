/* SPDX-License-Identifier: MIT */
/* output.h - where the lines of events go */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Lines are written at once, each by one write(2). While the other side doesn't take them they wait
 * here, so that a terminal that is stopped or a pipe that is full stops nothing but the output. */
struct output {
	int fd;           /* -1 after output_close() */
	const char *name; /* for messages */
	char number[32];  /* the name of a descriptor that has no other */
	char *pending;
	size_t sent, length, size;
};

/* Whether the caller has opened this descriptor for writing: 0, or a negative errno. To be asked
 * before pwatch opens any of its own. */
int output_check(int fd);

/* Opens path, emptied and created with the umask's mode where it doesn't exist; without a path
 * (NULL), or with "-" for standard output, takes the descriptor fd or that. A FIFO is waited for as
 * the shell does. 0 or a negative errno. */
int output_open(struct output *output, const char *path, int fd);

/* Takes one line, and writes it if it can. 0 or a negative errno: -EPIPE when nobody reads any
 * more, -ENOMEM, else what write(2) says. */
int output_line(struct output *output, const char *line, size_t length);

/* Writes what is pending as far as it goes without waiting. 0 or a negative errno. */
int output_flush(struct output *output);

/* Writes all that is pending, however long that takes. 0 or a negative errno. */
int output_finish(struct output *output);

/* Whether lines are waiting to be written. */
bool output_is_pending(const struct output *output);

/* Ends all output; lines given later are dropped. */
void output_close(struct output *output);

#endif
