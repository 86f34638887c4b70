/* SPDX-License-Identifier: MIT */
/* hints.h - what pwatch lacks, and what to grant to it */
#ifndef HINTS_H
#define HINTS_H

#include <portwatch.h>
#include <sys/types.h>

#include "place.h"
#include "privileges.h"
#include "report.h"

/* What a look has shown. */
struct hints_look {
	pid_t pid;      /* the process that was asked for; 0: none */
	bool refused;   /* it may not be looked at */
	bool outside;   /* some network namespace was read from outside */
	bool no_module; /* a table was read as text because the kernel found no tcp_diag */
	bool polls;     /* the kernel doesn't report listen(2), though it was asked to */
};

/* Reports both. Nothing where nothing is missing. Each line of what to grant is one of several
 * ways: one is enough. */
void hints_report(const struct privileges *privileges, const struct place *place,
                  const struct hints_look *look, struct report *report);

#endif
