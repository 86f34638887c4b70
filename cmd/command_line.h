/* SPDX-License-Identifier: MIT */
/* command_line.h - the command line of a process */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include <sys/types.h>

/* The most bytes of a command line that are shown. */
#define COMMAND_LINE_MAX 1000

/* Reads the command line, with blanks between the words; what is longer ends in "...". "" for a
 * process that has none (kernel threads, zombies), or whose command line can't be read. The process
 * chooses the bytes: escape them before they are printed. */
void command_line_read(pid_t pid, char line[COMMAND_LINE_MAX + 1]);

#endif
