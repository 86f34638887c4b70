/* SPDX-License-Identifier: MIT */
/* unsupported.c - the public functions where the system isn't Linux */
