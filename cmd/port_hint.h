/* SPDX-License-Identifier: MIT */
/* port_hint.h - names the process that holds a port which the user typed in place of a process ID
 */
#ifndef PORT_HINT_H
#define PORT_HINT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PORT_HINT_MAX 128

/* Finds out whether a number that was given as a process ID is a port that is open in the network
 * namespace of pwatch. Returns whether the port is open. If so, the hint names the holder and the
 * command that watches the holder: "port 8080 is open, held by PID 123 (python3): pwatch 123".
 * Waits for the reads of one watcher, as long as portwatch_start() at most. */
bool port_hint(pid_t number, char hint[PORT_HINT_MAX]);

#endif
