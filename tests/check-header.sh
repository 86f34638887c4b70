#!/bin/sh
# SPDX-License-Identifier: MIT
# check-header.sh - portwatch.h compiles in every dialect of C and C++ without a warning
#
# Environment: CC, CPPFLAGS.
set -u
srcdir=${srcdir:-.}
work=$(mktemp -d "${TMPDIR:-.}/header.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT
failures=0
count=0

# The program includes the header twice and first, and calls a function to test the linkage.
cat >"$work/user.c" <<'END'
#include <portwatch.h>
#include <portwatch.h>
const char *version(void);
const char *version(void)
{
	return portwatch_version();
}
END

# compile COMPILER FLAG...: uses -I, not -isystem, so that the compiler prints warnings for the header.
compile()
{
	compiler=$1
	shift
	count=$((count + 1))
	# The compiler can be several words.
	# shellcheck disable=SC2086
	$compiler ${CPPFLAGS-} -I"$srcdir/lib/api" -Wall -Wextra -Werror -pedantic "$@" \
		-c "$work/user.c" -o "$work/user.o" 2>"$work/log" && return
	echo "FAIL: $compiler $*:"
	cat "$work/log"
	failures=$((failures + 1))
}

# knows COMPILER FLAG...: whether the compiler supports the flags.
knows()
{
	compiler=$1
	shift
	# shellcheck disable=SC2086
	echo 'int nothing;' | $compiler "$@" -c - -o "$work/user.o" 2>/dev/null
}

for compiler in "${CC:-cc}" gcc clang; do
	for dialect in c89 c99 c11 c17 c2x; do
		! knows "$compiler" -x c "-std=$dialect" || compile "$compiler" -x c "-std=$dialect"
	done
	for dialect in c++98 c++11 c++17 c++20; do
		! knows "$compiler" -x c++ "-std=$dialect" || compile "$compiler" -x c++ "-std=$dialect"
	done
	# This warning finds names in comments that are not parameters.
	! knows "$compiler" -x c -Wdocumentation -Werror ||
		compile "$compiler" -x c -Wdocumentation
	# The symbol of a C++ function would contain its parameters.
	# shellcheck disable=SC2086
	if knows "$compiler" -x c++ -std=c++98; then
		compile "$compiler" -x c++ -std=c++98
		${NM:-nm} -u "$work/user.o" | grep -q ' portwatch_version$' || {
			echo "FAIL: $compiler: the functions are not extern \"C\""
			failures=$((failures + 1))
		}
	fi
done
echo "$count ways to compile portwatch.h"
[ "$failures" -eq 0 ] && [ "$count" -gt 0 ]
