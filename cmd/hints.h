/* SPDX-License-Identifier: MIT */
/* hints.h - what pwatch lacks, and what to grant to it */
#ifndef HINTS_H
#define HINTS_H

#include <sys/types.h>

#include "report.h"
#include "privileges.h"

/* Reports both for who wants to watch the process, or any (0). Nothing where nothing is missing;
 * `degraded`: a way has failed that its capabilities allow. */
void hints_report(const struct privileges *privileges, pid_t pid, bool degraded,
                  struct report *report);

#endif
