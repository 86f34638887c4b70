#!/bin/sh
# SPDX-License-Identifier: MIT
# examples.sh - the programs in portwatch.h, in libportwatch.3 and in docs/examples/ are built and run:
# each reports a port that is open already and one that is opened later, at once, and ends with the
# process that it watches
#
# The script leaves out a program whose tools are not installed, and prints a line.
#
# Environment: CC, CFLAGS, AM_CFLAGS, CPPFLAGS, LDFLAGS, SERVER, builddir.
set -u
srcdir=${srcdir:-.}
builddir=${builddir:-.}
. "$srcdir/tests/support/patience.sh"
if ! [ -x "${SERVER-}" ]; then
	echo "SKIP: the server that the examples watch is not built on this system"
	exit 77
fi
if ! [ -e "$builddir/.libs/libportwatch.so" ]; then
	echo "SKIP: the examples need the shared library, which was not built"
	exit 77
fi
if ! command -v "$(expr "${CC:-cc}" : '\([^ ]*\)')" >/dev/null; then
	echo "SKIP: no compiler is installed"
	exit 77
fi
work=$(mktemp -d "${TMPDIR:-$builddir}/examples.XXXXXX") || exit 99
work=$(cd "$work" && pwd)
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

# begin ADDRESS: starts a server that listens on the address; $port is its port.
begin()
{
	rm -f "$work/in"
	: >"$work/ports"
	mkfifo "$work/in"
	"$SERVER" <"$work/in" >"$work/ports" &
	server=$!
	exec 3>"$work/in"
	command_server "$1"
}

# command_server LINE: sends a command to the server; $port is the port of the new listener.
command_server()
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

# finish NAME: ends the server, and expects that the example then ends with status 0.
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

# run NAME COMMAND...: appends the PID of the server to COMMAND, which must print the ports of the server.
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
		fail "$name does not report the open port: $(cat "$work/out" "$work/err")"
	command_server ::1
	await "$work/out" "\\<$port\\>" ||
		fail "$name does not report a new port: $(cat "$work/out" "$work/err")"
	finish "$name"
	echo "run: $name"
}

# build NAME COMMAND...: runs the compiler. Reports a failure and returns false if the program does not
# compile.
build()
{
	name=$1
	shift
	"$@" >"$work/log" 2>&1 && return
	fail "$name does not compile: $(cat "$work/log")"
	return 1
}

# build_c NAME SOURCE FLAG...: compiles a C program to $work/program.
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


# --- docs/examples -------------------------------------------------------------------------------

examples=$srcdir/docs/examples

leave_out()
{
	echo "left out: $*"
}

# The libraries and tools of this machine do not work for another machine or C library.
is_foreign()
{
	grep -q '^cross_compiling = yes' "$builddir/Makefile"
}

# packages NAME...: whether pkg-config finds the packages.
packages()
{
	! is_foreign && "${PKG_CONFIG:-pkg-config}" --exists "$@" 2>/dev/null
}

for example_name in thread epoll; do
	! build_c "$example_name.c" "$examples/$example_name.c" || run "$example_name.c" "$work/program"
done
for example_name in libuv glib; do
	package=$example_name
	[ $example_name = libuv ] || package=glib-2.0
	if ! packages $package; then
		leave_out "$example_name.c: $package is not installed"
		continue
	fi
	# Warnings in headers of other projects are no failure.
	cflags=$(pkg-config --cflags $package | sed 's/\(^\| \)-I/ -isystem /g')
	# shellcheck disable=SC2046,SC2086
	! build_c "$example_name.c" "$examples/$example_name.c" $cflags $(pkg-config --libs $package) ||
		run "$example_name.c" "$work/program"
done

# tests/forward.py tests forward.c.
alone=
unshare -n true 2>/dev/null || alone='unshare -rn'
if ! $alone unshare -n true 2>/dev/null; then
	leave_out "forward.c: network namespaces are refused"
elif ! command -v python3 >/dev/null || ! command -v ip >/dev/null; then
	leave_out "forward.c: python3 or ip is not installed"
elif build_c forward.c "$examples/forward.c"; then
	count=$((count + 1))
	# shellcheck disable=SC2016,SC2086
	timeout "$(patience 120)" ${alone:-env} sh -c '[ -z "$1" ] || ip link set lo up; exec python3 "$2" "$3" "$4"' \
		sh "$alone" "$srcdir/tests/forward.py" "$work/program" "$SERVER" 3>&- || fail forward.c
	echo "run: forward.c"
fi

# With a sanitizer, the program must be built with the sanitizer too, which these programs are not.
case " ${AM_CFLAGS-} ${CFLAGS-} " in
*-fsanitize=*)
	leave_out "watch.cpp, watch.py, watch.rs and go: the library was built with a sanitizer"
	examples=/nonexistent
	;;
esac
if is_foreign; then
	leave_out "watch.cpp, watch.py, watch.rs and go: the library was built for another machine"
	examples=/nonexistent
fi

if [ ! -d "$examples" ]; then
	:
elif ! command -v c++ >/dev/null; then
	leave_out "watch.cpp: c++ is not installed"
else
	! build watch.cpp c++ -std=c++17 -Wall -Wextra -pedantic -Werror -I"$srcdir/lib/api" \
		"$examples/watch.cpp" -o "$work/program" -L"$builddir/.libs" -lportwatch -lpthread ||
		run watch.cpp "$work/program"
fi

if [ ! -d "$examples" ]; then
	:
elif ! command -v python3 >/dev/null; then
	leave_out "watch.py: python3 is not installed"
else
	run watch.py python3 "$examples/watch.py"
fi

# A compiler that one user has installed may fail for another user, because HOME differs.
if [ ! -d "$examples" ]; then
	:
elif ! rustc --version >/dev/null 2>&1; then
	leave_out "watch.rs: rustc is not installed"
else
	! build watch.rs rustc -D warnings "$examples/watch.rs" -o "$work/program" -L "$builddir/.libs" \
		-l portwatch || run watch.rs "$work/program"
fi

# The race detector fails if the kernel randomizes the addresses of mappings too much.
plain='setarch -R'
$plain true 2>/dev/null || plain=

# go_test FLAG...: runs go test. The package finds the library through pkg-config.
go_test()
{
	mkdir -p "$work/pc"
	printf 'Name: libportwatch\nDescription: -\nVersion: 0\nCflags: -I%s/lib/api\nLibs: -L%s/.libs -lportwatch\n' \
		"$(cd "$srcdir" && pwd)" "$(cd "$builddir" && pwd)" >"$work/pc/libportwatch.pc"
	# shellcheck disable=SC2086
	(
		cd "$examples/go" || exit 1
		PKG_CONFIG_PATH=$work/pc GOCACHE=$work/go GOPATH=$work/gopath GOFLAGS=-mod=mod GOPROXY=off CGO_ENABLED=1 \
			GOTOOLCHAIN=local timeout "$(patience 300)" $plain go test "$@" . 3>&-
	) >"$work/log" 2>&1
}

if [ ! -d "$examples" ]; then
	:
elif ! go version >/dev/null 2>&1; then
	leave_out "go: go is not installed"
else
	count=$((count + 1))
	if go_test -race; then
		echo "run: go, with -race"
	elif grep -q 'race is \(only\|not\) supported\|race_.*\.syso\|ThreadSanitizer failed to allocate' "$work/log" &&
		go_test; then
		echo "run: go, without -race, which does not work here"
	else
		fail "go: $(cat "$work/log")"
	fi
fi

echo "$count examples"
[ "$failures" -eq 0 ] && [ "$count" -gt 0 ]
