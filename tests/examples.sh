#!/bin/sh
# SPDX-License-Identifier: MIT
# examples.sh - the programs in portwatch.h, in libportwatch.3 and in docs/examples/ are built and run:
# each reports a port that is open already and one that is opened later, at once, and ends with the
# process that it watches
#
# A program whose tools are not installed is left out, and the output says so.
#
# Environment: CC, CFLAGS, AM_CFLAGS, CPPFLAGS, LDFLAGS, SERVER, builddir.
set -u
srcdir=${srcdir:-.}
builddir=${builddir:-.}
. "$srcdir/tests/support/patience.sh"
if ! [ -x "${SERVER-}" ]; then
	echo "SKIP: the server that the examples watch isn't built on this system"
	exit 77
fi
if ! [ -e "$builddir/.libs/libportwatch.so" ]; then
	echo "SKIP: no shared library was built, which the examples use"
	exit 77
fi
work=$(mktemp -d "${TMPDIR:-$builddir}/examples.XXXXXX") || exit 99
example=
server=
cleanup()
{
	exec 3>&-
	[ -z "$example" ] || kill "$example" 2>/dev/null
	[ -z "$server" ] || kill "$server" 2>/dev/null
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
LD_LIBRARY_PATH=$builddir/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
failures=0
count=0

fail()
{
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# await FILE PATTERN: waits until a line of the file matches.
await()
{
	tries=$(patience 6000)
	while ! grep -q "$2" "$1" 2>/dev/null; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.01
	done
}

# begin ADDRESS: starts a server that listens there; $port is its port.
begin()
{
	rm -f "$work/in" "$work/ports"
	mkfifo "$work/in"
	"$SERVER" <"$work/in" >"$work/ports" &
	server=$!
	exec 3>"$work/in"
	tell "$1"
}

# tell LINE: has the server do something; $port is the port where it listens.
tell()
{
	before=$(wc -l <"$work/ports")
	echo "$1" >&3
	tries=$(patience 6000)
	while [ "$(wc -l <"$work/ports")" -eq "$before" ] && [ "$tries" -gt 0 ]; do
		tries=$((tries - 1))
		sleep 0.01
	done
	port=$(tail -n 1 "$work/ports")
}

# finish NAME: the server exits, and the example after it, without failure.
finish()
{
	exec 3>&-
	wait "$server"
	server=
	wait "$example"
	result=$?
	example=
	[ "$result" -eq 0 ] || fail "$1 ends with status $result: $(cat "$work/err")"
}

# run NAME COMMAND...: the program is to print the ports of the PID that follows its arguments.
run()
{
	name=$1
	shift
	count=$((count + 1))
	begin 127.0.0.1
	early=$port
	timeout "$(patience 60)" "$@" "$server" >"$work/out" 2>"$work/err" 3>&- &
	example=$!
	await "$work/out" "\\<$early\\>" ||
		fail "$name doesn't report the port that is open: $(cat "$work/out" "$work/err")"
	tell ::1
	await "$work/out" "\\<$port\\>" ||
		fail "$name doesn't report a new port at once: $(cat "$work/out" "$work/err")"
	finish "$name"
	echo "run: $name"
}

# build NAME COMMAND...: false, and said, where it doesn't compile.
build()
{
	name=$1
	shift
	"$@" >"$work/log" 2>&1 && return
	fail "$name doesn't compile: $(cat "$work/log")"
	return 1
}

# build_c NAME SOURCE FLAG...
build_c()
{
	name=$1 source=$2
	shift 2
	# The compiler and the flags are words.
	# shellcheck disable=SC2086
	build "$name" ${CC:-cc} ${CPPFLAGS-} ${AM_CFLAGS-} ${CFLAGS-} -I"$srcdir/lib/api" "$source" \
		-o "$work/program" ${LDFLAGS-} -L"$builddir/.libs" -lportwatch -lpthread "$@"
}

# --- in the header and the manual page -----------------------------------------------------------

sed -n '/^ \*     #include/,/^ \* Conventions/s/^ \*     //p' "$srcdir/lib/api/portwatch.h" |
	sed 's/^ \*$//' >"$work/header.c"
grep -q 'int main' "$work/header.c" || fail "no example found in portwatch.h"
! build_c "the example in portwatch.h" "$work/header.c" || run "the example in portwatch.h" "$work/program"

awk -v work="$work" '
	/^\.Bd -literal/ { inside = 1; file = work "/page" ++n ".c"; next }
	/^\.Ed/ { inside = 0 }
	inside { gsub(/\\e/, "\\"); print >file }' "$srcdir/docs/libportwatch.3"
[ -e "$work/page2.c" ] || fail "no examples found in libportwatch.3"
for source in "$work"/page*.c; do
	name="$(basename "$source" .c) of libportwatch.3"
	! build_c "$name" "$source" || run "$name" "$work/program"
done


echo "$count examples"
[ "$failures" -eq 0 ] && [ "$count" -gt 0 ]
