/* SPDX-License-Identifier: MIT */
/* orphans.h - processes that COMMAND has left behind: they become children of pwatch */
#ifndef ORPHANS_H
#define ORPHANS_H

#include <stddef.h>

/* Sends the signal to every process except pwatch and the library's helpers. For the init process
 * of a PID namespace. */
void orphans_signal(int signal_number);

/* Writes the names of the running children of pwatch, without the library's helpers: "nginx[12],
 * sleep[13] and 2 more". Processes choose the bytes of their names. Returns the number of
 * children. */
#define ORPHANS_NAMES_MAX 512
size_t orphans_list(char names[ORPHANS_NAMES_MAX]);

#endif
