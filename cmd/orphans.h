/* SPDX-License-Identifier: MIT */
/* orphans.h - what is left of COMMAND in a PID namespace of which pwatch is the init process */
#ifndef ORPHANS_H
#define ORPHANS_H

/* Sends the signal to every process but pwatch and the library's helpers. */
void orphans_signal(int signal_number);

#endif
