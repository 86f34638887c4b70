/* SPDX-License-Identifier: MIT */
/* hints.h - what pwatch lacks, and what to grant to it */
#ifndef HINTS_H
#define HINTS_H

#include <portwatch.h>
#include <sys/types.h>

#include "place.h"
#include "privileges.h"
#include "report.h"

/* The result of watching a process for --check. */
struct hints_probe {
	pid_t pid;      /* the process of the command line; 0: none */
	bool refused;   /* pwatch may not examine the process */
	bool outside;   /* some network namespace was read from outside */
	bool no_module; /* a table was read as text because the kernel found no tcp_diag */
	bool polls; /* the kernel does not report listen(2), although --no-notify was not given */
};

/* Adds to the report what is missing, and what to grant; nothing if nothing is missing. Each line
 * of what to grant is an alternative: one of them is sufficient. */
void hints_report(const struct privileges *privileges, const struct place *place,
                  const struct hints_probe *probe, struct report *report);

#endif
