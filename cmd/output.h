/* SPDX-License-Identifier: MIT */
/* output.h - the destination of the lines of events */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Each line is written at once, with one write(2). Lines that the destination does not accept wait
 * here, so that a stopped terminal or a full pipe delays only the output. Lines that wait are
 * written together, up to PIPE_BUF bytes at a time, and no line is divided. */
struct output {
	int fd;           /* -1 after output_close() */
	const char *name; /* for messages */
	char number[32];  /* the name of a descriptor that has no file name */
	char *pending;
	size_t sent, length, size;
};

/* Checks that the caller has opened this descriptor for writing. Called before pwatch opens any
 * descriptor of its own. Returns 0 or a negative errno. */
int output_check(int fd);

/* Opens `path`: truncates the file, or creates it with the mode of the umask. If `path` is "-",
 * uses standard output; if it is NULL, uses the descriptor `fd`. The open of a FIFO waits for a
 * reader, as a redirection of the shell does. Returns 0 or a negative errno. */
int output_open(struct output *output, const char *path, int fd);

/* Queues one line, and writes it if possible. Returns 0 or a negative errno: -EPIPE if the reader
 * has gone, -ENOMEM, or the error of write(2). */
int output_line(struct output *output, const char *line, size_t length);

/* Queues one line, which output_flush() writes. Returns 0 or -ENOMEM. */
int output_add(struct output *output, const char *line, size_t length);

/* Writes pending lines without waiting. Returns 0 or a negative errno. */
int output_flush(struct output *output);

/* Writes all pending lines, and waits as long as necessary. Returns 0 or a negative errno. */
int output_finish(struct output *output);

/* Whether lines are pending. */
bool output_is_pending(const struct output *output);

/* Ends all output. Later lines are dropped. */
void output_close(struct output *output);

#endif
