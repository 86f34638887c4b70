/* SPDX-License-Identifier: MIT */
/* advice.h - what pwatch lacks, and what to grant to it */
#ifndef ADVICE_H
#define ADVICE_H

#include <sys/types.h>

#include "findings.h"
#include "privileges.h"

/* Reports both for who wants to watch the process, or any (0). Nothing where nothing is missing;
 * `degraded`: a way has failed that its capabilities allow. */
void advice_report(const struct privileges *privileges, pid_t pid, bool degraded,
                   struct findings *findings);

#endif
