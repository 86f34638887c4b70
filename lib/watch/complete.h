/* SPDX-License-Identifier: MIT */
/* complete.h - whether a subscription can see everything in its scope */
#ifndef COMPLETE_H
#define COMPLETE_H

#include <stdbool.h>

#include "watch/log.h"

struct subscription;

/* Writes the first reason why it can't, in words, or "". */
bool complete_check(struct subscription *subscription, char reason[LOG_TEXT]);

/* There are more members, or open ports, than the subscription may have: told once. */
void complete_note_members(struct subscription *subscription);
void complete_note_ports(struct subscription *subscription);

#endif
