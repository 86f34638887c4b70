/* SPDX-License-Identifier: MIT */
/* helper_memory.h - unmaps the memory that a helper has inherited */
#ifndef HELPER_MEMORY_H
#define HELPER_MEMORY_H

#include <stdbool.h>

/* Unmaps the inherited anonymous memory, except the stack from `stack` (the oldest frame that is
 * still needed) to the present frame, and the memory that libc needs for system calls. Otherwise
 * the helper would keep the old copy of each page to which the host writes. Does nothing if this is
 * not safe. */
void helper_drop_memory(int proc, const void *stack);
bool helper_can_drop_memory(void);

#endif
