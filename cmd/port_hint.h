/* SPDX-License-Identifier: MIT */
/* port_hint.h - who types a port where a process ID belongs is told who holds that port */
#ifndef PORT_HINT_H
#define PORT_HINT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PORT_HINT_MAX 128

/* Looks whether a number that was given as a process ID is a port that is open in the network
 * namespace of pwatch. If so, says that and who holds the port, for the process that pwatch is to
 * watch: "port 8080 is open, held by PID 123 (python3): pwatch 123". Returns whether it is open;
 * what can't be found out isn't said. */
bool port_hint(pid_t number, char hint[PORT_HINT_MAX]);

#endif
