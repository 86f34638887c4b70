#!/bin/sh
# SPDX-License-Identifier: MIT
# check-symbols.sh - the header, the list of symbols and the library have the same functions
set -u
srcdir=${srcdir:-.}
header=$srcdir/lib/api/portwatch.h
symbols=$srcdir/lib/api/libportwatch.sym
library=.libs/libportwatch.so
status=0

work=$(mktemp -d "${TMPDIR:-.}/check-symbols.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT

# compare WHAT EXPECTED ACTUAL: prints the differences between two sorted lists
compare()
{
	if ! diff -u "$2" "$3"; then
		echo "FAIL: $1"
		status=1
	fi
}

# Removes comments and typedefs, which name functions without declaring them.
sed -e 's,/\*[^*]*\*/,,' -e '/\/\*/,/\*\//d' "$header" | grep -v '^typedef' | grep -o 'portwatch_[a-z0-9_]*(' |
	tr -d '(' | sort >"$work/header"
sed -n 's/^[[:space:]]*\(portwatch_[a-z0-9_]*\);$/\1/p' "$symbols" | sort >"$work/symbols"
if ! [ -s "$work/header" ]; then
	echo "FAIL: no function found in $header"
	exit 1
fi
compare "portwatch.h and libportwatch.sym differ" "$work/header" "$work/symbols"

if [ -e "$library" ]; then
	# Omits the versions, which are symbols too.
	${NM:-nm} -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
		sort >"$work/exported"
	compare "portwatch.h and the symbols of $library differ" "$work/header" "$work/exported"
else
	echo "no shared library was built: its symbols are not compared"
fi

# Other names in the archive could collide with names of the host program.
archive=.libs/libportwatch.a
if [ -e "$archive" ]; then
	${NM:-nm} -g --defined-only "$archive" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort >"$work/archived"
	compare "portwatch.h and the global names of $archive differ" "$work/header" "$work/archived"
else
	echo "no static library was built: its names are not compared"
fi
exit $status
