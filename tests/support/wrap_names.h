/* SPDX-License-Identifier: MIT */
/* wrap_names.h - the names by which lib/ reaches the calls that are wrapped
 *
 * The headers of a C library give some calls another name in the object file if offsets or times
 * have 64 bits and once had 32. Code that is linked with -Wl,--wrap has to have the same name.
 * wrap.options has each name, and tests/check-wrapped.sh reports a missing name. */
#ifndef WRAP_NAMES_H
#define WRAP_NAMES_H

#include <features.h>
#include <time.h>

/* glibc: __USE_FILE_OFFSET64 follows _FILE_OFFSET_BITS, __USE_TIME_BITS64 follows _TIME_BITS. */
#if defined(__GLIBC__) && defined(__USE_FILE_OFFSET64)
#define __real_open __real_open64
#define __wrap_open __wrap_open64
#define __real_openat __real_openat64
#define __wrap_openat __wrap_openat64
#define __real_mmap __real_mmap64
#define __wrap_mmap __wrap_mmap64
#define __real_fstatfs __real_fstatfs64
#define __wrap_fstatfs __wrap_fstatfs64
#if defined(__USE_TIME_BITS64) && __TIMESIZE == 32
#define __real_fcntl __real___fcntl_time64
#define __wrap_fcntl __wrap___fcntl_time64
#define __real_fstatat __real___fstatat64_time64
#define __wrap_fstatat __wrap___fstatat64_time64
#define __real_ioctl __real___ioctl_time64
#define __wrap_ioctl __wrap___ioctl_time64
#define __real_getsockopt __real___getsockopt64
#define __wrap_getsockopt __wrap___getsockopt64
#define __real_clock_gettime __real___clock_gettime64
#define __wrap_clock_gettime __wrap___clock_gettime64
#else
#define __real_fcntl __real_fcntl64
#define __wrap_fcntl __wrap_fcntl64
#define __real_fstatat __real_fstatat64
#define __wrap_fstatat __wrap_fstatat64
#endif
#endif

/* musl, where time_t once had 32 bits. */
#if !defined(__GLIBC__) && defined(_REDIR_TIME64) && _REDIR_TIME64
#define __real_fstatat __real___fstatat_time64
#define __wrap_fstatat __wrap___fstatat_time64
#define __real_clock_gettime __real___clock_gettime64
#define __wrap_clock_gettime __wrap___clock_gettime64
#endif

#endif
