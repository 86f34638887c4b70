#!/bin/sh
# SPDX-License-Identifier: MIT
# check-wrapped.sh - every system call and allocation of lib/ can be made to fail by tests/support/wrap.c
#
# Each function of libc that the core calls is wrapped (wrap.options) or listed here. Each number that the
# core passes to syscall(2) is in wrap_calls.h.
set -u
srcdir=${srcdir:-.}
core=.libs/libcore.a
options=$srcdir/tests/support/wrap.options
calls=$srcdir/tests/support/wrap_calls.h
status=0

# These functions make no system call, or one that cannot fail with the arguments of the core. Some C
# libraries define some of them as macros. musl has two functions for errno.
harmless='
	___errno_location __errno_location _GLOBAL_OFFSET_TABLE_
	__chk_fail __stack_chk_fail __stack_chk_fail_local __stack_chk_guard
	___tls_get_addr __tls_get_addr __tls_get_offset
	atoi atol bsearch getrlimit getrlimit64 uname htonl htons ntohl ntohs
	cap_free cap_get_flag free getauxval inet_ntop secure_getenv strerror strerrordesc_np
	bcmp memchr memcmp memcpy memmem memmove memset
	snprintf vsnprintf
	strchr strchrnul strcmp strlen strncmp strrchr strspn strcspn strstr strtol strtoul strtoull
	qsort sigfillset sigemptyset tdelete tdestroy tfind twalk
	getpid sched_yield sysconf pthread_self pthread_sigmask
	pthread_cond_broadcast pthread_cond_init pthread_cond_timedwait pthread_cond_wait
	__pthread_cond_timedwait64 __pthread_cond_timedwait_time64
	pthread_condattr_destroy pthread_condattr_init pthread_condattr_setclock
	pthread_detach pthread_join pthread_setcancelstate pthread_once
	pthread_cond_destroy pthread_mutex_destroy pthread_mutex_init pthread_mutex_lock pthread_mutex_unlock
'
# These calls cannot fail.
harmless_numbers='SYS_exit_group SYS_geteuid'

if [ "$(uname -s)" != Linux ]; then
	echo "not Linux: the core makes no system call of its own"
	exit 77
fi

work=$(mktemp -d "${TMPDIR:-.}/check-wrapped.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT

# Omits the calls of sanitizers, and the undefined functions by which headers reject wrong arguments: with
# -flto they are in the symbol table.
${NM:-nm} --defined-only "$core" | awk 'NF == 3 { print $3 }' | sort -u >"$work/defined"
${NM:-nm} -u "$core" | awk '$1 == "U" { print $2 }' |
	grep -v '^__[a-z]*san_\|^__sanitizer\|^__gcov\|_missing_mode$\|_too_many_args$' |
	sed 's/^__isoc[0-9]*_//; s/@.*//' | sort -u >"$work/called"
if ! [ -s "$work/called" ]; then
	echo "FAIL: $core calls nothing"
	exit 1
fi
# The compiler calls functions of libgcc for operations that the processor lacks, such as 64-bit divisions.
# shellcheck disable=SC2086
arithmetic=$(${CC:-cc} $CFLAGS -print-libgcc-file-name)
{
	cat "$work/defined"
	sed 's/^--wrap=//' "$options"
	# With _FORTIFY_SOURCE a function can have another name.
	for name in $harmless; do printf '%s\n__%s_chk\n' "$name" "$name"; done
	${NM:-nm} --defined-only "$arithmetic" 2>/dev/null | awk 'NF == 3 { print $3 }'
} | sort -u >"$work/known"
for name in $(comm -23 "$work/called" "$work/known"); do
	echo "FAIL: $core calls $name, which is not in wrap.options"
	status=1
done

{
	grep -o 'SYS_[a-z0-9_]*' "$calls"
	for name in $harmless_numbers; do echo "$name"; done
} | sort -u >"$work/known_numbers"
# The core does not call the numbers in the list of the seccomp filter.
find "$srcdir/lib" -name '*.[ch]' ! -name helper_seccomp.c -exec cat {} + |
	grep -o 'SYS_[a-z][a-z0-9_]*' | sort -u >"$work/numbers"
for name in $(comm -23 "$work/numbers" "$work/known_numbers"); do
	echo "FAIL: lib/ makes $name, which is not in wrap_calls.h"
	status=1
done

echo "$(wc -l <"$work/called") symbols and $(wc -l <"$work/numbers") numbers of system calls compared"
exit $status
