/* SPDX-License-Identifier: MIT */
/* helper_memory.h - a helper gives up the memory that it has inherited */
#ifndef HELPER_MEMORY_H
#define HELPER_MEMORY_H

#include <stdbool.h>

/* Unmaps the anonymous memory that the child has inherited, except `stack` (the oldest frame that
 * is still needed) to the present one, and what libc needs to make system calls: a page that the
 * host writes to would otherwise live on here for ever. Does nothing where that isn't safe. */
void helper_drop_memory(int proc, const void *stack);
bool helper_can_drop_memory(void);

#endif
