/* SPDX-License-Identifier: MIT */
/* orphans.h - what is left of COMMAND: the children of pwatch, who gets orphaned descendants */
#ifndef ORPHANS_H
#define ORPHANS_H

#include <stddef.h>

/* As the init process of a PID namespace: sends the signal to every process but pwatch and the
 * library's helpers. */
void orphans_signal(int signal_number);

/* Names the children of pwatch that run, without the library's helpers: "nginx[12], sleep[13] and 2
 * more". Processes choose the bytes of their names. Returns how many they are. */
#define ORPHANS_NAMES_MAX 512
size_t orphans_list(char names[ORPHANS_NAMES_MAX]);

#endif
