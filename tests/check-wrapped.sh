#!/bin/sh
# SPDX-License-Identifier: MIT
# check-wrapped.sh - every system call and allocation of lib/ can be made to fail by tests/support/wrap.c
#
# What the core calls of libc is wrapped (wrap.options) or listed here, and each number that it
# hands to syscall(2) is in wrap_calls.h.
set -u
srcdir=${srcdir:-.}
core=.libs/libcore.a
options=$srcdir/tests/support/wrap.options
calls=$srcdir/tests/support/wrap_calls.h
status=0

# They make no system call, or one that can't fail as they are called here.
harmless='
	__errno_location __stack_chk_fail _GLOBAL_OFFSET_TABLE_
	cap_free cap_get_flag free getauxval inet_ntop secure_getenv strerror strerrordesc_np
	bcmp memchr memcmp memcpy memmem memmove memset
	snprintf vsnprintf
	strchr strchrnul strcmp strlen strncmp strrchr strspn strcspn strstr strtol strtoul strtoull
	qsort sigfillset sigemptyset tdelete tdestroy tfind twalk
	getpid sched_yield sysconf pthread_self pthread_sigmask
	pthread_cond_broadcast pthread_cond_init pthread_cond_timedwait pthread_cond_wait
	pthread_condattr_destroy pthread_condattr_init pthread_condattr_setclock
	pthread_detach pthread_join pthread_mutex_lock pthread_mutex_unlock pthread_once
'
# They return no error: exit_group doesn't return, geteuid has none.
harmless_numbers='SYS_exit_group SYS_geteuid'

if [ "$(uname -s)" != Linux ]; then
	echo "not Linux: the core makes no system call of its own"
	exit 77
fi

work=$(mktemp -d "${TMPDIR:-.}/check-wrapped.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT

# Without what the compiler puts in for sanitizers, and functions under the names that it checks.
${NM:-nm} --defined-only "$core" | awk 'NF == 3 { print $3 }' | sort -u >"$work/defined"
${NM:-nm} -u "$core" | awk '$1 == "U" { print $2 }' | grep -v '^__[a-z]*san_\|^__sanitizer\|^__gcov' |
	sed 's/^__\(.*\)_chk$/\1/; s/^__isoc[0-9]*_//; s/@.*//' | sort -u >"$work/called"
if ! [ -s "$work/called" ]; then
	echo "FAIL: $core calls nothing"
	exit 1
fi
{
	cat "$work/defined"
	sed 's/^--wrap=//' "$options"
	for name in $harmless; do echo "$name"; done
} | sort -u >"$work/known"
for name in $(comm -23 "$work/called" "$work/known"); do
	echo "FAIL: $core calls $name, which is not in wrap.options"
	status=1
done

{
	grep -o 'SYS_[a-z0-9_]*' "$calls"
	for name in $harmless_numbers; do echo "$name"; done
} | sort -u >"$work/known_numbers"
# What a filter of system calls lists is not called.
find "$srcdir/lib" -name '*.[ch]' ! -name helper_seccomp.c -exec cat {} + |
	grep -o 'SYS_[a-z][a-z0-9_]*' | sort -u >"$work/numbers"
for name in $(comm -23 "$work/numbers" "$work/known_numbers"); do
	echo "FAIL: lib/ makes $name, which is not in wrap_calls.h"
	status=1
done

echo "$(wc -l <"$work/called") symbols and $(wc -l <"$work/numbers") numbers of system calls compared"
exit $status
